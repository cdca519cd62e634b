import { TaskEventRepository } from '#libs/database'
import pg from 'pg'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { query } from '../support/query.js'
import { createTestDatabase, type TestDatabase } from '../support/test-database.js'
import { waitFor } from '../support/wait-for.js'

const insert = (count: number, finished: boolean) =>
  `INSERT INTO tasks (id, name, queue, state, args, finished_at)
   SELECT gen_random_uuid(), 'ml.health_check', 'predictions', '${finished ? 'succeeded' : 'queued'}', '{}',
     ${finished ? 'now()' : 'NULL'} FROM generate_series(1, ${count}) RETURNING id`

describe('reading the changes of tasks', () => {
  let database: TestDatabase
  let events: TaskEventRepository
  beforeAll(async () => {
    database = await createTestDatabase()
    events = new TaskEventRepository(database.dataSource)
  })
  afterAll(() => database.drop())

  it('stops short of a change whose transaction has not ended', async () => {
    const writer = new pg.Client({ connectionString: database.url })
    await writer.connect()
    await writer.query('BEGIN')
    const { rows } = await writer.query<{ id: string; now: number }>(
      `WITH t AS (${insert(1, true)}) SELECT id, floor(extract(epoch FROM now()) * 1000)::float8 AS now FROM t`,
    )
    const { id, now } = rows[0] ?? { id: '', now: NaN }
    await waitFor(async () => (await events.readClock()).now > now + 1_000, { what: 'a second' })
    expect((await events.readClock()).settled).toBeLessThanOrEqual(now)
    await writer.query('COMMIT')
    await writer.end()
    await waitFor(async () => (await events.readClock()).settled > now, { what: 'the change to be settled' })
    const { tasks } = await events.listChanged(now, [id], 10)
    expect(tasks.map((task) => task.id)).toEqual([id])
  })

  it('is not held up by one who only reads', async () => {
    const reader = new pg.Client({ connectionString: database.url })
    await reader.connect()
    await reader.query('BEGIN ISOLATION LEVEL REPEATABLE READ')
    await reader.query('SELECT count(*) FROM tasks')
    const { now } = await events.readClock()
    await waitFor(async () => (await events.readClock()).settled > now, { what: 'the clock to pass the reader' })
    await reader.query('COMMIT')
    await reader.end()
  })

  it('says how far a page is complete', async () => {
    const { now } = await events.readClock()
    for (let index = 0; index < 3; index += 1) await query(database.url, insert(2, true))
    const all = await events.listChanged(now, null, 10)
    expect([all.tasks.length, all.completeUntil]).toEqual([6, null])
    const part = await events.listChanged(now, null, 2)
    const third = all.tasks[2]?.timeline[0]?.at ?? ''
    expect([part.tasks.length, part.completeUntil]).toEqual([2, Date.parse(third)])
  })

  it('reads no table from end to end while it is notified of what has finished', async () => {
    const finished = await query<{ id: string }>(database.url, insert(20_000, true))
    await query(database.url, insert(50, false))
    await query(database.url, 'ANALYZE tasks')
    const ids = finished.slice(0, 100).map(({ id }) => id)
    const { now } = await events.readClock()
    const asked = vi.spyOn(database.dataSource, 'query')
    await events.listChanged(now, ids, 100)
    await events.read(ids)
    const statements = asked.mock.calls.map(([sql, parameters]) => ({ sql, parameters: parameters as unknown[] }))
    asked.mockRestore()
    expect(statements).toHaveLength(2)
    for (const { sql, parameters } of statements) {
      const plan = await query<{ 'QUERY PLAN': string }>(database.url, `EXPLAIN ${sql}`, parameters)
      const text = plan.map((line) => line['QUERY PLAN']).join('\n')
      expect(text).toContain('tasks_pkey')
      expect(text).not.toMatch(/Seq Scan on tasks/)
    }
  })
})
