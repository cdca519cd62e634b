import type { EnqueueableTask } from '#libs/database'
import { LOGGER, type Logger } from '#libs/platform'
import { Submissions } from '#libs/tasks'
import { Inject, Injectable } from '@nestjs/common'
import { TaskRunner } from '../execution/task-runner.js'
import { Consumers } from '../processors/consumers.js'

/**
 * Starts tasks of calls in the worker that took them: it took no more than it can run, and the way through the broker
 * would cost three round trips. What cannot start here at once goes to the broker, and what a dead worker leaves is found
 * by the reconciler, as after a loss of the broker.
 */
@Injectable()
export class DirectStarts {
  private readonly running = new Set<Promise<void>>()

  constructor(
    private readonly runner: TaskRunner,
    private readonly submissions: Submissions,
    private readonly consumers: Consumers,
    @Inject(LOGGER) private readonly log: Logger,
  ) {}

  start(task: EnqueueableTask): void {
    if (task.delayMs > 0 || !this.consumers.queues.includes(task.queue)) {
      this.submissions.enqueue([task])
      return
    }
    const run = this.run(task).finally(() => this.running.delete(run))
    this.running.add(run)
  }

  /** Resolves when nothing runs that was started here. */
  async untilIdle(): Promise<void> {
    await Promise.all(this.running)
  }

  private async run(task: EnqueueableTask): Promise<void> {
    const { taskId, attempt, name, queue } = task
    try {
      const outcome = await this.runner.process(queue, { name, data: { task_ids: [taskId], attempt } })
      // Its queue is paused, or it has ended.
      if (outcome === 'skipped') this.submissions.enqueue([task])
    } catch (error) {
      this.log.warn({ err: error, task: taskId }, 'task of a Celery call not run to its end; it is found by its lease')
    }
  }
}
