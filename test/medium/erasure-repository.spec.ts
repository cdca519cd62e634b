import {
  BatchRepository,
  ErasureRepository,
  type AuditEntry,
  ExplanationRepository,
  ForecastRepository,
  PredictionRepository,
  TaskCallRepository,
  TaskRepository,
} from '#libs/database'
import pg from 'pg'
import { v7 as uuidv7 } from 'uuid'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { newPrediction } from '../support/new-prediction.js'
import { query, queryNumber } from '../support/query.js'
import { createTestDatabase, type TestDatabase } from '../support/test-database.js'
import { waitFor } from '../support/wait-for.js'

let database: TestDatabase
let erasures: ErasureRepository
let tasks: TaskRepository
let predictions: PredictionRepository
let lastPerson = 100

beforeAll(async () => {
  database = await createTestDatabase()
  const { dataSource, prepared } = database
  erasures = new ErasureRepository(dataSource)
  tasks = new TaskRepository(dataSource, prepared)
  predictions = new PredictionRepository(dataSource, prepared, tasks)
})
afterAll(() => database.drop())

const entryOf = (erased: object): AuditEntry => ({
  apiKeyId: null,
  action: 'user.erase',
  target: 'person-of-the-test',
  details: { erased },
  requestId: null,
})
const newPerson = () => (lastPerson += 1)
const submit = async (userId: number, more: object = {}) => {
  const [made] = await predictions.submit([newPrediction({ userId, ...more })])
  if (!made) throw new Error('nothing was submitted')
  return made
}
const claim = (taskId: string, attempt = 1) => tasks.claim([{ taskId, attempt }], 'worker@test', 15)
const count = (table: string, where: string, ...parameters: readonly unknown[]) =>
  queryNumber(database.url, `SELECT count(*)::int AS number FROM ${table} WHERE ${where}`, parameters)

/** Erases a person while others hold locks by the given statements, which are committed when it waits for them. */
const eraseDuring = async (userId: number, statements: readonly (readonly [string, ...unknown[]])[]) => {
  const other = new pg.Client({ connectionString: database.url })
  await other.connect()
  try {
    await other.query('BEGIN')
    for (const [sql, ...parameters] of statements) await other.query(sql, parameters)
    const erasing = erasures.erase(userId, entryOf)
    await waitFor(() => count('pg_stat_activity', `wait_event_type = 'Lock' AND datname = current_database()`), {
      what: 'the erasure to wait',
    })
    await other.query('COMMIT')
    return await erasing
  } finally {
    await other.end()
  }
}

describe('an erasure', () => {
  it('knows every table that names a person: one that is added here must be erased by `ErasureRepository`', async () => {
    const tables = await query<{ name: string }>(
      database.url,
      `SELECT table_name || '.' || column_name AS name FROM information_schema.columns
       WHERE table_schema = 'public' AND column_name LIKE '%user%' ORDER BY 1`,
    )
    expect(tables.map(({ name }) => name)).toEqual([
      'api_keys.user_id',
      'batch_chunks.user_ids',
      'batches.user_id',
      'forecasts.user_id',
      'health_metrics.user_id',
      'predictions.user_id',
      'schedules.user_id',
      'sessions.user_id',
      'tasks.user_id',
    ])
  })

  it('takes what a worker stores at the same moment', async () => {
    const person = newPerson()
    const forecasts = new ForecastRepository(database.dataSource, tasks)
    const { taskId } = await forecasts.request({
      taskId: uuidv7(),
      userId: person,
      horizonsMonths: [6],
    })
    await claim(taskId)
    const { counts } = await eraseDuring(person, [
      [`UPDATE tasks SET state = 'succeeded', finished_at = now() WHERE id = $1`, taskId],
      [`INSERT INTO task_attempts (task_id, attempt, outcome) VALUES ($1, 1, 'succeeded')`, taskId],
      [
        `INSERT INTO forecasts (task_id, user_id, attempt, model, metric, reference_at, history, points, rate_per_year,
           basis, warnings) VALUES ($1, $2, 1, 'm@1', 'mmse_score', now(), '[]', '[]', 0, 'history', '[]')`,
        taskId,
        person,
      ],
    ])
    expect(counts).toMatchObject({ tasks: 1, task_attempts: 1, forecasts: 1 })
    expect(await count('forecasts', 'user_id = $1', person)).toBe(0)
    expect(await count('task_attempts', 'task_id = $1', taskId)).toBe(0)
  })

  it('A7: is recorded by the transaction that proves it complete, and is not complete without', async () => {
    const person = newPerson()
    await submit(person)
    const entries = () => count('audit_log', `action = 'user.erase'`)
    const before = await entries()
    const { counts } = await erasures.erase(person, entryOf)
    expect(counts).toMatchObject({ predictions: 1, tasks: 1 })
    const [entry] = await query<{ details: unknown }>(
      database.url,
      `SELECT details FROM audit_log WHERE action = 'user.erase' ORDER BY id DESC LIMIT 1`,
    )
    expect(entry?.details).toEqual({ erased: counts })
    expect(await entries()).toBe(before + 1)
    await submit(person)
    await query(database.url, `ALTER TABLE audit_log ADD CONSTRAINT refused CHECK (action <> 'user.erase') NOT VALID`)
    await expect(erasures.erase(person, entryOf)).rejects.toThrow('refused')
    await query(database.url, `ALTER TABLE audit_log DROP CONSTRAINT refused`)
    expect(await entries()).toBe(before + 1)
    expect((await erasures.erase(person, entryOf)).counts.predictions).toBe(0)
    expect(await entries()).toBe(before + 2)
  })

  it('takes what is asked about a prediction at the same moment, and lets nothing be asked after it', async () => {
    const person = newPerson()
    const { id } = await submit(person)
    const asked = uuidv7()
    await eraseDuring(person, [
      ['SELECT id FROM predictions WHERE id = $1 FOR KEY SHARE', id],
      [`INSERT INTO explanations (prediction_id, output_name, task_id) VALUES ($1, 'impairment', $2)`, id, asked],
      [
        `INSERT INTO tasks (id, name, queue, state, args, user_id, prediction_id)
         VALUES ($1, 'ml.generate_explanation', 'explanations', 'queued', '{}', $2, $3)`,
        asked,
        person,
        id,
      ],
    ])
    expect(await count('tasks', 'user_id = $1', person)).toBe(0)
    expect(await count('explanations', 'prediction_id = $1', id)).toBe(0)

    const explanations = new ExplanationRepository(database.dataSource, tasks)
    const request = { taskId: uuidv7(), predictionId: id, userId: person, outputName: 'impairment' }
    expect(await explanations.request(request)).toBeNull()
    const calls = new TaskCallRepository(database.dataSource)
    const again = {
      taskId: uuidv7(),
      name: 'ml.process_prediction',
      queue: 'predictions',
      args: {},
      userId: person,
      predictionId: id,
      priority: 0,
    } as const
    expect(await calls.create([again])).toMatchObject([{ error: { code: 'RESOURCE_GONE' } }])
    expect(await count('tasks', 'user_id = $1', person)).toBe(0)
  })

  it('takes what is asked, after its first pass, about a prediction that was stored meanwhile', async () => {
    const person = newPerson()
    const other = new pg.Client({ connectionString: database.url })
    await other.connect()
    const [taskId, laterId] = [uuidv7(), uuidv7()]
    const { dataSource } = database
    const ask = dataSource.query.bind(dataSource)
    const passes = vi.spyOn(dataSource, 'query').mockImplementation(async (sql, parameters) => {
      const rows: unknown = await ask(sql, parameters)
      if (sql.includes('clock_timestamp()')) {
        await other.query('COMMIT')
        await insertTask(other, laterId)
      }
      return rows
    })
    const insertTask = (client: pg.Client, id: string) =>
      client.query(
        `INSERT INTO tasks (id, name, queue, state, args, user_id, prediction_id)
         VALUES ($1, 'ml.process_prediction', 'predictions', 'queued', '{}', $2, 999)`,
        [id, person],
      )
    try {
      await other.query('BEGIN')
      await insertTask(other, taskId)
      await other.query(
        `INSERT INTO predictions (id, task_id, user_id, model, health_metrics, warnings)
         VALUES (999, $1, $2, 'impairment-screen@1', '{}', '[]')`,
        [taskId, person],
      )
      await erasures.erase(person, entryOf)
    } finally {
      passes.mockRestore()
      await other.end()
    }
    expect(await count('predictions', 'user_id = $1', person)).toBe(0)
    expect(await count('tasks', 'user_id = $1', person)).toBe(0)
  })

  it('lets no failed task be done again that it takes', async () => {
    const person = newPerson()
    const { taskId } = await submit(person)
    await claim(taskId)
    await tasks.settle([{ id: taskId, attempt: 1, state: 'failed', outcome: 'failed', errorCode: 'TASK_FAILED' }])
    const calls = new TaskCallRepository(database.dataSource)
    const other = new pg.Client({ connectionString: database.url })
    await other.connect()
    try {
      await other.query('BEGIN')
      await other.query('DELETE FROM tasks WHERE id = $1', [taskId])
      const replaying = calls.replay(new Map([[taskId, uuidv7()]]))
      await waitFor(() => count('pg_stat_activity', `wait_event_type = 'Lock' AND datname = current_database()`), {
        what: 'the replay to wait',
      })
      await other.query('COMMIT')
      expect(await replaying).toEqual([])
    } finally {
      await other.end()
    }
  })

  it('ends the attempt of a chunk that runs, so that its results never go to the wrong people', async () => {
    const [person, neighbour, last] = [newPerson(), newPerson(), newPerson()]
    const batches = new BatchRepository(database.dataSource, tasks)
    const [batchId, taskId] = [uuidv7(), uuidv7()]
    await batches.begin(batchId, 'impairment-screen@1', null)
    await batches.addChunk(batchId, {
      chunk: 0,
      taskId,
      userIds: [person, neighbour, last],
      lines: [2, 3, 4],
      metrics: [{ mmse_score: 1 }, { mmse_score: 2 }, { mmse_score: 3 }],
      warnings: { 1: ['of the neighbour'] },
      errors: [{ line: 5, user_id: person, code: 'REQUEST_INVALID', message: 'refused' }],
    })
    await batches.accept({ taskId: batchId, userId: null })
    await claim(taskId)
    await batches.startChunk(batchId, 0)
    const { counts, restarted } = await erasures.erase(person, entryOf)
    expect(counts).toMatchObject({ tasks: 0, batch_rows: 2 })
    expect(restarted).toMatchObject([{ taskId, attempt: 2, queue: 'batch' }])
    const resultsOf = (attempt: number, scores: readonly number[]) => ({
      taskId,
      attempt,
      batchId,
      chunk: 0,
      scores,
      categories: scores.map(() => 'low'),
      outputs: scores.map(() => ({})),
      failures: {},
    })
    expect(await batches.storeChunks([resultsOf(1, [0.1, 0.2, 0.3])])).toEqual(new Set())
    await claim(taskId, 2)
    const started = await batches.startChunk(batchId, 0)
    expect(started?.input.people).toEqual([{ mmse_score: 2 }, { mmse_score: 3 }])
    expect(await batches.storeChunks([resultsOf(2, [0.2, 0.3])])).toEqual(new Set([taskId]))
    await batches.closeFinished([batchId])
    expect(await batches.find(batchId)).toMatchObject({ state: 'succeeded', total: 2, succeeded: 2, failed: 0 })
    const rows = await query<{ user_id: string; batch_line: number; risk_score: number; warnings: unknown }>(
      database.url,
      'SELECT user_id, batch_line, risk_score, warnings FROM predictions WHERE batch_id = $1 ORDER BY id',
      [batchId],
    )
    expect(rows).toEqual([
      { user_id: String(neighbour), batch_line: 3, risk_score: 0.2, warnings: ['of the neighbour'] },
      { user_id: String(last), batch_line: 4, risk_score: 0.3, warnings: [] },
    ])
  })

  it('of a batch that is still being received takes the rows that have come', async () => {
    const [person, neighbour] = [newPerson(), newPerson()]
    const batches = new BatchRepository(database.dataSource, tasks)
    const batchId = uuidv7()
    const add = (chunk: number) =>
      batches.addChunk(batchId, {
        chunk,
        taskId: uuidv7(),
        userIds: [person, neighbour],
        lines: [chunk * 2 + 1, chunk * 2 + 2],
        metrics: [{ mmse_score: 1 }, { mmse_score: 2 }],
        warnings: {},
        errors: [],
      })
    await batches.begin(batchId, 'impairment-screen@1', null)
    await add(0)
    expect((await erasures.erase(person, entryOf)).counts.batch_rows).toBe(1)
    // What comes now is about a new person.
    await add(1)
    expect((await batches.accept({ taskId: batchId, userId: null })).tasks).toHaveLength(2)
    expect(await batches.find(batchId)).toMatchObject({ total: 3 })
  })
})
