import type { Config, QueueName } from '#libs/platform'
import { queueSettings } from '#libs/tasks'
import { Processor, WorkerHost } from '@nestjs/bullmq'
import type { Type } from '@nestjs/common'
import type { Job } from 'bullmq'
import { TaskRunner } from '../runtime/task-runner.js'
import { Consumers } from './consumers.js'

/**
 * The class that binds a queue to the runtime. It is made when the configuration is known, because the decorator's
 * options are read before the container exists.
 */
export const createQueueProcessor = (queue: QueueName, { worker, task }: Config): Type<WorkerHost> => {
  const { batchSize, extraBatches, maxStalledCount } = queueSettings[queue]
  const lockDuration = task.lockSeconds * 1000

  @Processor(queue, {
    autorun: false,
    concurrency: batchSize * (worker.concurrency + extraBatches),
    lockDuration,
    stalledInterval: lockDuration,
    maxStalledCount,
    // History is the database's; a finished job would only take memory.
    removeOnComplete: { count: 0 },
    removeOnFail: { count: 0 },
  })
  class QueueProcessor extends WorkerHost {
    constructor(
      consumers: Consumers,
      private readonly runner: TaskRunner,
    ) {
      super()
      consumers.add(queue, this)
    }

    process(job: Job): Promise<string> {
      return this.runner.process(queue, job)
    }
  }
  return QueueProcessor
}
