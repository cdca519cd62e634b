import { CONFIG, type Config, type QueueName } from '#libs/platform'
import { Inject, Injectable } from '@nestjs/common'
import type { Job, Worker } from 'bullmq'
import { TaskRunner } from '../execution/task-runner.js'
import { createConsumerClass, jobsAtOnce } from './consumer.js'
import { DeliveredJobs } from './delivered-jobs.js'

/** Makes consumers while the process runs, each with a connection of its own. */
@Injectable()
export class ConsumerFactory {
  constructor(
    private readonly delivered: DeliveredJobs,
    private readonly runner: TaskRunner,
    @Inject(CONFIG) private readonly config: Config,
  ) {}

  /** Returns a consumer for the current number of compute children. It takes no jobs yet. */
  create(queue: QueueName): Worker {
    const ConfiguredConsumer = createConsumerClass(this.config)
    const run = (job: Job) => this.delivered.outcomeOf(job)
    const consumer = new ConfiguredConsumer(queue, run)
    consumer.concurrency = jobsAtOnce(queue, this.runner.concurrency)
    return consumer
  }
}
