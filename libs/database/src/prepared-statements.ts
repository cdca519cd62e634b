import { CONFIG, type Config } from '#libs/platform'
import { Inject, Injectable, type OnApplicationShutdown } from '@nestjs/common'
import pg from 'pg'
import { guardedConnections } from './connection-guard.js'
import { plannerOptions, poolSizes } from './data-source.js'

/** A statement is planned once for each connection, so connections are kept longer than a pause between two requests. */
const idleMs = 600_000

/**
 * A plan stays until its tables are analyzed, and before that an empty table may grow a thousandfold: rows are found by
 * key, whatever statistics say. `id = ANY (ARRAY(...))` in a statement leaves the planner no other way; a join alone
 * would. Through an index rows are met, and locked, in the order of their ids, whichever side a join begins with; a bitmap
 * has them in the order of the table, and two statements could wait for each other.
 */
const byKeyOptions = `${plannerOptions} -c plan_cache_mode=force_generic_plan -c enable_seqscan=off -c enable_bitmapscan=off`

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

  constructor(@Inject(CONFIG) config: Config) {
    this.pool = new pg.Pool({
      ...guardedConnections(config),
      connectionString: config.database.url,
      max: poolSizes(config).prepared,
      idleTimeoutMillis: idleMs,
      options: byKeyOptions,
    })
    // The pool has let go of the connection, as it does after an error of a statement; the next one tells if there is no
    // other.
    this.pool.on('error', () => undefined)
  }

  /** The rows of a statement. @throws pg's error, with an SQLSTATE `code` where the server refused it. */
  async query<Row extends object>(text: string, values: unknown[] = []): Promise<Row[]> {
    const name = this.names.get(text) ?? `statement_${this.names.size}`
    this.names.set(text, name)
    const { rows } = await this.pool.query<Row>({ name, text, values })
    return rows
  }

  async onApplicationShutdown(): Promise<void> {
    await this.pool.end()
  }
}
