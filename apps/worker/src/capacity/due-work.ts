import { QueueRepository } from '#libs/database'
import type { QueueName } from '#libs/platform'
import { Injectable } from '@nestjs/common'
import { Consumers } from '../processors/consumers.js'
import { WorkerLimits } from './worker-limits.js'

/** The work that this worker could take. */
@Injectable()
export class DueWork {
  constructor(
    private readonly queues: QueueRepository,
    private readonly consumers: Consumers,
    private readonly limits: WorkerLimits,
  ) {}

  /** Counts the tasks that have waited for so many seconds, by queue; those under a rate limit are meant to wait. */
  count(waitingSeconds: number): Promise<ReadonlyMap<QueueName, number>> {
    return this.queues.countDue(this.consumers.queues, this.limits.rates.names, waitingSeconds)
  }
}
