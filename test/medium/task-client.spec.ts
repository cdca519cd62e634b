import { NestFactory } from '@nestjs/core'
import { afterAll, beforeAll, expect, it } from 'vitest'
import {
  createDataSource,
  DatabaseModule,
  PredictionRepository,
  runMigrations,
  TaskListRepository,
  TaskRepository,
} from '#libs/database'
import { createLogger, loadConfig, MemoryGuardError, PlatformModule } from '#libs/platform'
import { FinishedTasks, migrateBroker, ResultParts, Submissions, TaskClient, TasksModule } from '#libs/tasks'
import * as contracts from '#libs/tasks/contracts'
import { v7 as uuidv7 } from 'uuid'
import { startTemporaryPostgres } from '../support/temporary-postgres.js'

let client: TaskClient
let tasks: TaskRepository
let history: TaskListRepository
const closing: (() => Promise<unknown>)[] = []

beforeAll(async () => {
  const postgres = await startTemporaryPostgres()
  const config = loadConfig({ DATABASE_URL: postgres.url })
  const log = createLogger('test', 'fatal')
  const dataSource = createDataSource(config)
  await dataSource.initialize()
  await runMigrations(dataSource)
  await migrateBroker(config)
  const app = await NestFactory.createApplicationContext(
    {
      module: class {},
      imports: [PlatformModule.for(config, log), DatabaseModule.for(dataSource), TasksModule.for(config)],
    },
    { logger: false },
  )
  const finished = app.get(FinishedTasks)
  await finished.start()
  tasks = app.get(TaskRepository)
  history = app.get(TaskListRepository)
  client = new TaskClient({
    results: app.get(ResultParts),
    submissions: app.get(Submissions),
    predictions: app.get(PredictionRepository),
    submitBatch: () => Promise.reject(new Error('No batch is sent here')),
    readResult: async ({ result }) => result,
    checkPrediction: (metrics) => ({ model: 'any@1', healthMetrics: metrics as Record<string, number>, warnings: [] }),
  })
  closing.push(
    () => app.close(),
    () => dataSource.destroy(),
    () => postgres.stop(),
  )
})
afterAll(async () => {
  for (const close of closing) await close()
})

/** Does what a worker does with the task. */
const finish = async (id: string, end: { result?: unknown; errorCode?: string; errorMessage?: string }) => {
  const attempt = ((await tasks.find(id))?.attempt ?? 0) + 1
  await tasks.claim([{ taskId: id, attempt }], 'worker', 60)
  const state = end.errorCode ? 'failed' : 'succeeded'
  await tasks.settle([{ id, attempt, state, outcome: state, ...end }])
}

const args = { userId: 123, healthMetrics: { mmse_score: 24, age: 72 } }
const stored = { prediction_id: 1, risk_score: 0.9, risk_category: 'high', confidence_interval: null }

it('calls a task as Celery does, and gets its result', async () => {
  const processPrediction = client.of(contracts.processPrediction)
  const result = await processPrediction.delay(args)
  expect(result).toMatchObject({ state: 'queued', celeryState: 'PENDING', result: null, traceback: null })
  expect([await result.ready(), await result.successful()]).toEqual([false, false])
  const waiting = result.get({ timeoutSeconds: 10 })
  await finish(result.id, { result: stored })
  expect((await waiting).risk_score).toBe(0.9)
  expect(result).toMatchObject({ state: 'succeeded', celeryState: 'SUCCESS', result: stored })
  expect([await result.ready(), await result.successful()]).toEqual([true, true])
})

it('throws the failure by its code, with a traceback that holds code and message only', async () => {
  const result = await client.of(contracts.healthCheck).delay({})
  await finish(result.id, { errorCode: 'MODEL_NOT_READY', errorMessage: 'It is not ready.' })
  await expect(result.get()).rejects.toMatchObject({ code: 'MODEL_NOT_READY', message: 'It is not ready.' })
  expect(result.traceback).toBe('MODEL_NOT_READY: It is not ready.')
})

it('gives up waiting after the timeout', async () => {
  const result = await client.of(contracts.healthCheck).delay({})
  await expect(result.get({ timeoutSeconds: 0.05 })).rejects.toMatchObject({ code: 'TASK_NOT_FINISHED' })
})

it('revokes, and whoever waits is notified at once', async () => {
  const result = await client.of(contracts.healthCheck).applyAsync({}, { countdownSeconds: 600 })
  expect(result.state).toBe('scheduled')
  const waiting = result.get({ timeoutSeconds: 10 })
  waiting.catch(() => undefined)
  await result.revoke()
  expect(result).toMatchObject({ state: 'cancelled', celeryState: 'REVOKED' })
  await expect(waiting).rejects.toMatchObject({ code: 'TASK_REVOKED' })
})

it('forgets the result of a finished task only', async () => {
  const result = await client.of(contracts.healthCheck).delay({})
  await expect(result.forget()).rejects.toMatchObject({ code: 'TASK_STATE_CONFLICT' })
  await finish(result.id, { result: { worker: 'w', versions: {}, models: [] } })
  await result.forget()
  await expect(result.get()).rejects.toMatchObject({ code: 'RESOURCE_GONE' })
})

it('takes every option, and knows the tasks that a task has called', async () => {
  const parent = await client.of(contracts.healthCheck).delay({})
  const [taskId, eta] = [uuidv7(), new Date(Date.now() + 60_000)]
  const expires = new Date(Date.now() + 120_000)
  const limits = { max_retries: 1 }
  const child = await client
    .of(contracts.healthCheck)
    .applyAsync({}, { taskId, eta, expires, priority: 7, queue: 'batch', limits, parentId: parent.id })
  const row = await tasks.find(taskId)
  expect(row).toMatchObject({ queue: 'batch', priority: 7, state: 'scheduled', limits, availableAt: eta })
  expect(row?.expiresAt).toEqual(expires)
  expect((await parent.children()).map(({ id, state }) => [id, state])).toEqual([[child.id, 'scheduled']])
  expect(await child.children()).toEqual([])
})

it('makes one task of one idempotency key, and refuses an id that is taken', async () => {
  const { applyAsync } = client.of(contracts.processPrediction)
  const options = { idempotencyKey: 'key', idempotencyScope: 'me' }
  const results = await Promise.all(Array.from({ length: 20 }, () => applyAsync(args, options)))
  expect(new Set(results.map(({ id }) => id)).size).toBe(1)
  await expect(applyAsync({ ...args, userId: 124 }, options)).rejects.toMatchObject({ code: 'IDEMPOTENCY_KEY_REUSED' })
  const taskId = results[0]?.id
  await expect(applyAsync(args, { taskId })).rejects.toMatchObject({ code: 'TASK_STATE_CONFLICT' })
  await expect(applyAsync(args, { taskId: 'b0a5c2d8-3f1e-4c7b-9a70-000000000000' })).rejects.toMatchObject({
    code: 'REQUEST_INVALID',
    faults: [{ pointer: '/task_id' }],
  })
})

it('one bad call does not fail those that are stored along with it', async () => {
  const { applyAsync } = client.of(contracts.healthCheck)
  const taken = await applyAsync({})
  const settled = await Promise.allSettled([applyAsync({}), applyAsync({}, { taskId: taken.id }), applyAsync({})])
  expect(settled.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled'])
})

it('checks the arguments by the contract, before anything is stored', async () => {
  const { delay } = client.of(contracts.processPrediction)
  const before = await history.count({})
  const wrong = delay({ ...args, userId: -1 })
  await expect(wrong).rejects.toBeInstanceOf(MemoryGuardError)
  await expect(wrong).rejects.toMatchObject({ faults: [{ pointer: '/args/user_id' }] })
  expect(await history.count({})).toEqual(before)
})

it('a revoke that comes while the task runs is a mark, and its next start is refused', async () => {
  const result = await client.of(contracts.healthCheck).delay({})
  await tasks.claim([{ taskId: result.id, attempt: 1 }], 'worker', 60)
  await result.revoke({ terminate: true })
  expect(result.state).toBe('running')
  expect(await tasks.renewLeases([{ taskId: result.id, attempt: 1 }], 'worker', 60)).toEqual([
    { id: result.id, terminate: true },
  ])
  await tasks.settle([{ id: result.id, attempt: 1, state: 'queued', outcome: 'released' }])
  expect(await tasks.claim([{ taskId: result.id, attempt: 2 }], 'worker', 60)).toEqual([])
  expect(await tasks.endUnwanted()).toContainEqual(expect.objectContaining({ id: result.id, state: 'cancelled' }))
  expect((await result.refresh()).state).toBe('cancelled')
})
