import { LOGGER, type Logger, type QueueName } from '#libs/platform'
import type { WorkerHost } from '@nestjs/bullmq'
import { Broker, queueSettings, type BrokerOutage } from '#libs/tasks'
import { Inject, Injectable } from '@nestjs/common'
import type { Job, Worker } from 'bullmq'
import { TaskRunner, type JobOutcome } from '../runtime/task-runner.js'

/** Jobs of a queue that are under way at once. */
export const jobsAtOnce = (queue: QueueName, children: number): number => {
  const { batchSize, extraBatches, tasksPerJob } = queueSettings[queue]
  return Math.ceil((batchSize * (children + extraBatches)) / tasksPerJob)
}

/** The consumers of this process, started and stopped together, or one by one at an operator's wish. */
@Injectable()
export class Consumers {
  private readonly hosts = new Map<QueueName, WorkerHost>()
  private readonly workers = new Map<QueueName, Worker>()
  /** Outcomes of jobs that were begun before BullMQ asked for them. */
  private readonly begun = new WeakMap<Job, Promise<JobOutcome>>()

  constructor(
    @Inject(TaskRunner) private readonly runner: Pick<TaskRunner, 'process'>,
    @Inject(LOGGER) private readonly log: Logger,
    @Inject(Broker) private readonly broker: { readonly outage: Pick<BrokerOutage, 'failed'> },
  ) {}

  /** The queues that are consumed now. */
  get queues(): readonly QueueName[] {
    return [...this.workers.keys()]
  }

  /** The outcome of a job of the broker; it has been begun when it was delivered. */
  process(queue: QueueName, job: Job): Promise<JobOutcome> {
    return this.begun.get(job) ?? this.runner.process(queue, job)
  }

  add(queue: QueueName, host: WorkerHost): void {
    this.hosts.set(queue, host)
  }

  /** Begins to take jobs. */
  start(): void {
    for (const [queue, { worker }] of this.hosts) this.run(queue, worker)
  }

  /** Consumes one more queue; nothing happens if it is consumed. */
  addQueue(queue: QueueName, create: (queue: QueueName) => Worker): void {
    if (!this.workers.has(queue)) this.run(queue, create(queue))
  }

  /** Takes no further jobs of a queue; resolves when those under way are finished. */
  async cancelQueue(queue: QueueName): Promise<void> {
    const worker = this.workers.get(queue)
    this.workers.delete(queue)
    await worker?.close()
  }

  /** Consumes over new connections. Jobs under way go on; the broker redelivers them, and they are skipped then. */
  replaceAll(create: (queue: QueueName) => Worker): void {
    for (const [queue, old] of [...this.workers]) {
      old.close(true).catch((error: unknown) => this.log.debug({ err: error, queue }, 'an old consumer did not close'))
      this.run(queue, create(queue))
    }
  }

  /** Takes as many jobs at once as so many compute children need. */
  setConcurrency(children: number): void {
    for (const [queue, worker] of this.workers) worker.concurrency = jobsAtOnce(queue, children)
  }

  /** Takes no further jobs; resolves when those under way are finished. */
  async drain(): Promise<void> {
    await Promise.all([...this.workers.values()].map((worker) => worker.close()))
  }

  private run(queue: QueueName, worker: Worker): void {
    this.workers.set(queue, worker)
    // BullMQ asks the broker for one more job before it starts the one that it has.
    worker.on('active', (job) => {
      const outcome = this.runner.process(queue, job)
      outcome.catch((error: unknown) => this.log.debug({ err: error, queue, job: job.id }, 'a job failed'))
      this.begun.set(job, outcome)
    })
    worker.on('error', (error) => {
      if (isOfJob(error)) this.log.debug({ err: error, queue }, 'a job had been taken from this worker')
      else this.broker.outage.failed(error)
    })
    worker.on('stalled', (job) => this.log.info({ queue, job }, 'a job was redelivered: its worker fell silent'))
    worker.run().catch((error: unknown) => this.log.error({ err: error, queue }, 'a consumer has ended'))
  }
}

/** The broker works, but the job is not this worker's any more: BullMQ numbers these errors, or speaks of the lock. */
const isOfJob = (error: Error): boolean =>
  ('code' in error && typeof error.code === 'number') || error.message.startsWith('could not renew lock')
