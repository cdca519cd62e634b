import type { Config, QueueName } from '#libs/platform'
import { queueSettings } from '#libs/tasks'
import { Processor, WorkerHost } from '@nestjs/bullmq'
import type { Type } from '@nestjs/common'
import type { Job, WorkerOptions } from 'bullmq'
import { Consumers, jobsAtOnce } from './consumers.js'

/** Pause before a lost connection is used again, in milliseconds. */
const retryMs = 1_000

/** How a queue is consumed; the connection apart. */
export const consumerOptions = (queue: QueueName, { worker, task }: Config) => {
  const { maxStalledCount } = queueSettings[queue]
  const lockDuration = task.lockSeconds * 1000
  return {
    autorun: false,
    concurrency: jobsAtOnce(queue, worker.concurrency),
    lockDuration,
    stalledInterval: lockDuration,
    maxStalledCount,
    runRetryDelay: retryMs,
    // It has been checked at the start.
    skipVersionCheck: true,
    // History is the database's; a finished job would only take memory.
    removeOnComplete: { count: 0 },
    removeOnFail: { count: 0 },
  } satisfies Partial<WorkerOptions>
}

/**
 * The class that binds a queue to the runtime. It is made when the configuration is known, because the decorator's
 * options are read before the container exists.
 */
export const createQueueProcessor = (queue: QueueName, config: Config): Type<WorkerHost> => {
  @Processor(queue, consumerOptions(queue, config))
  class QueueProcessor extends WorkerHost {
    constructor(private readonly consumers: Consumers) {
      super()
      consumers.add(queue, this)
    }

    process(job: Job): Promise<string> {
      return this.consumers.process(queue, job)
    }
  }
  return QueueProcessor
}
