import type { DispatchableTask, TaskJob } from '#libs/database'
import {
  CONFIG,
  LOGGER,
  MemoryGuardError,
  queueNames,
  withinTime,
  type Config,
  type Logger,
  type QueueName,
} from '#libs/platform'
import { Inject, Injectable, type OnApplicationShutdown } from '@nestjs/common'
import { Queue } from 'bullmq'
import { z } from 'zod'
import { queueSettings } from '../queue-settings.js'
import { brokerOptions } from './broker-options.js'

/** What a job carries: identifiers of tasks that may start this attempt, and nothing of the person. */
export const jobPayload = z.strictObject({ task_ids: z.array(z.uuid()).min(1), attempt: z.int().positive() })

/** Longest time that a call to the broker may take before the caller goes on without it. */
const callTimeoutMs = 5_000
/** Jobs that are taken out at one time. */
const removedAtOnce = 500

/** Jobs that a queue holds, by what they wait for. */
export interface QueueDepth {
  readonly waiting: number
  readonly active: number
  readonly delayed: number
}

const jobIdOf = (taskId: string, attempt: number): string => `task-${taskId}-${attempt}`

const toJob = ({ taskId, attempt, name, priority, delayMs }: DispatchableTask) => ({
  name,
  data: { task_ids: [taskId], attempt } satisfies z.infer<typeof jobPayload>,
  opts: {
    jobId: jobIdOf(taskId, attempt),
    ...(priority > 0 && { priority }),
    ...(delayMs > 0 && { delay: delayMs }),
  },
})

type Job = ReturnType<typeof toJob>

/** Has tasks that may start at once travel together, up to `tasksPerJob` of one name and attempt in a job. */
const toSharedJobs = (tasks: readonly DispatchableTask[], tasksPerJob: number): readonly Job[] => {
  const jobs: Job[] = []
  const latest = new Map<string, Job>()
  for (const task of tasks) {
    const kind = task.priority === 0 && task.delayMs === 0 ? `${task.name} ${task.attempt}` : undefined
    const company = kind === undefined ? undefined : latest.get(kind)
    if (company && company.data.task_ids.length < tasksPerJob) {
      company.data.task_ids.push(task.taskId)
      continue
    }
    const job = toJob(task)
    jobs.push(job)
    if (kind !== undefined) latest.set(kind, job)
  }
  for (const { data, opts } of jobs) if (data.task_ids.length > 1) opts.jobId = `${opts.jobId}-shared`
  return jobs
}

/**
 * The producer's side of the queues. A job's id is its task and attempt, so that adding it twice is harmless: the
 * second is ignored while the first exists, and finished jobs are not kept. Tasks that travel together may also be added
 * alone: whichever job comes second is skipped.
 */
@Injectable()
export class Broker implements OnApplicationShutdown {
  private queues: ReadonlyMap<QueueName, Queue>
  private said = ''

  constructor(
    @Inject(CONFIG) private readonly config: Config,
    @Inject(LOGGER) private readonly log: Logger,
  ) {
    this.queues = this.connect()
  }

  /** Goes on over new connections: calls that wait for an answer over the old ones end in their time. */
  reconnect(): void {
    const old = this.queues
    this.queues = this.connect()
    for (const queue of old.values()) {
      queue.disconnect().catch((error: unknown) => this.log.debug({ err: error }, 'an old connection did not close'))
    }
  }

  private connect(): ReadonlyMap<QueueName, Queue> {
    const options = brokerOptions(this.config, 'producer')
    return new Map(
      queueNames.map((name) => {
        const queue = new Queue(name, options)
        queue.on('error', (error) => {
          if (error.message !== this.said) this.log.warn({ err: error }, 'the broker does not answer')
          this.said = error.message
        })
        return [name, queue]
      }),
    )
  }

  private get(name: QueueName): Queue {
    const queue = this.queues.get(name)
    if (!queue) throw new Error(`There is no queue ${name}`)
    return queue
  }

  /**
   * Adds a job for each task. @throws MemoryGuardError BROKER_UNAVAILABLE; the tasks stand in the database and are
   * dispatched later.
   */
  add(tasks: readonly DispatchableTask[]): Promise<void> {
    return this.addJobs(tasks, () => 1)
  }

  /**
   * Adds tasks that have not been added before, several to a job where the queue's settings allow it.
   * @throws MemoryGuardError BROKER_UNAVAILABLE
   */
  addTogether(tasks: readonly DispatchableTask[]): Promise<void> {
    return this.addJobs(tasks, (queue) => queueSettings[queue].tasksPerJob)
  }

  private async addJobs(tasks: readonly DispatchableTask[], tasksPerJob: (queue: QueueName) => number): Promise<void> {
    const members = new Map<QueueName, DispatchableTask[]>()
    for (const task of tasks) {
      const ofQueue = members.get(task.queue)
      if (ofQueue) ofQueue.push(task)
      else members.set(task.queue, [task])
    }
    await inTime(
      Promise.all([...members].map(([queue, ofQueue]) => this.addTo(queue, toSharedJobs(ofQueue, tasksPerJob(queue))))),
    )
  }

  /** One job alone costs the broker a fraction of a list of one: a sixth on PostgreSQL. */
  private addTo(name: QueueName, jobs: readonly Job[]): Promise<unknown> {
    const queue = this.get(name)
    const [job] = jobs
    return job && jobs.length === 1 ? queue.add(job.name, job.data, job.opts) : queue.addBulk([...jobs])
  }

  /** Takes jobs out that need not wait any longer, as far as the broker answers: they would be skipped all the same. */
  async removeIfThere(tasks: readonly (TaskJob & { readonly queue: QueueName })[]): Promise<void> {
    try {
      for (let start = 0; start < tasks.length; start += removedAtOnce) {
        const page = tasks.slice(start, start + removedAtOnce)
        await inTime(
          Promise.all(page.map(({ queue, taskId, attempt }) => this.get(queue).remove(jobIdOf(taskId, attempt)))),
        )
      }
    } catch (error) {
      this.log.debug({ err: error }, 'jobs of ended tasks were not taken out; they will be skipped')
    }
  }

  /** Has the broker deliver nothing of a queue, or deliver again. @throws MemoryGuardError BROKER_UNAVAILABLE */
  async setPaused(name: QueueName, isPaused: boolean): Promise<void> {
    const queue = this.get(name)
    if ((await inTime(queue.isPaused())) !== isPaused) await inTime(isPaused ? queue.pause() : queue.resume())
  }

  /** Removes every job that is not being worked on. @throws MemoryGuardError BROKER_UNAVAILABLE */
  async drain(queue: QueueName): Promise<void> {
    await inTime(this.get(queue).drain(true))
  }

  /** @throws MemoryGuardError BROKER_UNAVAILABLE */
  async depth(queue: QueueName): Promise<QueueDepth> {
    const counts = await inTime(this.get(queue).getJobCounts('waiting', 'prioritized', 'active', 'delayed'))
    return {
      waiting: (counts['waiting'] ?? 0) + (counts['prioritized'] ?? 0),
      active: counts['active'] ?? 0,
      delayed: counts['delayed'] ?? 0,
    }
  }

  /**
   * When the job was added that has waited longest, in milliseconds since 1970, urgent and delayed ones apart; undefined
   * if none waits. Jobs leave in the order in which they came, so whatever was added before it has been delivered.
   * @throws MemoryGuardError BROKER_UNAVAILABLE
   */
  async oldestWaitingAt(name: QueueName): Promise<number | undefined> {
    const [oldest] = await inTime(this.get(name).getJobs(['waiting'], 0, 0, true))
    return oldest?.timestamp
  }

  /** Jobs that wait by priority, and those being worked on. @throws MemoryGuardError BROKER_UNAVAILABLE */
  async countUrgent(name: QueueName): Promise<number> {
    const counts = await inTime(this.get(name).getJobCounts('prioritized', 'active'))
    return (counts['prioritized'] ?? 0) + (counts['active'] ?? 0)
  }

  async onApplicationShutdown(): Promise<void> {
    await Promise.all([...this.queues.values()].map((queue) => queue.close()))
  }
}

/** BullMQ waits without end for a connection that was never there; a caller of ours does not. */
const inTime = async <Answer>(call: Promise<Answer>): Promise<Answer> => {
  try {
    const outcome = await withinTime(
      call.then((answer) => ({ answer })),
      callTimeoutMs,
      undefined,
    )
    if (outcome) return outcome.answer
    throw new Error(`no answer within ${callTimeoutMs} ms`)
  } catch (cause) {
    throw new MemoryGuardError('BROKER_UNAVAILABLE', 'The broker does not answer.', { cause, retryable: true })
  }
}
