import { setTimeout as pause } from 'node:timers/promises'
import {
  isDatabaseUnavailable,
  TaskRepository,
  type AttemptEnd,
  type ClaimedTask,
  type RevokeRequest,
  type TaskJob,
} from '#libs/database'
import { CONFIG, LOGGER, type Config, type Logger } from '#libs/platform'
import { Enqueuer } from '#libs/tasks'
import { shownName } from '#libs/tasks/contracts'
import { Inject, Injectable } from '@nestjs/common'
import { WORKER_NAME } from '../control/worker-name.js'
import { LeaseKeeper } from './lease-keeper.js'
import { RetryPolicy } from './retry-policy.js'

/** Wait before a statement is tried again while the database is down, in milliseconds. */
const databaseRetryMs = 500

/** Is notified of what becomes of this worker's attempts. */
export interface AttemptObserver {
  started(tasks: readonly ClaimedTask[]): void
  /** They no longer run here, however they ended. */
  ended(tasks: readonly ClaimedTask[]): void
  /** An attempt failed, and its task is to be tried again. */
  retrying(task: ClaimedTask, end: AttemptEnd): void
}

/** The attempts of this worker in the database: claimed, kept alive, ended. A result in hand outlives an outage. */
@Injectable()
export class Attempts {
  private readonly retryPolicy: RetryPolicy
  private isReleasing = false
  private observer: AttemptObserver | undefined

  constructor(
    private readonly tasks: TaskRepository,
    private readonly enqueuer: Enqueuer,
    private readonly leases: LeaseKeeper,
    @Inject(WORKER_NAME) private readonly worker: string,
    @Inject(CONFIG) private readonly config: Config,
    @Inject(LOGGER) private readonly log: Logger,
  ) {
    this.retryPolicy = new RetryPolicy(config.task)
  }

  /** Claims what may start, and keeps it alive until `letGo`. */
  async claim(jobs: readonly TaskJob[]): Promise<readonly ClaimedTask[]> {
    const claimed = await this.whileDatabaseIsDown(() =>
      this.tasks.claim(jobs, this.worker, this.config.task.lockSeconds),
    )
    this.leases.hold(claimed)
    if (claimed.length > 0) this.observer?.started(claimed)
    return claimed
  }

  observe(observer: AttemptObserver): void {
    this.observer = observer
  }

  /** Calls back with each request to revoke a task of this worker, again at each renewal of its lease. */
  whenRevoked(revoke: (request: RevokeRequest) => void): void {
    this.leases.whenRevoked(revoke)
  }

  letGo(tasks: readonly ClaimedTask[]): void {
    this.leases.letGo(tasks)
    this.observer?.ended(tasks)
  }

  /** From now on an outage of the database is not waited for: what is not stored is found by its lease. */
  release(): void {
    this.isReleasing = true
  }

  /** Decides how an attempt ends that has no result, and logs it. */
  endOf(task: ClaimedTask, error: unknown): AttemptEnd {
    const end = this.retryPolicy.endOf(task, error)
    const level = end.outcome === 'released' ? 'info' : 'warn'
    this.log[level](
      {
        task: task.id,
        name: shownName(task.name),
        attempt: task.attempt,
        outcome: end.outcome,
        code: end.errorCode,
        err: error,
      },
      'attempt ended without a result',
    )
    return end
  }

  /** Stores ends, and enqueues what is to run again. */
  async settle(group: readonly ClaimedTask[], ends: readonly AttemptEnd[]): Promise<void> {
    const stored = await this.whileDatabaseIsDown(() => this.tasks.settle(ends))
    for (const end of ends) {
      const task = group.find(({ id }) => id === end.id)
      if (!task || !stored.has(end.id) || (end.state !== 'queued' && end.state !== 'retrying')) continue
      if (end.state === 'retrying') this.observer?.retrying(task, end)
      void this.enqueuer.enqueue({
        taskId: task.id,
        attempt: task.attempt + 1,
        name: task.name,
        queue: task.queue,
        priority: task.priority,
        delayMs: end.retryInMs ?? 0,
      })
    }
  }

  /** Stores the end of one attempt that is revoked; if that fails, it is stored when its lease has expired. */
  revoke(task: ClaimedTask, error: unknown): void {
    this.settle([task], [this.endOf(task, error)]).catch((cause: unknown) => {
      this.log.warn({ task: task.id, err: cause }, 'revoke not stored; it is stored when the lease expires')
    })
  }

  /** Repeats a statement while the database is down. @throws what else it throws. */
  async whileDatabaseIsDown<Outcome>(statement: () => Promise<Outcome>): Promise<Outcome> {
    for (;;) {
      try {
        return await statement()
      } catch (error) {
        if (!isDatabaseUnavailable(error) || this.isReleasing) throw error
        this.log.warn({ err: error }, 'database unavailable; trying again')
        await pause(databaseRetryMs)
      }
    }
  }
}
