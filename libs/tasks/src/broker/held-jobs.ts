import type { EnqueueableTask } from '#libs/database'
import type { Queue } from 'bullmq'
import { jobIdOf, jobPayload } from './jobs.js'

/** Jobs that are read at one time, and at most: the search for lost jobs need not read further. */
const listedAtOnce = 500
const listedAtMost = 50_000

/** Awaits a response of the broker, in bounded time. */
type InTime = <Result>(call: Promise<Result>) => Promise<Result>

/** What a queue of the broker holds, read once and as far as it is needed. A job whose content is lost is not held. */
export class HeldJobs {
  /** The job in a worker's hands by the ids of what it carries. */
  private active: ReadonlyMap<string, string> | undefined
  private waiting: ReadonlyMap<string, string> | undefined

  constructor(
    private readonly queue: Queue,
    private readonly inTime: InTime,
  ) {}

  /**
   * Those of the tasks that no worker will get: none has their job in hand, and no job that waits carries them. Delayed
   * jobs do not count, so the tasks are to be due.
   */
  async findLost(tasks: readonly EnqueueableTask[]): Promise<readonly EnqueueableTask[]> {
    const active = (this.active ??= await this.list('active'))
    const dead = await this.removeDead(new Set(tasks.flatMap((task) => active.get(jobIdOf(task)) ?? [])))
    const missing = tasks.filter((task) => {
      const job = active.get(jobIdOf(task))
      return job === undefined || dead.has(job)
    })
    if (missing.length === 0) return missing
    const waiting = (this.waiting ??= new Map([...(await this.list('waiting')), ...(await this.list('prioritized'))]))
    return missing.filter((task) => !waiting.has(jobIdOf(task)))
  }

  /** Removes those of some active jobs whose worker is gone: the job of a live one is locked, and stays. */
  private async removeDead(jobs: ReadonlySet<string>): Promise<ReadonlySet<string>> {
    const removals = [...jobs].map(async (id) => ({ id, isRemoved: (await this.queue.remove(id)) !== 0 }))
    const outcomes = await this.inTime(Promise.all(removals))
    return new Set(outcomes.filter(({ isRemoved }) => isRemoved).map(({ id }) => id))
  }

  private async list(state: 'active' | 'waiting' | 'prioritized'): Promise<ReadonlyMap<string, string>> {
    const held = new Map<string, string>()
    for (let start = 0; start < listedAtMost; start += listedAtOnce) {
      const jobs = await this.inTime(this.queue.getJobs([state], start, start + listedAtOnce - 1, true))
      for (const { id, data } of jobs) {
        const content = jobPayload.safeParse(data)
        if (id === undefined || !content.success) continue
        const { task_ids: taskIds, attempt } = content.data
        for (const taskId of taskIds) held.set(jobIdOf({ taskId, attempt }), id)
      }
      if (jobs.length === 0) break
    }
    return held
  }
}
