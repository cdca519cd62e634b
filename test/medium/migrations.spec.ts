import { connectWhenMigrated, createDataSource, ownTables, runMigrations } from '#libs/database'
import { createLogger, loadConfig } from '#libs/platform'
import { migrateBroker } from '#libs/tasks'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { ChunkTasks1764000012000 } from '../../libs/database/src/migrations/1764000012000-chunk-tasks.js'
import { query } from '../support/query.js'
import { createTestDatabase, type TestDatabase } from '../support/test-database.js'

const tableNames = (url: string) =>
  query<{ name: string }>(url, `SELECT tablename AS name FROM pg_tables WHERE schemaname = 'public' ORDER BY 1`)

describe('migrations', () => {
  let database: TestDatabase
  beforeAll(async () => {
    database = await createTestDatabase({ empty: true })
  })
  afterAll(() => database.drop())

  it('run once when four processes start at the same moment, and a process that waits for them goes on', async () => {
    const config = loadConfig({ DATABASE_URL: database.url })
    const waiter = createDataSource(config)
    const waiting = connectWhenMigrated(waiter, config, createLogger('test', 'fatal'), 20)
    const done = await Promise.all(
      Array.from({ length: 4 }, async () => {
        const source = createDataSource(config)
        await source.initialize()
        const names = await runMigrations(source)
        await source.destroy()
        return names
      }),
    )
    await waiting
    expect(waiter.isInitialized).toBe(true)
    await waiter.destroy()
    const ran = done.filter((names) => names.length > 0)
    expect(ran).toHaveLength(1)
    const recorded = await query<{ name: string }>(database.url, 'SELECT name FROM migrations')
    expect(recorded.map(({ name }) => name)).toEqual(ran[0])
  })

  it('C4: make the tables that no other program may have, and no others', async () => {
    const made = (await tableNames(database.url)).map(({ name }) => name)
    expect(made).toEqual([...ownTables, 'migrations'].sort())
  })

  it.each(['CREATE TABLE schedules (id int)', 'CREATE TABLE migrations (id int, migration text, batch int)'])(
    'C4: and a start end in a database of another program: %s',
    async (statement) => {
      const other = await createTestDatabase({ empty: true })
      await query(other.url, statement)
      const words =
        /already has tables of another program \((schedules|migrations)\): give MemoryGuard an empty database/
      const log = createLogger('test', 'fatal')
      await expect(connectWhenMigrated(other.dataSource, other.config, log)).rejects.toThrow(words)
      await expect(runMigrations(other.dataSource)).rejects.toThrow(words)
      expect(await tableNames(other.url)).toHaveLength(1)
      await other.drop()
    },
  )

  it('give the chunks of batches that earlier versions stored a name of their own, and back', async () => {
    const source = createDataSource(loadConfig({ DATABASE_URL: database.url }))
    await source.initialize()
    const runner = source.createQueryRunner()
    const [batch, chunk] = ['0197a000-0000-7000-8000-000000000001', '0197a000-0000-7000-8000-000000000002']
    await runner.query(
      `INSERT INTO tasks (id, name, queue, state, args) VALUES
         ($1, 'ml.batch_predictions', 'batch', 'queued', jsonb_build_object('batch_id', $1::uuid)),
         ($2, 'ml.batch_predictions', 'batch', 'queued', jsonb_build_object('batch_id', $1::uuid, 'chunk', 0))`,
      [batch, chunk],
    )
    const readNames = async () => {
      const rows: { name: string }[] = await runner.query('SELECT name FROM tasks ORDER BY id')
      return rows.map(({ name }) => name)
    }
    const migration = new ChunkTasks1764000012000()
    await migration.up(runner)
    expect(await readNames()).toEqual(['ml.batch_predictions', 'ml.compute_batch_chunk'])
    await migration.down(runner)
    expect(await readNames()).toEqual(['ml.batch_predictions', 'ml.batch_predictions'])
    await runner.query('TRUNCATE tasks')
    await source.destroy()
  })

  it('of the queues may run at once and again', async () => {
    const config = loadConfig({ DATABASE_URL: database.url })
    await Promise.all([migrateBroker(config), migrateBroker(config), migrateBroker(config)])
    await migrateBroker(config)
    const [row] = await query<{ tables: number }>(
      database.url,
      `SELECT count(*)::int AS tables FROM pg_tables WHERE schemaname = 'memoryguard_queue'`,
    )
    expect(row?.tables).toBeGreaterThan(0)
  })

  it('are all applied, and can be undone and applied again', async () => {
    const { dataSource } = database
    expect(await dataSource.showMigrations()).toBe(false)
    for (const _ of dataSource.migrations) await dataSource.undoLastMigration()
    expect((await tableNames(database.url)).map(({ name }) => name)).toEqual(['migrations'])
    expect(await runMigrations(dataSource)).toHaveLength(dataSource.migrations.length)
  })
})
