import type { QueueName } from '#libs/platform'
import { jobPayload, queueSettings } from '#libs/tasks'

/** The number of jobs of a queue that are in progress at once. */
export const jobsAtOnce = (queue: QueueName, children: number): number => {
  const { jobsPerBatch, extraBatches } = queueSettings[queue]
  return jobsPerBatch * (children + extraBatches)
}

/**
 * The jobs that a consumer holds. It takes no further one while these carry enough tasks for all batches that may be under
 * way: else a worker with a slow model would hold hundreds of tasks while another has none.
 */
export class JobsInHand {
  private jobs = 0
  private tasks = 0

  constructor(
    private readonly queue: QueueName,
    private readonly consumer: { concurrency: number },
    private children: number,
  ) {
    this.limit()
  }

  setChildren(children: number): void {
    this.children = children
    this.limit()
  }

  /** Counts a job until `end` has settled. */
  add({ data }: { readonly data: unknown }, end: Promise<unknown>): void {
    // One that holds something else fails, and is no work.
    const tasks = jobPayload.safeParse(data).data?.task_ids.length ?? 0
    this.count(1, tasks)
    const remove = () => this.count(-1, -tasks)
    end.then(remove, remove)
  }

  private count(jobs: number, tasks: number): void {
    this.jobs += jobs
    this.tasks += tasks
    this.limit()
  }

  private limit(): void {
    const { batchSize, extraBatches } = queueSettings[this.queue]
    const isEnough = this.tasks >= batchSize * (this.children + extraBatches)
    const most = jobsAtOnce(this.queue, this.children)
    this.consumer.concurrency = isEnough ? Math.min(this.jobs, most) : most
  }
}
