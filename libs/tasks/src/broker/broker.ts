import type { EnqueueableTask, TaskJob } from '#libs/database'
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
import { InjectQueue } from '@nestjs/bullmq'
import { Queue } from 'bullmq'
import { queueSettings } from '../queue-settings.js'
import { BrokerOutage } from './broker-outage.js'
import { findForeignKeys } from './foreign-keys.js'
import { removeOlderKeys } from './older-keys.js'
import { HeldJobs } from './held-jobs.js'
import { createQueues, type Queues } from './queues.js'
import { firstTaskOf, jobIdOf, sharedJobIdOf, toJobs, type NewJob } from './jobs.js'

/** A call to the broker times out after this long, and the caller continues without it. */
const callTimeoutMs = 5_000
/** Jobs that are taken out at one time. */
const removedAtOnce = 500
/** Up to this many jobs a queue is short enough for each to be searched for in it. */
const shortQueue = 1_000

/** Jobs that a queue holds, by what they wait for. */
export interface QueueDepth {
  readonly waiting: number
  readonly active: number
  readonly delayed: number
}

/**
 * The producer's side of the queues. A job's id is its task and attempt, so that adding it twice is harmless: the
 * second is ignored while the first exists, and finished jobs are not kept. Tasks that travel together may also be added
 * alone: whichever job comes second is skipped.
 */
@Injectable()
export class Broker implements OnApplicationShutdown {
  /** Where every connection of this process reports trouble. */
  readonly outage: BrokerOutage
  private queues: Queues

  constructor(
    @Inject(CONFIG) private readonly config: Config,
    @Inject(LOGGER) private readonly log: Logger,
    @InjectQueue('predictions') predictions: Queue,
    @InjectQueue('batch') batch: Queue,
    @InjectQueue('explanations') explanations: Queue,
    @InjectQueue('forecasts') forecasts: Queue,
  ) {
    this.outage = new BrokerOutage(config, log)
    this.queues = this.watch({ predictions, batch, explanations, forecasts })
  }

  /** Replaces all connections: calls that wait for the broker over the old ones end at their time limit. */
  reconnect(): void {
    const old = Object.values(this.queues)
    this.queues = this.watch(createQueues(this.config))
    for (const queue of old) {
      queue.disconnect().catch((error: unknown) => this.log.debug({ err: error }, 'old connection not closed'))
    }
  }

  private watch(queues: Queues): Queues {
    for (const queue of Object.values(queues)) queue.on('error', (error) => this.outage.failed(error))
    return queues
  }

  /**
   * Adds a job for each task.
   * @throws {MemoryGuardError} BROKER_UNAVAILABLE; the tasks are stored in the database and enqueued later.
   */
  add(tasks: readonly EnqueueableTask[]): Promise<void> {
    return this.addJobs(tasks, () => 1)
  }

  /**
   * Adds tasks that have not been added before, several to a job where the queue's settings allow it.
   * @throws MemoryGuardError BROKER_UNAVAILABLE
   */
  addTogether(tasks: readonly EnqueueableTask[]): Promise<void> {
    return this.addJobs(tasks, (queue) => queueSettings[queue].tasksPerJob)
  }

  private async addJobs(tasks: readonly EnqueueableTask[], tasksPerJob: (queue: QueueName) => number): Promise<void> {
    const members = new Map<QueueName, EnqueueableTask[]>()
    for (const task of tasks) {
      const ofQueue = members.get(task.queue)
      if (ofQueue) ofQueue.push(task)
      else members.set(task.queue, [task])
    }
    await this.inTime(
      Promise.all([...members].map(([queue, ofQueue]) => this.addTo(queue, toJobs(ofQueue, tasksPerJob(queue))))),
    )
    this.outage.worked()
  }

  /** One job alone costs the broker a fraction of a list of one: a sixth on PostgreSQL. */
  private addTo(name: QueueName, jobs: readonly NewJob[]): Promise<unknown> {
    const queue = this.queues[name]
    const [job] = jobs
    return job && jobs.length === 1 ? queue.add(job.name, job.data, job.opts) : queue.addBulk([...jobs])
  }

  /** Takes jobs out that need not wait any longer, as far as the broker responds: they would be skipped all the same. */
  async removeIfThere(tasks: readonly (TaskJob & { readonly queue: QueueName })[]): Promise<void> {
    try {
      await this.remove(tasks.map((task) => ({ queue: task.queue, id: jobIdOf(task) })))
    } catch (error) {
      this.log.debug({ err: error }, 'jobs of ended tasks not removed; they will be skipped')
    }
  }

  private async remove(jobs: readonly { readonly queue: QueueName; readonly id: string }[]): Promise<void> {
    for (let start = 0; start < jobs.length; start += removedAtOnce) {
      const page = jobs.slice(start, start + removedAtOnce)
      await this.inTime(Promise.all(page.map(({ queue, id }) => this.queues[queue].remove(id))))
    }
  }

  /** Has the broker deliver nothing of a queue, or deliver again. @throws MemoryGuardError BROKER_UNAVAILABLE */
  async setPaused(name: QueueName, isPaused: boolean): Promise<void> {
    const queue = this.queues[name]
    if ((await this.inTime(queue.isPaused())) !== isPaused) await this.inTime(isPaused ? queue.pause() : queue.resume())
  }

  /** Removes every job that is not being worked on. @throws MemoryGuardError BROKER_UNAVAILABLE */
  async drain(queue: QueueName): Promise<void> {
    await this.inTime(this.queues[queue].drain(true))
  }

  /** @throws MemoryGuardError BROKER_UNAVAILABLE */
  async depth(queue: QueueName): Promise<QueueDepth> {
    const counts = await this.inTime(this.queues[queue].getJobCounts('waiting', 'prioritized', 'active', 'delayed'))
    return {
      waiting: (counts['waiting'] ?? 0) + (counts['prioritized'] ?? 0),
      active: counts['active'] ?? 0,
      delayed: counts['delayed'] ?? 0,
    }
  }

  /**
   * Whether a queue holds a plain job that waits, and the first task of the one that leaves next; no task if its id is
   * not one of ours. Found in the list alone, for what a job carried may be lost while the list is not.
   * @throws MemoryGuardError BROKER_UNAVAILABLE
   */
  async readHead(name: QueueName): Promise<{ readonly isEmpty: boolean; readonly task?: TaskJob | undefined }> {
    const [jobId] = await this.inTime(this.queues[name].getRanges(['waiting'], 0, 0, true))
    return jobId === undefined ? { isEmpty: true } : { isEmpty: false, task: firstTaskOf(jobId) }
  }

  /** @throws MemoryGuardError BROKER_UNAVAILABLE */
  async countUrgent(name: QueueName): Promise<number> {
    const counts = await this.inTime(this.queues[name].getJobCounts('prioritized'))
    return counts['prioritized'] ?? 0
  }

  /** Reads what a queue holds, to find what it has lost. Its calls throw MemoryGuardError BROKER_UNAVAILABLE. */
  readHeld(name: QueueName): HeldJobs {
    return new HeldJobs(this.queues[name], this.inTime)
  }

  /**
   * Adds tasks whose jobs are lost. What is left of those jobs is removed first: a job is not added while its content
   * exists, even if no list leads to it. @throws MemoryGuardError BROKER_UNAVAILABLE
   */
  async addLost(tasks: readonly EnqueueableTask[]): Promise<void> {
    await this.remove(
      tasks.flatMap((task) => [jobIdOf(task), sharedJobIdOf(task)].map((id) => ({ queue: task.queue, id }))),
    )
    await this.addTogether(tasks)
  }

  /**
   * Removes what is left of jobs that no list leads to, if the queue is short: the search costs its length for each.
   * @throws MemoryGuardError BROKER_UNAVAILABLE
   */
  async removeOrphans(name: QueueName): Promise<void> {
    const counts = await this.inTime(this.queues[name].getJobCounts('waiting', 'prioritized', 'active', 'delayed'))
    const length = Object.values(counts).reduce((sum, count) => sum + count, 0)
    if (length <= shortQueue) await this.inTime(this.queues[name].removeOrphanedJobs())
  }

  /**
   * Writes something harmless over the connections that add jobs: a broker that only serves reads is of no use.
   * @throws MemoryGuardError BROKER_UNAVAILABLE
   */
  async assertWritable(): Promise<void> {
    if (this.config.broker.url === undefined) return void (await this.depth('predictions'))
    const [foreign] = await this.inTime(this.findForeignKeys('write'))
    if (foreign !== undefined) {
      const words = `The key ${foreign} of the broker is of another type: another program has written it.`
      this.outage.failed(new Error(words))
      throw new MemoryGuardError('BROKER_UNAVAILABLE', words, { retryable: true })
    }
    this.outage.worked()
  }

  /** Removes keys in the place of a queue's that no queue can use; returns them. @throws MemoryGuardError BROKER_UNAVAILABLE */
  removeForeignKeys(): Promise<readonly string[]> {
    return this.inTime(this.findForeignKeys('delete'))
  }

  private async findForeignKeys(mode: 'write' | 'delete'): Promise<readonly string[]> {
    if (this.config.broker.url === undefined) return []
    const found = queueNames.map(async (name) =>
      findForeignKeys(await this.queues[name].getBackend().client, name, mode),
    )
    return (await Promise.all(found)).flat()
  }

  /**
   * Removes what a version before this one has left in Redis; returns how many keys. A cluster was not supported then.
   * @throws MemoryGuardError BROKER_UNAVAILABLE
   */
  async removeOlderKeys(): Promise<number> {
    const { url } = this.config.broker
    if (url === undefined || /^rediss?\+cluster:/.test(url)) return 0
    try {
      return await removeOlderKeys(await this.inTime(this.queues.predictions.getBackend().client))
    } catch (cause) {
      if (cause instanceof MemoryGuardError) throw cause
      throw new MemoryGuardError('BROKER_UNAVAILABLE', 'Keys of an older version were not removed.', {
        cause,
        retryable: true,
      })
    }
  }

  async onApplicationShutdown(): Promise<void> {
    await Promise.all(Object.values(this.queues).map((queue) => queue.close()))
  }

  /** BullMQ waits without end for a connection that was never there; a caller of ours does not. */
  private readonly inTime = async <Result>(call: Promise<Result>): Promise<Result> => {
    try {
      const outcome = await withinTime(
        call.then((value) => ({ value })),
        callTimeoutMs,
        undefined,
      )
      if (outcome) return outcome.value
      throw new Error(`no response within ${callTimeoutMs} ms`)
    } catch (cause) {
      this.outage.failed(cause)
      throw new MemoryGuardError('BROKER_UNAVAILABLE', 'The broker does not respond.', { cause, retryable: true })
    }
  }
}
