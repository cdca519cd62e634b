import type { QueueName } from '#libs/platform'
import { jobPayload, queueSettings } from '#libs/tasks'

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

  /** Takes as many jobs at once as so many compute children need. */
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
    const { batchSize, jobsPerBatch, extraBatches } = queueSettings[this.queue]
    const batches = this.children + extraBatches
    const most = jobsPerBatch * batches
    this.consumer.concurrency = this.tasks >= batchSize * batches ? Math.min(this.jobs, most) : most
  }
}
