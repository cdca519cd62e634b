import { createHash } from 'node:crypto'
import { CONFIG, type Config } from '#libs/platform'
import { Inject, Injectable, type OnApplicationShutdown } from '@nestjs/common'
import pg from 'pg'
import { connectionOptions, isPoolShared } from './connections.js'
import { transactionSettings } from './session-settings.js'
import { poolSizes } from './data-source.js'
import { sqlStateOf } from './database-unavailable.js'

/** A statement is planned once for each connection, so connections are kept longer than a pause between two requests. */
const idleMs = 600_000

/**
 * A plan stays until its tables are analyzed, and before that an empty table may grow a thousandfold: rows are found by
 * key, whatever statistics say. `id = ANY (ARRAY(...))` in a statement leaves the planner no other way; a join alone
 * would. Through an index rows are met, and locked, in the order of their ids, whichever side a join begins with; a bitmap
 * has them in the order of the table, and two statements could wait for each other.
 */
const byKey = { plan_cache_mode: 'force_generic_plan', enable_seqscan: 'off', enable_bitmapscan: 'off' }

/** SQLSTATE of what the server lacks: resources, and whatever its system or itself fails at. */
const lackOf = /^(53|58|XX)/
/** How long after it failed for that the service is taken for unable to store, in milliseconds. */
const faultMs = 5_000

/** The same text has the same name everywhere, so that no pooler can mix up the statements of two processes. */
const nameOf = (text: string): string => `memoryguard_${createHash('sha256').update(text).digest('hex').slice(0, 32)}`

/**
 * The few statements that every task needs, on connections of their own that plan each statement once: for a single
 * task, planning takes as long as running, and no long list of an operator is waited for. Only for statements that find
 * their rows by key.
 */
@Injectable()
export class PreparedStatements implements OnApplicationShutdown {
  private readonly pool: pg.Pool
  /** Name under which a connection remembers a statement, by its text. */
  private readonly names = new Map<string, string>()

  private fault: string | undefined
  /** In milliseconds of the process's clock. */
  private faultAt = -Infinity

  constructor(@Inject(CONFIG) private readonly config: Config) {
    this.pool = new pg.Pool({
      ...connectionOptions(config, { session: byKey }),
      max: poolSizes(config).prepared,
      idleTimeoutMillis: idleMs,
    })
    // The pool has dropped the connection, as after an error of a statement; the next statement fails if there is no other.
    this.pool.on('error', () => undefined)
  }

  /** The rows of a statement. @throws pg's error, with an SQLSTATE `code` where the server refused it. */
  async query<Row extends object>(text: string, values: unknown[] = []): Promise<Row[]> {
    const isShared = isPoolShared(this.config) ?? (await this.askWhetherShared())
    if (isShared) return this.queryShared(text, values)
    const name = this.names.get(text) ?? nameOf(text)
    this.names.set(text, name)
    try {
      const { rows } = await this.pool.query<Row>({ name, text, values })
      return rows
    } catch (error) {
      this.noteFault(error)
      throw error
    }
  }

  /** What the server lacked a moment ago, such as space on its disk, which no check from outside shows; else undefined. */
  get recentFault(): string | undefined {
    return performance.now() - this.faultAt < faultMs ? this.fault : undefined
  }

  private noteFault(error: unknown): void {
    const state = sqlStateOf(error)
    if (state === undefined || !lackOf.test(state)) return
    this.fault = `cannot store (${state})`
    this.faultAt = performance.now()
  }

  private async askWhetherShared(): Promise<boolean> {
    const client = await this.pool.connect()
    client.release()
    return isPoolShared(this.config) ?? false
  }

  /** A server lent by a pooler for a transaction keeps neither settings nor statements, so both are sent each time. */
  private async queryShared<Row extends object>(text: string, values: unknown[]): Promise<Row[]> {
    const client = await this.pool.connect()
    let failure: Error | undefined
    try {
      await client.query(`BEGIN; ${transactionSettings(byKey)}`)
      const { rows } = await client.query<Row>(text, values)
      await client.query('COMMIT')
      return rows
    } catch (error) {
      this.noteFault(error)
      failure = error instanceof Error ? error : new Error(String(error))
      throw error
    } finally {
      // With an error the connection is closed, and the transaction with it.
      client.release(failure)
    }
  }

  async onApplicationShutdown(): Promise<void> {
    await this.pool.end()
  }
}
