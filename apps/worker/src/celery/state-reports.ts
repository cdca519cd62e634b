import { builtinError, CeleryEvents, CeleryResults, exceptionRepr, readRequest, storedException } from '#libs/celery'
import { CeleryCallRepository, type AttemptEnd, type ClaimedTask } from '#libs/database'
import { LOGGER, type Logger } from '#libs/platform'
import { Inject, Injectable } from '@nestjs/common'
import { Attempts } from '../execution/attempts.js'
import { WORKER_NAME } from '../control/worker-name.js'
import { TakenCalls } from './taken-calls.js'

/** A task that ends sooner is not reported as started, in milliseconds: nobody could see it. */
const startedMs = 10

/** Reports the states of calls that are not their last: STARTED and RETRY. A report that is lost is not repeated. */
@Injectable()
export class StateReports {
  private readonly running = new Map<string, ClaimedTask>()
  private readonly due = new Set<string>()
  private timer: NodeJS.Timeout | undefined

  constructor(
    private readonly attempts: Attempts,
    private readonly calls: CeleryCallRepository,
    private readonly taken: TakenCalls,
    private readonly results: CeleryResults,
    private readonly events: CeleryEvents,
    @Inject(WORKER_NAME) private readonly worker: string,
    @Inject(LOGGER) private readonly log: Logger,
  ) {}

  start(): void {
    this.attempts.observe({
      started: (tasks) => this.started(tasks),
      ended: (tasks) => tasks.forEach(({ id }) => this.running.delete(id)),
      retrying: (task, end) => void this.retrying(task, end),
    })
  }

  private started(tasks: readonly ClaimedTask[]): void {
    for (const task of tasks) {
      const call = this.taken.find(task.id)
      if (call && this.events.sendsTasks) this.events.task(call.request.id, { type: 'task-started' })
      this.running.set(task.id, task)
      this.due.add(task.id)
    }
    this.timer ??= setTimeout(() => void this.reportStarted(), startedMs)
  }

  private async reportStarted(): Promise<void> {
    this.timer = undefined
    const ids = [...this.due].filter((id) => this.running.has(id))
    this.due.clear()
    try {
      const { own, others } = await this.requestsOf(ids)
      for (const { id } of others) this.events.task(id, { type: 'task-started' })
      for (const request of [...own, ...others]) {
        await this.results.storeState(request, 'STARTED', { pid: process.pid, hostname: this.worker })
      }
    } catch (error) {
      this.log.debug({ err: error }, 'start of Celery calls not reported')
    }
  }

  private async retrying({ id }: ClaimedTask, { errorMessage }: AttemptEnd): Promise<void> {
    try {
      const exception = builtinError('RuntimeError', errorMessage ?? 'It failed and is tried again.')
      const { own, others } = await this.requestsOf([id])
      for (const request of [...own, ...others]) {
        await this.results.storeState(request, 'RETRY', storedException(exception))
        this.events.task(request.id, { type: 'task-retried', exception: exceptionRepr(exception) })
      }
    } catch (error) {
      this.log.debug({ err: error }, 'retry of a Celery call not reported')
    }
  }

  /** Those of the tasks that Celery callers have called: what this gateway took, and what others did. */
  private async requestsOf(taskIds: readonly string[]) {
    const own = taskIds.flatMap((id) => this.taken.find(id)?.request ?? [])
    const unknown = taskIds.filter((id) => !this.taken.find(id))
    const read = unknown.length === 0 ? undefined : await this.calls.readRequests(unknown)
    return { own, others: [...(read?.values() ?? [])].map(readRequest) }
  }
}
