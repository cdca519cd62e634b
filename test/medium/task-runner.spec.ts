import { setImmediate as turn } from 'node:timers/promises'
import {
  BatchRepository,
  PredictionRepository,
  ProgressRepository,
  TaskRepository,
  type ClaimedTask,
  type EnqueueableTask,
} from '#libs/database'
import { createLogger, MemoryGuardError, Tracing, type Settled } from '#libs/platform'
import { Enqueuer, FinishedLines } from '#libs/tasks'
import { catalogue } from '#libs/tasks/contracts'
import { v7 as uuidv7 } from 'uuid'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { WorkerMetrics } from '../../apps/worker/src/health/worker-metrics.js'
import { GroupReports } from '../../apps/worker/src/execution/group-reports.js'
import { HandlerRegistry } from '../../apps/worker/src/execution/handler-registry.js'
import { LeaseKeeper } from '../../apps/worker/src/execution/lease-keeper.js'
import { ProgressReports } from '../../apps/worker/src/execution/progress-reports.js'
import type { TaskContext, TaskHandler } from '../../apps/worker/src/execution/task-handler.js'
import { WorkerLimits } from '../../apps/worker/src/capacity/worker-limits.js'
import { Attempts } from '../../apps/worker/src/execution/attempts.js'
import { TaskRunner } from '../../apps/worker/src/execution/task-runner.js'
import { query } from '../support/query.js'
import { createTestDatabase, type TestDatabase } from '../support/test-database.js'
import { waitFor } from '../support/wait-for.js'

const log = createLogger('test', 'silent')

interface Call {
  readonly tasks: readonly ClaimedTask[]
  readonly context: TaskContext
  readonly finish: (outcomes: readonly Settled<unknown>[]) => void
}

describe('task runner', () => {
  let database: TestDatabase
  let tasks: TaskRepository
  const keepers: LeaseKeeper[] = []

  beforeAll(async () => {
    database = await createTestDatabase({ env: { WORKER_CONCURRENCY: '2' } })
    tasks = new TaskRepository(database.dataSource, database.prepared)
  })
  afterEach(async () => {
    await Promise.all(keepers.splice(0).map((keeper) => keeper.loop.stop()))
    await query(database.url, 'TRUNCATE tasks, task_attempts, task_progress, predictions')
  })
  afterAll(() => database.drop())

  /** A runner whose handler computes when the test says so. */
  const create = () => {
    const calls: Call[] = []
    const enqueued: EnqueueableTask[] = []
    const compute: TaskHandler = {
      contract: catalogue['ml.process_prediction'],
      compute: (group, context) => new Promise((resolve) => calls.push({ tasks: group, context, finish: resolve })),
      store: (computed) =>
        tasks.succeed(computed.map(({ task, output }) => ({ id: task.id, attempt: task.attempt, result: output }))),
    }
    const others = Object.values(catalogue)
      .filter(({ name }) => name !== compute.contract.name)
      .map((contract): TaskHandler => ({ ...compute, contract }))
    const broker = {
      addTogether: async (added: readonly EnqueueableTask[]) => {
        enqueued.push(...added)
      },
    }
    const keeper = new LeaseKeeper(tasks, 'w1', database.config, log)
    keeper.loop.start()
    keepers.push(keeper)
    const runner = new TaskRunner(
      new Attempts(
        tasks,
        // Of the broker, the enqueuer uses only this.
        new Enqueuer(broker as ConstructorParameters<typeof Enqueuer>[0], log),
        keeper,
        'w1',
        database.config,
        log,
      ),
      new HandlerRegistry([compute, ...others]),
      new WorkerLimits(database.config),
      new ProgressReports(
        new ProgressRepository(database.dataSource, new BatchRepository(database.dataSource, tasks)),
        log,
      ),
      new GroupReports(new WorkerMetrics(), new FinishedLines(log), new Tracing(database.config.tracing, log)),
    )
    const process = (taskId: string, attempt = 1) =>
      runner.process('predictions', {
        name: 'ml.process_prediction',
        data: { task_ids: [taskId], attempt },
      })
    return { runner, calls, enqueued, process, keeper }
  }
  const submit = async (count: number): Promise<string[]> => {
    const rows = Array.from({ length: count }, () => ({
      taskId: uuidv7(),
      userId: 7,
      model: 'impairment-screen@1',
      healthMetrics: { mmse_score: 24 },
      warnings: [],
    }))
    await new PredictionRepository(database.dataSource, database.prepared, tasks).submit(rows)
    return rows.map(({ taskId }) => taskId)
  }
  /** As if each had been lost with a worker once. */
  const loseOnce = (ids: readonly string[]) =>
    query(database.url, 'UPDATE tasks SET attempt = 1, crashes = 1 WHERE id = ANY($1)', [ids])
  const stateOf = async (id: string) => (await tasks.find(id))?.state

  it('claims, computes and stores what comes together in one go', async () => {
    const ids = await submit(5)
    const { calls, process, keeper } = create()
    const jobs = ids.map((id) => process(id))
    await waitFor(() => calls.length === 1, { what: 'the batch' })
    expect(calls[0]?.tasks.map(({ id }) => id).sort()).toEqual(ids.toSorted())
    expect(keeper.size).toBe(5)
    calls[0]?.finish(ids.map((_, index) => ({ value: { index } })))
    expect(await Promise.all(jobs)).toEqual(ids.map(() => 'done'))
    expect(await Promise.all(ids.map(stateOf))).toEqual(ids.map(() => 'succeeded'))
    expect(keeper.size).toBe(0)
  })

  it('ends nothing at the time limit of another task that came with it', async () => {
    const [hasty = '', patient = '', plain = ''] = await submit(3)
    await query(database.url, `UPDATE tasks SET limits = '{"time_limit_seconds": 0.001}' WHERE id = $1`, [hasty])
    await query(database.url, `UPDATE tasks SET limits = '{"time_limit_seconds": 1e7}' WHERE id = $1`, [patient])
    const { calls, process } = create()
    const jobs = [hasty, patient, plain].map((id) => process(id))
    await waitFor(() => calls.length === 3, { what: 'a group for each limit' })
    await waitFor(async () => (await stateOf(hasty)) === 'timed_out', { what: 'the limit of the hasty one' })
    for (const {
      tasks: [task],
      finish,
    } of calls)
      if (task?.id !== hasty) finish([{ value: {} }])
    await Promise.all(jobs)
    expect(await Promise.all([hasty, patient, plain].map(stateOf))).toEqual(['timed_out', 'succeeded', 'succeeded'])
  })

  it('stores how far a handler says it is, and nothing of an attempt that has ended', async () => {
    const [id = ''] = await submit(1)
    const { calls, process } = create()
    const job = process(id)
    const call = await waitFor(() => calls[0], { what: 'the start' })
    const progress = new ProgressRepository(database.dataSource, new BatchRepository(database.dataSource, tasks))
    const read = async () => {
      const task = await tasks.find(id)
      return task && progress.find(task)
    }
    for (const done of [10, 25]) call.context.progress(call.tasks, { stage: 'sampling', done, total: 100 })
    const found = await waitFor(read, { what: 'the progress' })
    expect(found).toEqual({ percent: 25, stage: 'sampling', done: 25, total: 100, etaSeconds: expect.any(Number) })
    call.finish([{ value: 1 }])
    await job
    expect(await read()).toEqual({ percent: 100, stage: 'sampling', done: 100, total: 100, etaSeconds: 0 })
    await progress.store([{ taskId: id, attempt: 1, stage: 'late', done: 30, total: 100 }])
    expect(await query(database.url, 'SELECT stage, done FROM task_progress')).toEqual([
      { stage: 'sampling', done: '25' },
    ])
  })

  it('ends a bad one alone, and has what may pass enqueued again', async () => {
    const ids = await submit(3)
    const { calls, enqueued, process } = create()
    const jobs = ids.map((id) => process(id))
    await waitFor(() => calls.length === 1, { what: 'the batch' })
    const [good, bad, passing] = (calls[0]?.tasks ?? []).map(({ id }) => id)
    calls[0]?.finish([
      { value: 1 },
      { error: new MemoryGuardError('MODEL_INPUT_INVALID', 'No.') },
      { error: new MemoryGuardError('MODEL_OUTPUT_INVALID', 'Again.', { retryable: true }) },
    ])
    await Promise.all(jobs)
    expect(await Promise.all([good, bad, passing].map((id) => stateOf(id ?? '')))).toEqual([
      'succeeded',
      'failed',
      'retrying',
    ])
    await waitFor(() => enqueued.length === 1, { what: 'the enqueue of the retry' })
    expect(enqueued[0]).toMatchObject({ taskId: passing, attempt: 2 })
    expect(enqueued[0]?.delayMs).toBeGreaterThan(50_000)
  })

  it('ends a job whose task waits for no such attempt without computing', async () => {
    const [id = ''] = await submit(1)
    const { calls, process } = create()
    expect(await process(id, 2)).toBe('skipped')
    expect(await process(uuidv7())).toBe('skipped')
    expect(calls).toEqual([])
    expect(await stateOf(id)).toBe('queued')
  })

  it('refuses a job that carries more than identifiers', async () => {
    const { runner } = create()
    const data = { task_ids: [uuidv7()], attempt: 1, health_metrics: { mmse_score: 24 } }
    await expect(runner.process('predictions', { name: 'ml.process_prediction', data })).rejects.toThrow(
      /health_metrics/,
    )
  })

  it('starts what was lost before alone, and no more of it than there are children', async () => {
    const ids = await submit(6)
    await loseOnce(ids)
    const { calls, process } = create()
    const jobs = ids.map((id) => process(id, 2))
    for (let done = 0; done < ids.length; done += 1) {
      await waitFor(() => calls.length > done, { what: `start ${done + 1}` })
      expect(calls[done]?.tasks).toHaveLength(1)
      const running = await query(database.url, `SELECT id FROM tasks WHERE state = 'running'`)
      expect(running.length).toBeLessThanOrEqual(2)
      calls[done]?.finish([{ value: done }])
    }
    await Promise.all(jobs)
    expect(await Promise.all(ids.map(stateOf))).toEqual(ids.map(() => 'succeeded'))
  })

  it('hands back what runs, and starts nothing more, once it is asked to', async () => {
    const [first = '', ...lost] = await submit(4)
    await loseOnce(lost)
    const { runner, calls, enqueued, process } = create()
    const jobs = [process(first), ...lost.map((id) => process(id, 2))]
    await waitFor(() => calls.length === 3, { what: 'the fresh one and two that were lost' })
    runner.releaseAll()
    await Promise.all(jobs)
    await turn()
    expect(calls).toHaveLength(3)
    const rows = await query(database.url, 'SELECT DISTINCT state, retries FROM tasks')
    expect(rows).toEqual([{ state: 'queued', retries: 0 }])
    await waitFor(() => enqueued.length === 3, { what: 'the enqueue of what was handed back' })
    expect((await tasks.listAttempts(first)).map(({ outcome }) => outcome)).toEqual(['released'])
  })
})
