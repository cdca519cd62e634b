import { BatchRepository, PredictionRepository, TaskRepository, type ClaimedTask } from '#libs/database'
import { v7 as uuidv7 } from 'uuid'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { newPrediction } from '../support/new-prediction.js'
import { query } from '../support/query.js'
import { createTestDatabase, type TestDatabase } from '../support/test-database.js'

const lease = 60
const maxCrashes = 3

describe('task repository', () => {
  let database: TestDatabase
  let tasks: TaskRepository
  let predictions: PredictionRepository

  beforeAll(async () => {
    database = await createTestDatabase({ env: { DATABASE_POOL_SIZE: '10' } })
    tasks = new TaskRepository(database.dataSource, database.prepared)
    predictions = new PredictionRepository(database.dataSource, database.prepared, tasks)
  })
  afterAll(() => database.drop())
  beforeEach(() => query(database.url, 'TRUNCATE tasks, task_attempts, predictions'))

  const submitOne = async () => {
    const prediction = newPrediction()
    await predictions.submit([prediction])
    return prediction.taskId
  }
  const claimOne = async (taskId: string, attempt: number, worker = 'w1', seconds = lease): Promise<ClaimedTask> => {
    const [claimed] = await tasks.claim([{ taskId, attempt }], worker, seconds)
    if (!claimed) throw new Error(`Attempt ${attempt} was not claimed`)
    return claimed
  }
  const riskOf = ({ id, attempt, prediction }: ClaimedTask, riskScore = 0.25) => ({
    taskId: id,
    attempt,
    predictionId: Number(prediction?.id),
    riskScore,
    riskCategory: 'low',
    level: null,
    primary: { value: riskScore },
    outputs: { impairment: { value: riskScore } },
  })
  const stateOf = async (id: string) => (await tasks.find(id))?.state
  const outcomesOf = async (id: string) => (await tasks.listAttempts(id)).map(({ outcome }) => outcome)
  const expireLease = (id: string) =>
    query(database.url, `UPDATE tasks SET lease_expires_at = now() - interval '1 second' WHERE id = $1`, [id])

  it('gives a task to one of twenty that claim it at once', async () => {
    const taskId = await submitOne()
    const claims = await Promise.all(
      Array.from({ length: 20 }, (_, index) => tasks.claim([{ taskId, attempt: 1 }], `w${index}`, lease)),
    )
    const winners = claims.flat()
    expect(winners).toHaveLength(1)
    expect(winners[0]).toMatchObject({
      id: taskId,
      attempt: 1,
      retries: 0,
      crashes: 0,
      prediction: { model: 'impairment-screen@1', healthMetrics: { mmse_score: 24 } },
    })
    expect(await tasks.find(taskId)).toMatchObject({ state: 'running', attempt: 1 })
  })

  it('shares a batch among claimers without giving any task twice', async () => {
    const batch = Array.from({ length: 40 }, () => newPrediction())
    await predictions.submit(batch)
    const jobs = batch.map(({ taskId }) => ({ taskId, attempt: 1 }))
    const claims = await Promise.all(
      Array.from({ length: 8 }, (_, index) => tasks.claim(index % 2 ? jobs : jobs.toReversed(), `w${index}`, lease)),
    )
    const claimed = claims.flat().map(({ id }) => id)
    expect(claimed).toHaveLength(40)
    expect(new Set(claimed)).toEqual(new Set(batch.map(({ taskId }) => taskId)))
  })

  it('starts no attempt that is not the next one, is not due or is past its expiry', async () => {
    const taskId = await submitOne()
    expect(await tasks.claim([{ taskId, attempt: 2 }], 'w1', lease)).toEqual([])
    await query(database.url, `UPDATE tasks SET available_at = now() + interval '1 hour'`)
    expect(await tasks.claim([{ taskId, attempt: 1 }], 'w1', lease)).toEqual([])
    await query(database.url, `UPDATE tasks SET available_at = now(), expires_at = now() - interval '1 second'`)
    expect(await tasks.claim([{ taskId, attempt: 1 }], 'w1', lease)).toEqual([])
    expect(await tasks.claim([{ taskId: uuidv7(), attempt: 1 }], 'w1', lease)).toEqual([])
    expect(await stateOf(taskId)).toBe('queued')
  })

  it('stores a result with its task, and notifies listeners', async () => {
    const taskId = await submitOne()
    const claimed = await claimOne(taskId, 1)
    expect(await predictions.storeRisks([riskOf(claimed)])).toEqual(new Set([taskId]))
    expect(await tasks.find(taskId)).toMatchObject({ state: 'succeeded', finishedAt: expect.any(Date) })
    expect(await outcomesOf(taskId)).toEqual(['succeeded'])
    expect(await tasks.listFinished([taskId, uuidv7()])).toEqual([taskId])
    const rows = await query(database.url, 'SELECT risk_score, risk_category, outputs, attempt FROM predictions')
    expect(rows).toEqual([
      { risk_score: 0.25, risk_category: 'low', outputs: { impairment: { value: 0.25 } }, attempt: 1 },
    ])
  })

  it('stores nothing of an attempt that no longer holds its task', async () => {
    const taskId = await submitOne()
    const zombie = await claimOne(taskId, 1, 'zombie')
    await expireLease(taskId)
    await tasks.takeBackExpiredLeases(maxCrashes)
    // Taken back, not yet claimed anew.
    expect(await predictions.storeRisks([riskOf(zombie, 0.9)])).toEqual(new Set())
    const holder = await claimOne(taskId, 2, 'holder')
    expect(await predictions.storeRisks([riskOf(zombie, 0.9)])).toEqual(new Set())
    const failed = { id: taskId, attempt: 1, state: 'failed', outcome: 'failed' } as const
    expect(await tasks.settle([failed])).toEqual(new Set())
    expect(await predictions.storeRisks([riskOf(holder, 0.3)])).toEqual(new Set([taskId]))
    // And nothing more once it has ended, by the holder either.
    expect(await predictions.storeRisks([riskOf(holder, 0.4)])).toEqual(new Set())
    expect(await outcomesOf(taskId)).toEqual(['lost', 'succeeded'])
    const rows = await query(database.url, 'SELECT risk_score, attempt FROM predictions')
    expect(rows).toEqual([{ risk_score: 0.3, attempt: 2 }])
  })

  it('ends many attempts in one statement, each in its own way', async () => {
    const batch = Array.from({ length: 4 }, () => newPrediction())
    await predictions.submit(batch)
    const claimed = await tasks.claim(
      batch.map(({ taskId }) => ({ taskId, attempt: 1 })),
      'w1',
      lease,
    )
    const [retried, failed, timedOut, released] = claimed.map(({ id, attempt }) => ({ id, attempt }))
    if (!retried || !failed || !timedOut || !released) throw new Error('not all were claimed')
    const stored = await tasks.settle([
      {
        ...retried,
        state: 'retrying',
        outcome: 'retried',
        countsAsRetry: true,
        retryInMs: 60_000,
        errorCode: 'TASK_FAILED',
      },
      { ...failed, state: 'failed', outcome: 'failed', errorCode: 'MODEL_INPUT_INVALID', errorMessage: 'no' },
      { ...timedOut, state: 'timed_out', outcome: 'timed_out', errorCode: 'TASK_HARD_TIME_LIMIT' },
      { ...released, state: 'queued', outcome: 'released' },
    ])
    expect(stored.size).toBe(4)
    const retry = await tasks.find(retried.id)
    expect(retry).toMatchObject({ state: 'retrying', retries: 1, finishedAt: null })
    expect(Math.abs(Number(retry?.availableAt) - Date.now() - 60_000)).toBeLessThan(5_000)
    expect(await tasks.find(failed.id)).toMatchObject({
      state: 'failed',
      errorCode: 'MODEL_INPUT_INVALID',
      finishedAt: expect.any(Date),
    })
    expect(await stateOf(timedOut.id)).toBe('timed_out')
    expect(await tasks.find(released.id)).toMatchObject({ state: 'queued', retries: 0, crashes: 0, errorCode: null })
    // A retry that is not due yet is not given out; a released task is.
    expect(await tasks.claim([{ taskId: retried.id, attempt: 2 }], 'w2', lease)).toEqual([])
    await claimOne(released.id, 2, 'w2')
  })

  it('takes back only what a silent worker held, counts it as a crash, and ends it as poison at the third', async () => {
    const taskId = await submitOne()
    const other = await submitOne()
    await claimOne(other, 1)
    for (const attempt of [1, 2, 3]) {
      await claimOne(taskId, attempt)
      await expireLease(taskId)
      const again = await tasks.takeBackExpiredLeases(maxCrashes)
      const expected = { taskId, attempt: attempt + 1, name: 'ml.process_prediction', queue: 'predictions', delayMs: 0 }
      expect(again).toMatchObject(attempt < maxCrashes ? [expected] : [])
    }
    expect(await tasks.find(taskId)).toMatchObject({
      state: 'failed',
      errorCode: 'TASK_POISON',
      crashes: 3,
      retries: 0,
    })
    expect(await outcomesOf(taskId)).toEqual(['lost', 'lost', 'lost'])
    expect(await tasks.claim([{ taskId, attempt: 4 }], 'w1', lease)).toEqual([])
    expect(await stateOf(other)).toBe('running')
  })

  it('keeps the leases of running attempts of this worker alone', async () => {
    const [mine, foreign] = [await submitOne(), await submitOne()]
    await claimOne(mine, 1, 'w1', 1)
    await claimOne(foreign, 1, 'w2', 1)
    const jobs = [mine, foreign].map((taskId) => ({ taskId, attempt: 1 }))
    await tasks.renewLeases(jobs, 'w1', 3600)
    const rows = await query<{ id: string; kept: boolean }>(
      database.url,
      `SELECT id, lease_expires_at > now() + interval '30 minutes' AS kept FROM tasks`,
    )
    expect(Object.fromEntries(rows.map(({ id, kept }) => [id, kept]))).toEqual({ [mine]: true, [foreign]: false })
  })

  it('ends a waiting task whose expiry has passed, and no other', async () => {
    const [overdue, open, running] = [await submitOne(), await submitOne(), await submitOne()]
    await claimOne(running, 1)
    await query(database.url, `UPDATE tasks SET expires_at = now() - interval '1 second' WHERE id <> $1`, [open])
    expect(await tasks.endUnwanted()).toEqual([expect.objectContaining({ id: overdue, state: 'expired' })])
    expect(await Promise.all([overdue, open, running].map(stateOf))).toEqual(['expired', 'queued', 'running'])
  })

  it('makes one task of fifty submissions with the same key', async () => {
    const idempotency = { scope: 'caller', key: 'k1', hash: 'h1' }
    const results = await Promise.all(
      Array.from({ length: 50 }, () => predictions.submit([newPrediction({ idempotency })])),
    )
    const submitted = results.flat()
    expect(submitted).toHaveLength(50)
    expect(submitted.filter(({ isNew }) => isNew)).toHaveLength(1)
    expect(new Set(submitted.map(({ id }) => id)).size).toBe(1)
    expect(new Set(submitted.map(({ taskId }) => taskId)).size).toBe(1)
    // Also within one statement, and with another body found by its hash.
    const [first, second] = await predictions.submit([
      newPrediction({ idempotency: { ...idempotency, key: 'k2' } }),
      newPrediction({ idempotency: { ...idempotency, key: 'k2', hash: 'h2' } }),
    ])
    expect([first?.isNew, second?.isNew, second?.hash]).toEqual([true, false, 'h1'])
    const rows = await query(
      database.url,
      'SELECT (SELECT count(*)::int FROM tasks) AS tasks, count(*)::int AS predictions FROM predictions',
    )
    expect(rows).toEqual([{ tasks: 2, predictions: 2 }])
  })

  it('reads by one statement what is asked for at once', async () => {
    const stored = await predictions.submit([newPrediction(), newPrediction(), newPrediction()])
    const ids = stored.map(({ id }) => id)
    let statements = 0
    const counted = new Proxy(database.prepared, {
      get: (target, name) => {
        if (name === 'query') statements += 1
        return Reflect.get(target, name)
      },
    })
    const reader = new PredictionRepository(
      database.dataSource,
      counted,
      new TaskRepository(database.dataSource, counted),
    )
    const wanted = [...ids.toReversed(), 999_999_999]
    const views = await Promise.all(wanted.map((id) => reader.find(id)))
    expect(views.map((view) => view?.id ?? null)).toEqual([...ids.toReversed(), null])
    expect(views[0]?.taskId).toBe(stored[2]?.taskId)
    expect(statements).toBe(1)
  })

  it('claims, stores and reads by key, even where the table was young when the statement was planned', async () => {
    const { taskId } = newPrediction()
    const plans: string[] = []
    const explain = new Proxy(database.prepared, {
      get: (target, name) =>
        name === 'query'
          ? async (sql: string, parameters: unknown[]) => {
              const rows = await target.query<{ 'QUERY PLAN': string }>(`EXPLAIN ${sql}`, parameters)
              plans.push(rows.map((row) => row['QUERY PLAN']).join('\n'))
              return []
            }
          : Reflect.get(target, name),
    })
    const explained = new TaskRepository(database.dataSource, explain)
    await explained.claim([{ taskId, attempt: 1 }], 'worker1', 60)
    const explainedPredictions = new PredictionRepository(database.dataSource, explain, explained)
    await explainedPredictions.storeRisks([{ taskId, attempt: 1, riskScore: 0.5, riskCategory: 'low', outputs: {} }])
    await explainedPredictions.find(1)
    const chunk = {
      taskId,
      attempt: 1,
      batchId: taskId,
      chunk: 0,
      scores: [],
      categories: [],
      outputs: [],
      failures: {},
    }
    await new BatchRepository(database.dataSource, explained).storeChunks([chunk])
    const chunks = plans.pop()
    expect(chunks?.match(/Scan using batch_chunks_pkey/g)).toHaveLength(3)
    expect(
      chunks?.match(/batch_chunks_pkey[^\n]*\n +Index Cond: \(\(batch_id = [^\n]*\) AND \(chunk = /g),
    ).toHaveLength(3)
    expect(plans).toHaveLength(3)
    const [claim, store, read] = plans
    for (const plan of [claim, store]) {
      expect(plan).toMatch(/Index Scan using tasks_pkey[^\n]*\n +Index Cond: \(id = ANY/)
      expect(plan).toMatch(/Index Scan using predictions_pkey[^\n]*\n +Index Cond: \(id = /)
    }
    expect(read).toMatch(/Index Scan using predictions_pkey[^\n]*\n +Index Cond: \(id = ANY/)
    expect(read).toMatch(/Index Scan using tasks_pkey[^\n]*\n +Index Cond: \(id = p\.task_id/)
    for (const plan of plans) {
      expect(plan).not.toMatch(/(Seq|Bitmap Heap) Scan on (tasks|predictions)/)
    }
  })
})
