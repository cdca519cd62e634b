import type { DispatchableTask, TaskJob } from '#libs/database'
import { CONFIG, LOGGER, MemoryGuardError, queueNames, type Config, type Logger, type QueueName } from '#libs/platform'
import { Inject, Injectable, type OnApplicationShutdown } from '@nestjs/common'
import { Queue } from 'bullmq'
import { z } from 'zod'
import { brokerOptions } from './broker-options.js'

/** What a job carries: identifiers, and nothing of the person. */
export const jobPayload = z.strictObject({ task_id: z.uuid(), attempt: z.int().positive() })

/** Longest time that a call to the broker may take before the caller goes on without it. */
const callTimeoutMs = 5_000

/** Jobs that a queue holds, by what they wait for. */
export interface QueueDepth {
  readonly waiting: number
  readonly active: number
  readonly delayed: number
}

const jobIdOf = (taskId: string, attempt: number): string => `task-${taskId}-${attempt}`

const toJob = ({ taskId, attempt, name, priority, delayMs }: DispatchableTask) => ({
  name,
  data: { task_id: taskId, attempt } satisfies z.infer<typeof jobPayload>,
  opts: {
    jobId: jobIdOf(taskId, attempt),
    ...(priority > 0 && { priority }),
    ...(delayMs > 0 && { delay: delayMs }),
  },
})

/**
 * The producer's side of the queues. A job's id is its task and attempt, so that dispatching twice is harmless: the
 * second is ignored while the first exists, and finished jobs are not kept.
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

  /** @throws MemoryGuardError BROKER_UNAVAILABLE; the tasks stand in the database and are dispatched later. */
  async add(tasks: readonly DispatchableTask[]): Promise<void> {
    const jobs = new Map<QueueName, ReturnType<typeof toJob>[]>()
    for (const task of tasks) {
      const members = jobs.get(task.queue)
      if (members) members.push(toJob(task))
      else jobs.set(task.queue, [toJob(task)])
    }
    await inTime(Promise.all([...jobs].map(([queue, members]) => this.get(queue).addBulk(members))))
  }

  /** Takes jobs out that need not wait any longer, as far as the broker answers: they would be skipped all the same. */
  async removeIfThere(tasks: readonly (TaskJob & { readonly queue: QueueName })[]): Promise<void> {
    try {
      await inTime(
        Promise.all(tasks.map(({ queue, taskId, attempt }) => this.get(queue).remove(jobIdOf(taskId, attempt)))),
      )
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

  async onApplicationShutdown(): Promise<void> {
    await Promise.all([...this.queues.values()].map((queue) => queue.close()))
  }
}

/** BullMQ waits without end for a connection that was never there; a caller of ours does not. */
const inTime = async <Answer>(call: Promise<Answer>): Promise<Answer> => {
  let timer: NodeJS.Timeout | undefined
  const limit = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`no answer within ${callTimeoutMs} ms`)), callTimeoutMs)
  })
  try {
    return await Promise.race([call, limit])
  } catch (cause) {
    throw new MemoryGuardError('BROKER_UNAVAILABLE', 'The broker does not answer.', { cause, retryable: true })
  } finally {
    clearTimeout(timer)
  }
}
