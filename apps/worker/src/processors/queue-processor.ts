import { WorkerHost } from '@nestjs/bullmq'
import { Injectable } from '@nestjs/common'
import type { Job } from 'bullmq'
import { DeliveredJobs } from './delivered-jobs.js'

/** What the processors of all queues have in common: `TaskRunner` runs the tasks of each job. */
@Injectable()
export abstract class QueueProcessor extends WorkerHost {
  constructor(private readonly delivered: DeliveredJobs) {
    super()
  }

  /** Resolves when the outcomes of the job's tasks are stored. */
  process(job: Job): Promise<string> {
    return this.delivered.outcomeOf(job)
  }
}
