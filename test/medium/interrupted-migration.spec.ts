import { createDataSource, runMigrations } from '#libs/database'
import pg from 'pg'
import { afterAll, beforeEach, describe, expect, it } from 'vitest'
import { query, queryNumber } from '../support/query.js'
import { createTestDatabase, type TestDatabase } from '../support/test-database.js'
import { waitFor } from '../support/wait-for.js'

const migration = 'IndexesOfLists1764000010000'

interface Index {
  readonly name: string
  readonly oid: number
  readonly valid: boolean
}

describe('E6: the migration that makes indexes while the service runs', () => {
  const databases: TestDatabase[] = []
  let database: TestDatabase
  /** The migration and those after it: each run of the test begins before them. */
  let undone: readonly string[]
  beforeEach(async () => {
    database = await createTestDatabase()
    databases.push(database)
    const applied = await query<{ name: string }>(database.url, 'SELECT name FROM migrations ORDER BY id')
    const all = applied.map(({ name }) => name)
    undone = all.slice(all.indexOf(migration))
    for (const _ of undone) await database.dataSource.undoLastMigration()
  })
  afterAll(() => Promise.all(databases.map((each) => each.drop())))

  const indexes = () =>
    query<Index>(
      database.url,
      `SELECT relname AS name, oid::int AS oid, indisvalid AS valid FROM pg_index JOIN pg_class ON oid = indexrelid
       WHERE relnamespace = 'public'::regnamespace ORDER BY relname`,
    )
  const names = async (isValid: boolean) =>
    (await indexes()).filter(({ valid }) => valid === isValid).map(({ name }) => name)
  const isApplied = () =>
    queryNumber(database.url, 'SELECT count(*)::int AS number FROM migrations WHERE name = $1', [migration])

  const migrate = async () => {
    const source = createDataSource(database.config)
    await source.initialize()
    const run = async () => {
      try {
        return await runMigrations(source)
      } finally {
        if (source.isInitialized) await source.destroy()
      }
    }
    return { done: run() }
  }
  /** A transaction that has written to a table: an index on it cannot be finished before it ends. */
  const holdBack = async (table: string) => {
    const client = new pg.Client({ connectionString: database.url })
    await client.connect()
    await client.query(`BEGIN; LOCK TABLE ${table} IN ROW EXCLUSIVE MODE`)
    return () => client.end()
  }
  const untilWaiting = (name: string) =>
    waitFor(async () => (await names(false)).includes(name), { what: `the unfinished index ${name}` })

  it('that was cut off is started again: what is finished stays, what is not is made anew', async () => {
    const release = await holdBack('batches')
    const { done } = await migrate()
    const failure = done.catch((error: unknown) => error)
    await untilWaiting('batches_user')
    await query(
      database.url,
      `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
       WHERE datname = current_database() AND query LIKE 'CREATE INDEX CONCURRENTLY%'`,
    )
    expect(await failure).toBeInstanceOf(Error)
    await release()
    expect(await names(false)).toEqual(['batches_user'])
    expect(await isApplied()).toBe(0)
    const before = new Map((await indexes()).map(({ name, oid }) => [name, oid]))

    expect(await (await migrate()).done).toEqual(undone)
    const after = new Map((await indexes()).map(({ name, oid }) => [name, oid]))
    expect(await names(false)).toEqual([])
    expect([after.get('tasks_ended'), after.has('webhook_deliveries_state')]).toEqual([before.get('tasks_ended'), true])
    expect(after.get('batches_user')).not.toBe(before.get('batches_user'))
    expect(await isApplied()).toBe(1)
    expect(await (await migrate()).done).toEqual([])
  })

  it('whose process was killed, so that its server still works on an index, may be started again at once', async () => {
    const release = await holdBack('batches')
    // As the server of a killed process: nobody waits for it, and the lock of migrations is gone with the other connection.
    const orphan = new pg.Client({ connectionString: database.url })
    await orphan.connect()
    const orphaned = orphan.query('CREATE INDEX CONCURRENTLY batches_user ON batches (user_id, id)')
    await untilWaiting('batches_user')
    const { done } = await migrate()
    await waitFor(
      async () =>
        (await queryNumber(
          database.url,
          `SELECT count(*)::int AS number FROM pg_stat_activity WHERE datname = current_database()
             AND query LIKE 'SELECT pid FROM pg_stat_progress_create_index%' AND state = 'idle'`,
        )) > 0,
      { what: 'the second run to wait for it' },
    )
    await release()
    expect(await done).toEqual(undone)
    await orphaned
    await orphan.end()
    expect(await names(false)).toEqual([])
    expect(await isApplied()).toBe(1)
  })
})
