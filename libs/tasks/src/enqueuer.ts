import type { EnqueueableTask } from '#libs/database'
import { LOGGER, MicroBatcher, type Logger } from '#libs/platform'
import { Inject, Injectable } from '@nestjs/common'
import { Broker } from './broker/broker.js'

/** Most tasks of one bulk enqueue. */
const maxBatch = 256
/** Beyond this many waiting tasks the rest is left to the reconciler, so that a broker outage costs no memory. */
const maxWaiting = 20_000

/**
 * Enqueues committed tasks, many at once. It never fails: tasks that the broker does not accept stay in the database, and
 * the reconciler enqueues them when the broker is back.
 */
@Injectable()
export class Enqueuer {
  /** Called after each bulk enqueue that the broker accepted. */
  onEnqueued: ((seconds: number) => void) | undefined
  private readonly batcher: MicroBatcher<EnqueueableTask, undefined>

  constructor(
    private readonly broker: Broker,
    @Inject(LOGGER) private readonly log: Logger,
  ) {
    this.batcher = new MicroBatcher({
      maxSize: maxBatch,
      maxInFlight: 2,
      maxWaitMs: 2,
      flush: async (tasks) => {
        const start = performance.now()
        await this.broker.addTogether(tasks)
        this.onEnqueued?.((performance.now() - start) / 1000)
        return tasks.map(() => ({ value: undefined }))
      },
    })
  }

  /** Resolves when the task has been handed over or given up to the reconciler. */
  async enqueue(task: EnqueueableTask): Promise<void> {
    if (this.batcher.size >= maxWaiting) return
    try {
      await this.batcher.add(task)
    } catch (error) {
      this.log.debug({ err: error, task: task.taskId }, 'task not enqueued; the reconciler will do it')
    }
  }
}
