import { isDatabaseUnavailable, TaskRepository, type AttemptEnd, type ClaimedTask, type TaskJob } from '#libs/database'
import {
  CONFIG,
  LOGGER,
  MemoryGuardError,
  MicroBatcher,
  type Config,
  type Logger,
  type QueueName,
  type Settled,
} from '#libs/platform'
import { Dispatcher, jobPayload, queueSettings } from '#libs/tasks'
import { Inject, Injectable } from '@nestjs/common'
import { WorkerMetrics } from '../health/worker-metrics.js'
import { HandlerRegistry } from './handler-registry.js'
import { LeaseKeeper } from './lease-keeper.js'
import { RetryPolicy } from './retry-policy.js'
import type { TaskHandler } from './task-handler.js'
import { WORKER_NAME } from './worker-name.js'

/** Wait before a statement is tried again while the database is down, in milliseconds. */
const databaseRetryMs = 500
/** How long after the hard limit the runner waits for a child's own report of it, in milliseconds. */
const hardLimitGraceMs = 500

/** The part of a BullMQ job that the runner reads. */
export interface QueuedJob {
  readonly name: string
  readonly data: unknown
}

/** What became of a job: `skipped` means that its task was not waiting for this attempt. */
export type JobOutcome = 'done' | 'skipped'

/**
 * Turns jobs into stored outcomes: claim, compute, store, each once for a whole batch. Written once for all queues;
 * a handler only computes. A job is finished in the broker when its outcome stands in the database.
 */
@Injectable()
export class TaskRunner {
  private readonly batchers = new Map<string, MicroBatcher<TaskJob, JobOutcome>>()
  private readonly retryPolicy: RetryPolicy
  /** One for each group under way. */
  private readonly running = new Set<AbortController>()
  private isReleasing = false

  constructor(
    private readonly tasks: TaskRepository,
    private readonly dispatcher: Dispatcher,
    private readonly handlers: HandlerRegistry,
    private readonly leases: LeaseKeeper,
    private readonly metrics: WorkerMetrics,
    @Inject(WORKER_NAME) private readonly worker: string,
    @Inject(CONFIG) private readonly config: Config,
    @Inject(LOGGER) private readonly log: Logger,
  ) {
    this.retryPolicy = new RetryPolicy(config.task)
  }

  async process(queue: QueueName, job: QueuedJob): Promise<JobOutcome> {
    const payload = jobPayload.parse(job.data)
    return this.batcherOf(queue, job.name).add({ taskId: payload.task_id, attempt: payload.attempt })
  }

  /** Hands back what still runs: it is queued again without using a retry. */
  releaseAll(): void {
    this.isReleasing = true
    for (const controller of this.running) controller.abort(releasedError())
  }

  private batcherOf(queue: QueueName, name: string): MicroBatcher<TaskJob, JobOutcome> {
    const key = `${queue} ${name}`
    const existing = this.batchers.get(key)
    if (existing) return existing
    const { batchSize, batchWaitMs, extraBatches } = queueSettings[queue]
    const batcher = new MicroBatcher<TaskJob, JobOutcome>({
      maxSize: batchSize,
      maxInFlight: this.config.worker.concurrency + extraBatches,
      maxWaitMs: batchWaitMs,
      flush: (jobs) => this.runBatch(name, jobs),
    })
    this.batchers.set(key, batcher)
    return batcher
  }

  private async runBatch(name: string, jobs: readonly TaskJob[]): Promise<readonly Settled<JobOutcome>[]> {
    // What waits here has not started; the reconciler finds it for another worker.
    if (this.isReleasing) return jobs.map(() => ({ value: 'skipped' }))
    const claimed = await this.whileDatabaseIsDown(() =>
      this.tasks.claim(jobs, this.worker, this.config.task.lockSeconds),
    )
    this.leases.hold(claimed)
    try {
      const handler = this.handlers.find(name)
      await Promise.all(isolate(claimed).map((group) => this.runGroup(handler, group)))
    } finally {
      this.leases.letGo(claimed)
    }
    const started = new Set(claimed.map(({ id }) => id))
    return jobs.map(({ taskId }) => ({ value: started.has(taskId) ? 'done' : 'skipped' }))
  }

  private async runGroup(handler: TaskHandler | undefined, group: readonly ClaimedTask[]): Promise<void> {
    const startedAt = performance.now()
    const outcomes = await this.compute(handler, group)
    const answers: { task: ClaimedTask; answer: unknown }[] = []
    const ends: AttemptEnd[] = []
    group.forEach((task, index) => {
      const outcome = outcomes[index] ?? { error: new Error('The handler answered fewer outcomes than it was given') }
      if ('value' in outcome) answers.push({ task, answer: outcome.value })
      else ends.push(this.endOf(task, outcome.error))
    })
    await Promise.all([
      handler && answers.length > 0 && this.whileDatabaseIsDown(() => handler.store(answers)),
      ends.length > 0 && this.settle(group, ends),
    ])
    const seconds = (performance.now() - startedAt) / 1000
    this.metrics.observeGroup(group, answers.length, ends, seconds)
  }

  private async compute(
    handler: TaskHandler | undefined,
    group: readonly ClaimedTask[],
  ): Promise<readonly Settled<unknown>[]> {
    if (!handler) {
      const error = new MemoryGuardError('TASK_UNKNOWN', 'No handler of this worker knows the task.')
      return group.map(() => ({ error }))
    }
    if (this.isReleasing) return group.map(() => ({ error: releasedError() }))
    const { timeLimitSeconds, softTimeLimitSeconds } = this.config.task
    const hardLimitMs = shortest(group.map(({ limits }) => limits?.time_limit_seconds ?? timeLimitSeconds))
    const softLimitMs = shortest(group.map(({ limits }) => limits?.soft_time_limit_seconds ?? softTimeLimitSeconds))
    const controller = new AbortController()
    this.running.add(controller)
    const { promise: givenUp, reject: giveUp } = deferred<never>()
    const timers = [
      setTimeout(() => controller.abort(limitError('TASK_SOFT_TIME_LIMIT', 'soft', softLimitMs)), softLimitMs),
      // A child is killed at its limit and says so itself; this ends the wait for work that is not in a child.
      setTimeout(() => giveUp(limitError('TASK_HARD_TIME_LIMIT', 'hard', hardLimitMs)), hardLimitMs + hardLimitGraceMs),
    ]
    controller.signal.addEventListener('abort', () => {
      if (isRelease(controller.signal.reason)) giveUp(controller.signal.reason)
    })
    try {
      const outcomes = await Promise.race([handler.compute(group, { signal: controller.signal, hardLimitMs }), givenUp])
      return controller.signal.aborted ? group.map(() => ({ error: controller.signal.reason })) : outcomes
    } catch (error) {
      return group.map(() => ({ error }))
    } finally {
      timers.forEach(clearTimeout)
      this.running.delete(controller)
    }
  }

  private endOf(task: ClaimedTask, error: unknown): AttemptEnd {
    const end = this.retryPolicy.endOf(task, error)
    const level = end.outcome === 'released' ? 'info' : 'warn'
    this.log[level](
      { task: task.id, name: task.name, attempt: task.attempt, outcome: end.outcome, code: end.errorCode, err: error },
      'an attempt ended without a result',
    )
    return end
  }

  /** Stores ends and dispatches what is to run again. */
  private async settle(group: readonly ClaimedTask[], ends: readonly AttemptEnd[]): Promise<void> {
    const stored = await this.whileDatabaseIsDown(() => this.tasks.settle(ends))
    for (const end of ends) {
      const task = group.find(({ id }) => id === end.id)
      if (!task || !stored.has(end.id) || (end.state !== 'queued' && end.state !== 'retrying')) continue
      void this.dispatcher.dispatch({
        taskId: task.id,
        attempt: task.attempt + 1,
        name: task.name,
        queue: task.queue,
        priority: task.priority,
        delayMs: end.availableAt ? Math.max(0, end.availableAt.getTime() - Date.now()) : 0,
      })
    }
  }

  /** A result in hand outlives an outage of the database. */
  private async whileDatabaseIsDown<Answer>(statement: () => Promise<Answer>): Promise<Answer> {
    for (;;) {
      try {
        return await statement()
      } catch (error) {
        if (!isDatabaseUnavailable(error) || this.isReleasing) throw error
        this.log.warn({ err: error }, 'the database does not answer; trying again')
        await new Promise((resolve) => setTimeout(resolve, databaseRetryMs))
      }
    }
  }
}

/** A task under which a process has died runs alone, so that it cannot take its neighbours with it again. */
const isolate = (claimed: readonly ClaimedTask[]): readonly (readonly ClaimedTask[])[] => {
  const innocent = claimed.filter(({ crashes }) => crashes === 0)
  const suspects = claimed.filter(({ crashes }) => crashes > 0).map((task) => [task])
  return innocent.length > 0 ? [innocent, ...suspects] : suspects
}

const shortest = (seconds: readonly number[]): number => Math.min(...seconds) * 1000

const limitError = (
  code: 'TASK_SOFT_TIME_LIMIT' | 'TASK_HARD_TIME_LIMIT',
  word: string,
  ms: number,
): MemoryGuardError => new MemoryGuardError(code, `It ran longer than its ${word} limit of ${ms / 1000} s.`)

const releasedError = (): MemoryGuardError =>
  new MemoryGuardError('TASK_RELEASED', 'The worker stopped and handed it back.')

const isRelease = (reason: unknown): boolean => reason instanceof MemoryGuardError && reason.code === 'TASK_RELEASED'

const deferred = <Value>() => {
  let reject: (error: unknown) => void = () => undefined
  const promise = new Promise<Value>((_, fail) => {
    reject = fail
  })
  // A rejection after the race has been decided is no one's concern.
  promise.catch(() => undefined)
  return { promise, reject }
}
