import type { Config, Logger } from '#libs/platform'
import type pg from 'pg'
import { connectionOptions, hasDirectSessions } from './connections.js'
import { epochMs } from '../tasks/task-sql.js'

const reconnectMs = 1_000

/** What is done with the payloads of a channel. */
export type NotificationHandlers = Readonly<Record<string, (payload: string) => void>>

/**
 * Receives the notifications of some channels on one connection and reconnects when it is lost. Notifications sent
 * meanwhile are lost, so callers must also poll from time to time.
 */
export class NotificationListener {
  private client: pg.Client | undefined
  private isStopped = false
  private since: number | undefined

  constructor(
    private readonly config: Config,
    private readonly handlers: NotificationHandlers,
    private readonly log: Logger,
  ) {}

  /** Resolves when it listens, or when the first try has failed. */
  async start(): Promise<void> {
    const { Client, ...options } = connectionOptions(this.config, { isDirect: true })
    const client = new Client(options)
    client.on('notification', ({ channel, payload }) => this.handlers[channel]?.(payload ?? ''))
    client.on('error', (error) => this.onLost(client, error))
    client.on('end', () => this.onLost(client, new Error('the connection ended')))
    this.client = client
    try {
      if (!(await hasDirectSessions(this.config))) {
        this.log.info(
          'no notifications through a pooler in transaction mode without DATABASE_DIRECT_URL: polling instead',
        )
        this.client = undefined
        return
      }
      await client.connect()
      for (const channel of Object.keys(this.handlers)) await client.query(`LISTEN ${channel}`)
      const { rows } = await client.query<{ now: number }>(`SELECT ${epochMs('clock_timestamp()')} AS now`)
      if (this.client === client) this.since = rows[0]?.now
    } catch (error) {
      this.onLost(client, error)
    }
  }

  /** Nothing has been missed since then, in milliseconds since the epoch by the database's clock; else undefined. */
  get listeningSince(): number | undefined {
    return this.since
  }

  /** Resolves when all notifications that the database has sent so far have been handled, or if there is no connection. */
  async catchUp(): Promise<void> {
    // Notifications arrive before the response of this query on the same connection. `onLost` handles a broken one.
    await this.client?.query('SELECT').catch(() => undefined)
  }

  async stop(): Promise<void> {
    this.isStopped = true
    await this.client?.end()
  }

  private onLost(client: pg.Client, error: unknown): void {
    if (this.isStopped || this.client !== client) return
    this.client = undefined
    this.since = undefined
    this.log.warn({ err: error }, 'database notifications lost; reconnecting')
    client.removeAllListeners()
    // The connection is gone; ending what is left of it must not raise again.
    client.on('error', () => undefined)
    client.end().catch(() => undefined)
    setTimeout(() => void (this.isStopped || this.start()), reconnectMs)
  }
}
