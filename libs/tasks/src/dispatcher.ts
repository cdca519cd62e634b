import type { DispatchableTask } from '#libs/database'
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
export class Dispatcher {
  private readonly batcher: MicroBatcher<DispatchableTask, undefined>

  constructor(
    private readonly broker: Broker,
    @Inject(LOGGER) private readonly log: Logger,
  ) {
    this.batcher = new MicroBatcher({
      maxSize: maxBatch,
      maxInFlight: 2,
      maxWaitMs: 2,
      flush: async (tasks) => {
        await this.broker.addTogether(tasks)
        return tasks.map(() => ({ value: undefined }))
      },
    })
  }

  /** Resolves when the task has been handed over or given up to the reconciler. */
  async dispatch(task: DispatchableTask): Promise<void> {
    if (this.batcher.size >= maxWaiting) return
    try {
      await this.batcher.add(task)
    } catch (error) {
      this.log.debug({ err: error, task: task.taskId }, 'task not enqueued; the reconciler will do it')
    }
  }
}
