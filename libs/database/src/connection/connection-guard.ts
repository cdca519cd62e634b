import type { Socket } from 'node:net'
import pg from 'pg'
import type { ConnectionTarget } from './connection-target.js'
import { findServer, plainOptions } from './find-server.js'

/** What the guard reads of a client. */
export interface GuardedClient {
  /** Process of the server that works for it; undefined until connected, and where servers are shared. */
  readonly serverPid: number | undefined
  /** Whether it gets another server for each transaction. */
  readonly isShared: boolean
  /** Whether its server could only be read, when it was connected or at a statement later. */
  readonly isReadOnly: boolean
  /** Its application's name where servers are shared; the same for all clients of the process. */
  readonly poolName: string
  once(event: 'end', listener: () => void): unknown
}

/** And of its parts, which pg's types leave out. */
interface GuardedParts extends GuardedClient {
  readonly connection: { readonly stream: Socket }
  /** False while a response is awaited. */
  readonly readyForQuery: boolean
  /** Null until connected. */
  readonly processID: number | null
  /** `I` outside of a transaction. */
  getTransactionStatus(): string | null
}

interface Silence {
  bytesRead: number
  /** Milliseconds of the process's clock. */
  since: number
}

/** Longest time to ask the server whether it works on silent statements. */
const askMs = 5_000

/**
 * Cuts idle connections to a server that could only be read, so that the next ones follow a name or an address that has
 * moved to the new primary: a standby would keep them for good.
 *
 * And cuts connections on which a statement waits for a response that will not come: the server stands still, or the network
 * forgot the connection. A statement that the server works on is left alone, however long it takes. It checks from
 * outside, so that no statement costs more: without it, one on a dead connection waits for a quarter of an hour.
 */
export class ConnectionGuard {
  private readonly clients = new Map<GuardedParts, Silence>()
  private isAsking = false

  constructor(
    /** Where it asks. */
    private readonly target: ConnectionTarget,
    private readonly silenceMs: number,
  ) {
    setInterval(() => void this.check(), silenceMs / 4).unref()
  }

  /** Watches a client until it ends. */
  watch(client: GuardedClient): void {
    const parts = client as GuardedParts
    this.clients.set(parts, { bytesRead: 0, since: performance.now() })
    client.once('end', () => this.clients.delete(parts))
  }

  private async check(): Promise<void> {
    const now = performance.now()
    const silent: GuardedParts[] = []
    this.cutReadOnly()
    for (const [client, silence] of this.clients) {
      const { bytesRead } = client.connection.stream
      if (client.readyForQuery || client.processID === null || bytesRead !== silence.bytesRead) silence.since = now
      else if (now - silence.since >= this.silenceMs) silent.push(client)
      silence.bytesRead = bytesRead
    }
    if (silent.length === 0 || this.isAsking) return
    this.isAsking = true
    const atWork = await this.findAtWork(silent)
    this.isAsking = false
    for (const client of silent) {
      const silence = this.clients.get(client)
      const { stream } = client.connection
      // It may have responded or ended meanwhile.
      if (!silence || client.readyForQuery || stream.bytesRead !== silence.bytesRead) continue
      if (atWork.has(client)) silence.since = performance.now()
      else stream.destroy(silentError())
    }
  }

  private cutReadOnly(): void {
    for (const client of this.clients.keys())
      if (client.isReadOnly && client.readyForQuery && client.getTransactionStatus() === 'I')
        client.connection.stream.destroy(readOnlyError())
  }

  /** Returns those whose server works on their statement; none if it does not respond, all if it denies the query. */
  private async findAtWork(silent: readonly GuardedParts[]): Promise<ReadonlySet<GuardedParts>> {
    let client: pg.Client | undefined
    try {
      const { candidate } = await findServer(this.target)
      client = new pg.Client({
        ...plainOptions(this.target, candidate),
        connectionTimeoutMillis: askMs,
        query_timeout: askMs,
      })
      // A failure here is the result: the server does not respond.
      client.on('error', () => undefined)
      await client.connect()
      const { rows } = await client.query<{ pid: number; name: string }>(
        `SELECT pid, application_name AS name FROM pg_stat_activity
         WHERE state = 'active' AND (pid = ANY($1) OR application_name = ANY($2))`,
        [silent.flatMap(({ serverPid }) => serverPid ?? []), silent.map(({ poolName }) => poolName)],
      )
      const pids = new Set(rows.map(({ pid }) => pid))
      // A shared server cannot be assigned to a connection: while one works for this process, no connection is closed.
      const names = new Set(rows.map(({ name }) => name))
      return new Set(
        silent.filter((each) => (each.isShared ? names.has(each.poolName) : pids.has(each.serverPid ?? 0))),
      )
    } catch (error) {
      // A server that is full (53300) is not a silent one.
      return new Set(error instanceof pg.DatabaseError ? silent : [])
    } finally {
      client?.end().catch(() => undefined)
    }
  }
}

const silentError = (): Error =>
  Object.assign(new Error('The database has not responded on this connection; it was cut.'), { code: 'ETIMEDOUT' })

const readOnlyError = (): Error =>
  Object.assign(new Error('The database can only be read on this connection; it was cut.'), { code: 'ECONNRESET' })
