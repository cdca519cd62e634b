import { CONFIG, type Config, type QueueName } from '#libs/platform'
import { Inject, Injectable } from '@nestjs/common'
import type { Job, Worker } from 'bullmq'
import { createConsumerClass } from './consumer.js'
import { DeliveredJobs } from './delivered-jobs.js'

/** Makes consumers while the process runs, each with a connection of its own. */
@Injectable()
export class ConsumerFactory {
  constructor(
    private readonly delivered: DeliveredJobs,
    @Inject(CONFIG) private readonly config: Config,
  ) {}

  /** Returns a consumer that takes no jobs yet. */
  create(queue: QueueName): Worker {
    const ConfiguredConsumer = createConsumerClass(this.config)
    const run = (job: Job) => this.delivered.outcomeOf(job)
    return new ConfiguredConsumer(queue, run)
  }
}
