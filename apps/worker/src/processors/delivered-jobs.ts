import { LOGGER, isQueueName, type Logger } from '#libs/platform'
import { Inject, Injectable } from '@nestjs/common'
import type { Job } from 'bullmq'
import { TaskRunner, type JobOutcome } from '../execution/task-runner.js'

/**
 * Starts each job when it is delivered. BullMQ first asks the broker for one more job and only then calls the processor
 * of the job that it has; on a queue with little work that question takes longer than the prediction. So the work begins
 * at BullMQ's event `active`, and the processor waits for the outcome of what has begun.
 */
@Injectable()
export class DeliveredJobs {
  private readonly outcomes = new WeakMap<Job, Promise<JobOutcome>>()

  constructor(
    @Inject(TaskRunner) private readonly runner: Pick<TaskRunner, 'process'>,
    @Inject(LOGGER) private readonly log: Logger,
  ) {}

  /** Starts a job; resolves or rejects when it has ended. Its failure is reported by `outcomeOf`, too. */
  start(job: Job): Promise<JobOutcome> {
    const outcome = this.run(job)
    outcome.catch((error: unknown) => this.log.debug({ err: error, queue: job.queueName, job: job.id }, 'job failed'))
    this.outcomes.set(job, outcome)
    return outcome
  }

  /** The outcome of a job; starts it if no event has. @throws the first error that kept a result from being stored. */
  outcomeOf(job: Job): Promise<JobOutcome> {
    return this.outcomes.get(job) ?? this.run(job)
  }

  private async run(job: Job): Promise<JobOutcome> {
    if (!isQueueName(job.queueName)) throw new Error(`There is no queue ${job.queueName}`)
    return this.runner.process(job.queueName, job)
  }
}
