import { LOGGER, type Logger, type QueueName } from '#libs/platform'
import { Broker, type BrokerOutage } from '#libs/tasks'
import type { WorkerHost } from '@nestjs/bullmq'
import { Inject, Injectable } from '@nestjs/common'
import type { Worker } from 'bullmq'
import { TaskRunner } from '../execution/task-runner.js'
import { ConsumerFactory } from './consumer-factory.js'
import { DeliveredJobs } from './delivered-jobs.js'
import { JobsInHand } from './jobs-in-hand.js'

/** The consumers of this process, started and stopped together, or one by one at an operator's wish. */
@Injectable()
export class Consumers {
  private readonly consumers = new Map<QueueName, { readonly worker: Worker; readonly inHand: JobsInHand }>()

  constructor(
    @Inject(ConsumerFactory) private readonly factory: Pick<ConsumerFactory, 'create'>,
    @Inject(DeliveredJobs) private readonly delivered: Pick<DeliveredJobs, 'start'>,
    @Inject(LOGGER) private readonly log: Logger,
    @Inject(Broker) private readonly broker: { readonly outage: Pick<BrokerOutage, 'failed'> },
    @Inject(TaskRunner) private readonly runner: Pick<TaskRunner, 'concurrency'>,
  ) {}

  /** The queues that are consumed now. */
  get queues(): readonly QueueName[] {
    return [...this.consumers.keys()]
  }

  /** Begins to take jobs for the processors of these queues. */
  start(hosts: ReadonlyMap<QueueName, WorkerHost>): void {
    for (const [queue, { worker }] of hosts) this.run(queue, worker)
  }

  /** Consumes one more queue; nothing happens if it is consumed. */
  addQueue(queue: QueueName): void {
    if (!this.consumers.has(queue)) this.run(queue, this.factory.create(queue))
  }

  /** Takes no further jobs of a queue; resolves when those under way are finished. */
  async cancelQueue(queue: QueueName): Promise<void> {
    const consumer = this.consumers.get(queue)
    this.consumers.delete(queue)
    await consumer?.worker.close()
  }

  /** Consumes over new connections. Jobs under way go on; the broker redelivers them, and they are skipped then. */
  replaceAll(): void {
    for (const [queue, { worker: old }] of [...this.consumers]) {
      old.close(true).catch((error: unknown) => this.log.debug({ err: error, queue }, 'old consumer not closed'))
      this.run(queue, this.factory.create(queue))
    }
  }

  /** Takes as many jobs at once as so many compute children need. */
  setConcurrency(children: number): void {
    for (const { inHand } of this.consumers.values()) inHand.setChildren(children)
  }

  /** Takes no further jobs; resolves when those under way are finished. */
  async drain(): Promise<void> {
    await Promise.all([...this.consumers.values()].map(({ worker }) => worker.close()))
  }

  private run(queue: QueueName, worker: Worker): void {
    const inHand = new JobsInHand(queue, worker, this.runner.concurrency)
    this.consumers.set(queue, { worker, inHand })
    worker.on('active', (job) => inHand.add(job, this.delivered.start(job)))
    worker.on('error', (error) => {
      if (isOfJob(error)) this.log.debug({ err: error, queue }, 'job taken by another worker')
      else this.broker.outage.failed(error)
    })
    worker.on('stalled', (job) => this.log.info({ queue, job }, 'job redelivered: its worker fell silent'))
    worker.run().catch((error: unknown) => this.log.error({ err: error, queue }, 'consumer ended'))
  }
}

/** The broker works, but the job is not this worker's any more: BullMQ numbers these errors, or speaks of the lock. */
const isOfJob = (error: Error): boolean =>
  ('code' in error && typeof error.code === 'number') || error.message.startsWith('could not renew lock')
