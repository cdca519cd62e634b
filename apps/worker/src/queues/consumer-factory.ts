import { CONFIG, type Config, type QueueName } from '#libs/platform'
import { brokerOptions } from '#libs/tasks'
import { Inject, Injectable } from '@nestjs/common'
import type { Worker } from 'bullmq'
import { TaskRunner } from '../runtime/task-runner.js'
import { Consumers, jobsAtOnce } from './consumers.js'
import { PacedWorker } from './paced-worker.js'
import { consumerOptions } from './queue-processor.js'

/** Makes consumers while the process runs, each with a connection of its own. */
@Injectable()
export class ConsumerFactory {
  constructor(
    private readonly consumers: Consumers,
    private readonly runner: TaskRunner,
    @Inject(CONFIG) private readonly config: Config,
  ) {}

  /** A consumer for as many compute children as there are now. It does not take jobs yet. */
  create(queue: QueueName): Worker {
    return new PacedWorker(queue, (job) => this.consumers.process(queue, job), {
      ...brokerOptions(this.config, 'consumer'),
      ...consumerOptions(queue, this.config),
      concurrency: jobsAtOnce(queue, this.runner.concurrency),
    })
  }
}
