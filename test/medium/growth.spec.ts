import {
  BatchRepository,
  AuditRepository,
  ErasureRepository,
  ListReads,
  PredictionListRepository,
  QueueRepository,
  SearchValueRepository,
  TaskFailureRepository,
  TaskListRepository,
  TaskRepository,
  WorkerRepository,
  type PredictionFilter,
  type TaskFilter,
} from '#libs/database'
import { taskStates } from '#libs/tasks/contracts'
import pg from 'pg'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { fillHistory, people } from '../support/history.js'
import { query } from '../support/query.js'
import { costsOf } from '../support/rows-read.js'
import { createTestDatabase, type TestDatabase } from '../support/test-database.js'

const size = { predictions: 60_000, tasks: 50_000 }
const limit = 50
/** Most rows that a statement of a list reads for a page of 50: the page with what belongs to each row, and unfinished tasks. */
const fewRows = 12_000
/** Most rows of a statement that reads a stretch of the history, with what belongs to each. */
const stretchRows = 45_000

describe('E6: a long history', () => {
  let database: TestDatabase
  let tasks: TaskListRepository
  let predictions: PredictionListRepository
  let reads: ListReads
  let batch = ''

  beforeAll(async () => {
    database = await createTestDatabase({ env: { DATABASE_POOL_SIZE: '10' } })
    const client = new pg.Client(database.url)
    await client.connect()
    await fillHistory(client, size, () => undefined)
    await client.end()
    reads = new ListReads(database.dataSource, database.config)
    tasks = new TaskListRepository(database.dataSource, reads)
    predictions = new PredictionListRepository(reads)
    const rows = await query<{ id: string }>(database.url, 'SELECT id FROM batches ORDER BY id OFFSET 20 LIMIT 1')
    batch = rows[0]?.id ?? ''
  }, 120_000)
  afterAll(() => database.drop())

  const expectCheap = async (what: string, call: () => Promise<unknown>, most = fewRows) => {
    for (const { sql, rows, wholeTables } of await costsOf(database.dataSource, [database.dataSource, reads], call)) {
      expect.soft(rows, `${what}: ${sql}`).toBeLessThan(most)
      const big = wholeTables.filter((table) => ['tasks', 'predictions', 'task_attempts'].includes(table))
      expect.soft(big, `${what}: ${sql}`).toEqual([])
    }
  }

  it.each(taskStates)('E6: lists of predictions that are %s read what they show', async (state) => {
    const filters: PredictionFilter[] = [
      { state },
      { state, userId: people.busy },
      { state, userId: people.quiet },
      { state, userId: people.unknown },
      { state, before: 30_000 },
    ]
    for (const filter of filters) {
      await expectCheap(JSON.stringify(filter), () => predictions.list(filter, limit))
    }
  })

  it('E6: lists of predictions of a person and of a batch read what they show', async () => {
    for (const filter of [
      {},
      { userId: people.busy },
      { userId: people.quiet },
      { batchId: batch },
      { batchId: batch, userId: people.busy },
    ]) {
      await expectCheap(JSON.stringify(filter), () => predictions.list(filter, limit))
    }
  })

  it.each(taskStates)('E6: lists of tasks that are %s read what they show', async (state) => {
    const filters: TaskFilter[] = [{}, { userId: people.busy }, { userId: people.quiet }, { userId: people.unknown }]
    for (const filter of filters) {
      await expectCheap(JSON.stringify({ ...filter, state }), () => tasks.list({ ...filter, states: [state] }, limit))
    }
  })

  it('E6: lists of tasks by name, queue, error and person read what they show', async () => {
    const filters: TaskFilter[] = [
      {},
      { name: 'ml.process_prediction' },
      { name: 'ml.health_check' },
      { name: 'nobody.knows' },
      { queue: 'batch' },
      { queue: 'predictions' },
      { errorCode: 'MODEL_INPUT_INVALID', states: ['failed', 'timed_out'] },
      { userId: people.busy },
      { userId: people.quiet },
      { userId: people.quiet, queue: 'forecasts' },
      { states: ['failed', 'timed_out'], mayReplay: true },
      { predictionId: 30_000 },
      { predictionId: 30_000, states: ['failed'] },
      { predictionId: 999_999_999 },
      { batchId: batch },
      { batchId: batch, states: ['failed'] },
      { familyOf: batch },
      { name: 'ml.*' },
      { model: 'impairment-screen' },
      { until: new Date(Date.now() - 15 * 86_400_000) },
      { errorCode: 'MODEL_INPUT_INVALID' },
      { errorCode: 'MODEL_INPUT_INVALID', userId: people.busy },
    ]
    for (const filter of filters) await expectCheap(JSON.stringify(filter), () => tasks.list(filter, limit))
  })

  it('E6: a filter that few tasks fit reads a stretch of bounded length', async () => {
    for (const filter of [
      { worker: 'rare@host' },
      { worker: 'nobody' },
      { worker: 'rare@host', name: 'ml.health_check' },
      { model: 'nobody@1' },
      { model: 'caide@1.0.0', states: ['failed'] },
      { states: ['failed'], worker: 'rare@host' },
      { name: 'ml.u*', states: ['failed'] },
    ] satisfies TaskFilter[]) {
      await expectCheap(JSON.stringify(filter), () => tasks.list(filter, limit), stretchRows)
    }
  })

  it('E6: pages, followed to the end, give every task once and no other', async () => {
    const middle = new Date(Date.now() - 15 * 86_400_000)
    const filters: { filter: TaskFilter; where: string }[] = [
      { filter: { worker: 'rare@host' }, where: `worker = 'rare@host'` },
      { filter: { states: ['failed', 'cancelled', 'queued'] }, where: `state IN ('failed', 'cancelled', 'queued')` },
      { filter: { userId: people.quiet }, where: `user_id = ${people.quiet}` },
      {
        filter: { states: ['timed_out'], userId: people.busy },
        where: `state = 'timed_out' AND user_id = ${people.busy}`,
      },
      {
        filter: { model: 'caide', name: 'ml.process_prediction', since: middle },
        where: `name = 'ml.process_prediction' AND created_at >= '${middle.toISOString()}'
          AND (SELECT model FROM predictions p WHERE p.id = prediction_id) = 'caide@1.0.0'`,
      },
      {
        filter: { userId: people.busy, errorCode: 'TASK_FAILED' },
        where: `user_id = ${people.busy} AND error_code = 'TASK_FAILED'`,
      },
      { filter: { batchId: batch }, where: `id = '${batch}' OR parent_id = '${batch}'` },
      {
        filter: { name: '*forecasts', until: middle },
        where: `name = 'ml.update_forecasts' AND created_at < '${middle.toISOString()}'`,
      },
    ]
    for (const { filter, where } of filters) {
      const expected = await query<{ id: string }>(database.url, `SELECT id FROM tasks WHERE ${where} ORDER BY id DESC`)
      const found: string[] = []
      for (let before: string | undefined, isDone = false; !isDone;) {
        const page = await tasks.list({ ...filter, before }, 100)
        found.push(...page.rows.map(({ id }) => id))
        isDone = page.next === null
        before = page.next ?? undefined
      }
      expect(found, where).toEqual(expected.map(({ id }) => id))
      expect(await tasks.count(filter, { most: size.tasks, withinMs: 60_000 })).toEqual({
        count: expected.length,
        isComplete: true,
      })
    }
  })

  it('E6: groups of failures read a bounded stretch, and each holds what a recount finds', async () => {
    const failures = new TaskFailureRepository(reads, tasks)
    const time = { since: new Date(Date.now() - 31 * 86_400_000), until: new Date(), parts: 24 }
    await expectCheap('failures', () => failures.group({}, ['failed', 'timed_out'], time), stretchRows)
    const { groups, countedFrom } = await failures.group({}, ['failed', 'timed_out'], time)
    expect(countedFrom).toBeNull()
    const expected = await query<{ error_code: string; name: string; count: number; first: Date; last: Date }>(
      database.url,
      `SELECT error_code, name, count(*)::int AS count, min(finished_at) AS first, max(finished_at) AS last FROM tasks
       WHERE state IN ('failed', 'timed_out') GROUP BY error_code, name`,
    )
    const found = groups.map(({ errorCode, name, count, firstAt, lastAt }) => [errorCode, name, count, firstAt, lastAt])
    expect(found.length).toBeGreaterThan(5)
    expect(found.toSorted()).toEqual(
      expected.map(({ error_code, name, count, first, last }) => [error_code, name, count, first, last]).toSorted(),
    )
    for (const { count, parts, sample, errorCode } of groups) {
      expect(parts).toHaveLength(24)
      expect(parts.reduce((sum, part) => sum + part, 0)).toBe(count)
      expect(sample.map(({ message }) => message)).toEqual(sample.map(() => errorCode))
      expect(sample.length).toBe(Math.min(3, count))
    }
  })

  it('E6: error codes that tasks have are found without reading the tasks', async () => {
    const values = new SearchValueRepository(reads)
    await expectCheap('error codes', () => values.listErrorCodes(), 100)
    expect(await values.listErrorCodes()).toEqual(
      (
        await query<{ code: string }>(
          database.url,
          'SELECT DISTINCT error_code AS code FROM tasks WHERE error_code IS NOT NULL ORDER BY 1',
        )
      ).map(({ code }) => code),
    )
  })

  it('E6: pages of predictions, followed to the end, give every one once', async () => {
    for (const state of taskStates) {
      const where = `p.user_id = ${people.busy} AND t.state = '${state}'`
      const expected = await query<{ id: string }>(
        database.url,
        `SELECT p.id FROM predictions p JOIN tasks t ON t.id = p.task_id WHERE ${where} ORDER BY p.id DESC`,
      )
      const found: number[] = []
      for (let before: number | undefined, isDone = false; !isDone;) {
        const page = await predictions.list({ userId: people.busy, state, before }, 500)
        found.push(...page.rows.map(({ id }) => id))
        isDone = page.next === null
        before = page.next === null ? undefined : Number(page.next)
      }
      expect(found, state).toEqual(expected.map(({ id }) => Number(id)))
    }
  })

  it('E6: a quiet queue has its rate and times beside a busy one, and under a backlog', async () => {
    const queues = new QueueRepository(database.dataSource)
    await query(
      database.url,
      `INSERT INTO tasks (id, name, queue, state, args, attempt, created_at, started_at, finished_at)
       SELECT gen_random_uuid(), 'ml.update_forecasts', 'forecasts', 'succeeded', '{}', 1, now() - interval '3 min', now() - interval '2 min', now() - interval '1 min'
       FROM generate_series(1, 30)`,
    )
    await query(
      database.url,
      `INSERT INTO tasks (id, name, queue, state, args)
       SELECT ('ffffffff-0000-7000-8000-' || lpad(n::text, 12, '0'))::uuid, 'ml.process_prediction', 'predictions', 'queued', '{}'
       FROM generate_series(1, 15000) n`,
    )
    await expectCheap('statistics', () => queues.readStatistics(), 60_000)
    const forecasts = (await queues.readStatistics()).get('forecasts')
    expect(forecasts?.ratePerSecond).toBeGreaterThan(0.09)
    expect(forecasts?.waitP95Seconds).toBeCloseTo(60, 0)
    expect(forecasts?.runP95Seconds).toBeCloseTo(60, 0)
    await query(database.url, `DELETE FROM tasks WHERE id >= 'ffffffff-0000-7000-8000-000000000000'`)
  })

  it('E6: the list of workers does not take the square of their number', async () => {
    await query(
      database.url,
      `INSERT INTO workers (id, name, hostname, pid, state, queues, pool, concurrency)
       SELECT gen_random_uuid(), 'host' || n, 'host', n, 'ready', '{predictions}', 'prefork', 4 FROM generate_series(1, 1000) n`,
    )
    const workers = new WorkerRepository(database.dataSource)
    await expectCheap('workers', () => workers.listLast())
    expect(await workers.listLast('host7')).toMatchObject([
      { worker: { name: 'host7' }, isStale: false, duplicates: 0 },
    ])
  })

  it('E6: chores and the erasure of a person read what they are about', async () => {
    const erasures = new ErasureRepository(database.dataSource)
    const audit = new AuditRepository(database.dataSource)
    const batches = new BatchRepository(database.dataSource, new TaskRepository(database.dataSource, database.prepared))
    await expectCheap('unfinished of a person', () => erasures.listUnfinished(people.quiet))
    const toEntry = () => ({ apiKeyId: null, action: 'user.erase', target: 'quiet', details: {}, requestId: null })
    await expectCheap('erasure', () => erasures.erase(people.quiet, toEntry))
    await expectCheap('audit of a person', () => audit.list(undefined, limit, { userId: people.quiet }))
    await expectCheap('audit', () => audit.removeExpired(86_400_000))
    await expectCheap('batches of a person', () => batches.list({ userId: people.quiet, limit }))
  })
})
