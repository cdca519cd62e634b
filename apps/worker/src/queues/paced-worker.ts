import { Worker, type Job, type Processor, type WorkerOptions } from 'bullmq'

/** Pauses after one failure and after many in a row, in milliseconds. */
const firstPauseMs = 100
const longestPauseMs = 2_000

/**
 * BullMQ's worker, which pauses after each failure to get a job. BullMQ itself asks again at once when the answer is an
 * error (the tables are missing, the server is full or a replica), so that an outage costs a whole CPU, and, where the
 * error needs no round trip, starves timers, probes and signals.
 */
export class PacedWorker extends Worker {
  private failures = 0

  constructor(name: string, processor: Processor, options: WorkerOptions) {
    super(name, processor, options)
    // An error that nobody listens to is printed. Until this worker is started, the producer's connections tell the same.
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
