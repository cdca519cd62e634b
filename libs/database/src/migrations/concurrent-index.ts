import { setTimeout as pause } from 'node:timers/promises'
import type { QueryRunner } from 'typeorm'

/** An index that is made on a table in use. */
export interface ConcurrentIndex {
  readonly name: string
  /** What follows `ON`, e.g. `tasks (user_id, id) WHERE user_id IS NOT NULL` */
  readonly on: string
}

/** Interval between two checks whether the server is still making an index on a table, in milliseconds. */
const pollMs = 200

/**
 * Makes indexes while the table is written to; a migration that calls it must set `transaction = false`. One that an
 * interrupted run has left behind unfinished is dropped and made again, and a finished one is kept, so that the migration
 * may be started again after any interruption.
 */
export const createIndexesConcurrently = async (
  runner: QueryRunner,
  indexes: readonly ConcurrentIndex[],
): Promise<void> => {
  for (const { name, on } of indexes) {
    await untilNoneIsMade(runner, on.split(' ', 1)[0] ?? '')
    const [found]: { is_valid: boolean }[] = await runner.query(
      'SELECT indisvalid AS is_valid FROM pg_index WHERE indexrelid = to_regclass($1)',
      [name],
    )
    if (found?.is_valid) continue
    if (found) await runner.query(`DROP INDEX CONCURRENTLY ${name}`)
    await runner.query(`CREATE INDEX CONCURRENTLY ${name} ON ${on}`)
  }
}

/**
 * The server continues to create an index after the process that requested it was killed. A statement that waits for the
 * index's lock would hold a snapshot, for which in turn the index waits: a deadlock.
 */
const untilNoneIsMade = async (runner: QueryRunner, table: string): Promise<void> => {
  for (;;) {
    const made: unknown[] = await runner.query(
      'SELECT pid FROM pg_stat_progress_create_index WHERE relid = to_regclass($1)',
      [table],
    )
    if (made.length === 0) return
    await pause(pollMs)
  }
}
