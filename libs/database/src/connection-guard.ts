import type { Socket } from 'node:net'
import type { Config } from '#libs/platform'
import pg from 'pg'

/** What the guard reads of a client; pg's types leave it out. */
interface GuardedParts {
  readonly connection: { readonly stream: Socket }
  /** False while an answer is awaited. */
  readonly readyForQuery: boolean
  /** Number of the server's process; null until connected. */
  readonly processID: number | null
}

interface Silence {
  bytesRead: number
  /** Milliseconds of the process's clock. */
  since: number
}

/** Longest time to ask the server whether it works on silent statements. */
const askMs = 5_000

/**
 * Cuts connections on which a statement waits for an answer that will not come: the server stands still, or the network
 * forgot the connection. A statement that the server works on is left alone, however long it takes. It looks from
 * outside, so that no statement costs more: without it, one on a dead connection waits for a quarter of an hour.
 */
class ConnectionGuard {
  private readonly clients = new Map<GuardedParts, Silence>()
  private isAsking = false
  /** The class that a pool is to use. */
  readonly Client: typeof pg.Client

  constructor(
    private readonly url: string | undefined,
    private readonly silenceMs: number,
  ) {
    const guard = this.clients
    this.Client = class extends pg.Client {
      constructor(options?: pg.ClientConfig) {
        super(options)
        const parts = this as unknown as GuardedParts
        guard.set(parts, { bytesRead: 0, since: performance.now() })
        this.once('end', () => guard.delete(parts))
      }
    }
    setInterval(() => void this.look(), silenceMs / 4).unref()
  }

  private async look(): Promise<void> {
    const now = performance.now()
    const silent: GuardedParts[] = []
    for (const [client, silence] of this.clients) {
      const { bytesRead } = client.connection.stream
      if (client.readyForQuery || client.processID === null || bytesRead !== silence.bytesRead) silence.since = now
      else if (now - silence.since >= this.silenceMs) silent.push(client)
      silence.bytesRead = bytesRead
    }
    if (silent.length === 0 || this.isAsking) return
    this.isAsking = true
    const atWork = await this.findAtWork(silent.flatMap(({ processID }) => processID ?? []))
    this.isAsking = false
    for (const client of silent) {
      const silence = this.clients.get(client)
      const { stream } = client.connection
      // It may have answered or ended meanwhile.
      if (!silence || client.readyForQuery || stream.bytesRead !== silence.bytesRead) continue
      if (atWork.has(client.processID ?? 0)) silence.since = performance.now()
      else stream.destroy(silentError())
    }
  }

  /** Those of the server's processes that work on a statement; none if it does not answer, all if it refuses to tell. */
  private async findAtWork(processIds: readonly number[]): Promise<ReadonlySet<number>> {
    const client = new pg.Client({
      connectionString: this.url,
      connectionTimeoutMillis: askMs,
      query_timeout: askMs,
    })
    // What goes wrong here is the answer.
    client.on('error', () => undefined)
    try {
      await client.connect()
      const { rows } = await client.query<{ pid: number }>(
        `SELECT pid FROM pg_stat_activity WHERE pid = ANY($1) AND state = 'active'`,
        [processIds],
      )
      return new Set(rows.map(({ pid }) => pid))
    } catch (error) {
      // A server that is full (53300) is not a silent one.
      return new Set(error instanceof pg.DatabaseError ? processIds : [])
    } finally {
      client.end().catch(() => undefined)
    }
  }
}

const silentError = (): Error =>
  Object.assign(new Error('The database has not answered on this connection; it was cut.'), { code: 'ETIMEDOUT' })

const guards = new WeakMap<Config, ConnectionGuard>()

/** The class of client that the pools of a process use; one for each configuration. */
const guardedClient = (config: Config): typeof pg.Client => {
  const guard = guards.get(config) ?? new ConnectionGuard(config.database.url, config.database.silenceSeconds * 1000)
  guards.set(config, guard)
  return guard.Client
}

/** How long a connection is idle before it is probed, in milliseconds: a dead one is noticed in half a minute. */
export const keepAliveMs = 10_000

/** Options of a pool that waits for no dead connection: when it is made, while it is idle, or when it owes an answer. */
export const guardedConnections = (config: Config) => ({
  Client: guardedClient(config),
  connectionTimeoutMillis: 5_000,
  keepAlive: true,
  keepAliveInitialDelayMillis: keepAliveMs,
})
