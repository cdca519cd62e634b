import type { Config, QueueName } from '#libs/platform'
import { brokerOptions, queueSettings } from '#libs/tasks'
import { Worker, type Job, type Processor, type WorkerOptions } from 'bullmq'

/** Pauses after one failure and after many in a row, in milliseconds. */
const firstPauseMs = 100
const longestPauseMs = 2_000
/** Pause before a lost connection is used again, in milliseconds. */
const retryMs = 1_000

/**
 * Returns the options of a queue's consumer, without its connection. The consumer takes no job before its `run` is called;
 * `JobsInHand` decides how many at once.
 */
const consumerOptions = (queue: QueueName, { task }: Config) => {
  const lockDuration = task.lockSeconds * 1000
  return {
    autorun: false,
    lockDuration,
    stalledInterval: lockDuration,
    maxStalledCount: queueSettings[queue].maxStalledCount,
    runRetryDelay: retryMs,
    // The start has checked it.
    skipVersionCheck: true,
    // The database keeps the history; a finished job would only take memory.
    removeOnComplete: { count: 0 },
    removeOnFail: { count: 0 },
  } satisfies Partial<WorkerOptions>
}

/**
 * BullMQ's worker, which pauses after each failure to get a job. BullMQ itself asks again at once when the broker
 * responds with an error (missing tables, a full server, a replica), so that an outage costs a whole CPU, and, where the
 * error needs no round trip, starves timers, probes and signals.
 */
class Consumer extends Worker {
  private failures = 0

  constructor(name: string, processor: Processor, options: WorkerOptions) {
    super(name, processor, options)
    // Node throws an error that has no listener. Until this consumer runs, the producer's connections report the same.
    this.on('error', () => undefined)
  }

  protected override async moveToActive(token: string, name?: string): Promise<Job> {
    try {
      const job = await super.moveToActive(token, name)
      this.failures = 0
      return job
    } catch (error) {
      if (!this.closing) await this.delay()
      throw error
    }
  }

  /** Without a time, longer after each failure in a row. */
  override delay(milliseconds?: number, abortController?: Parameters<Worker['delay']>[1]): Promise<void> {
    const pauseMs = milliseconds ?? Math.min(firstPauseMs * 2 ** this.failures++, longestPauseMs)
    return super.delay(pauseMs, abortController)
  }
}

/**
 * The class of the consumers of one configuration. Nest makes one for each `@Processor` at the start; `ConsumerFactory`
 * makes further ones. Both get the same options here, because a decorator's options are fixed before the configuration
 * is read.
 */
export const createConsumerClass = (config: Config) =>
  class ConfiguredConsumer extends Consumer {
    constructor(queue: QueueName, processor: Processor) {
      super(queue, processor, { ...brokerOptions(config, 'consumer', queue), ...consumerOptions(queue, config) })
    }
  }
