import { isDatabaseUnavailable, TaskEventRepository, WebhookDeliveryRepository, withAdvisoryLock } from '#libs/database'
import { LOGGER, PeriodicLoop, type Logger } from '#libs/platform'
import { FinishedTasks, NotifiedEnds } from '#libs/tasks'
import { Inject, Injectable } from '@nestjs/common'
import { DataSource } from 'typeorm'
import { WebhookSender } from './webhook-sender.js'

/** How often to poll for tasks that ended and for due deliveries, in milliseconds. */
const pollMs = 1_000
/** Wait this long after a task ends before planning deliveries, so that ends close together are handled in one query. */
const wakeMs = 100
/** How long finished deliveries are kept, in days, and how often old ones are removed, in milliseconds. */
const keepDays = 30
const pruneMs = 3_600_000

/**
 * Creates and sends webhook deliveries for ended tasks. Tasks named in the database's notifications are read by id; after
 * lost notifications, all that ended since the stored time are read. Without a webhook it does not listen, and only checks
 * whether there is one. All workers do this concurrently: a delivery is created once, and claimed by one worker at a time.
 */
@Injectable()
export class Webhooks {
  private readonly loop: PeriodicLoop
  private isListening = false
  private ends: NotifiedEnds | undefined
  private prunedAt = Date.now()

  constructor(
    private readonly dataSource: DataSource,
    private readonly events: TaskEventRepository,
    private readonly deliveries: WebhookDeliveryRepository,
    private readonly finished: FinishedTasks,
    private readonly sender: WebhookSender,
    @Inject(LOGGER) log: Logger,
  ) {
    const levelOf = (error: unknown) => (isDatabaseUnavailable(error) ? 'warn' : 'error')
    const job = { name: 'webhooks', intervalMs: pollMs, run: () => this.run() }
    this.loop = new PeriodicLoop({ ...job, failure: 'webhook deliveries delayed', levelOf }, log)
    sender.onRoom = () => this.loop.wake(wakeMs)
  }

  start(): void {
    this.loop.start()
  }

  async stop(): Promise<void> {
    this.ends?.stop()
    await this.loop.stop()
    await this.sender.stop()
  }

  private async run(): Promise<void> {
    if (await this.plan()) {
      // A slow receiver must not keep the others waiting for the next run.
      while (!this.loop.isStopped && (await this.sender.sendDue())) continue
    }
    // A page in each run, until nothing is left.
    const isPruneDue = Date.now() - this.prunedAt > pruneMs
    if (isPruneDue && !(await this.deliveries.prune(keepDays))) this.prunedAt = Date.now()
  }

  /** Returns whether there is a webhook to notify. */
  private async plan(): Promise<boolean> {
    const start = await this.deliveries.findPlanStart()
    if (start === null) {
      this.ends?.stop()
      this.ends = undefined
      return false
    }
    if (!this.isListening) {
      this.isListening = true
      await this.finished.start()
    }
    const ends = (this.ends ??= new NotifiedEnds(this.finished, () => this.loop.wake(wakeMs)))
    const clock = await this.events.readClock()
    const { ids, isComplete } = await ends.collect(clock, start)
    if (isComplete) await this.deliveries.plan(start, clock.settled, ids)
    // Only one process reads the table. The others do not know how far it has read, so they keep the ids they received.
    else if (await this.isPlannedElsewhere(start, clock.settled)) return true
    const later = await this.deliveries.listEndedSince(ids, clock.settled)
    ends.forget(ids.filter((id) => !later.has(id)))
    return true
  }
  /** Plans from the whole table, unless another process is doing so: then it returns true. */
  private async isPlannedElsewhere(start: number, until: number): Promise<boolean> {
    const isPlanned = await withAdvisoryLock(this.dataSource, 'webhooks', async () => {
      await this.deliveries.plan(start, until, null)
      return true
    })
    return isPlanned === undefined
  }
}
