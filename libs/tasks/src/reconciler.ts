import { firstTaskId, QueueRepository, TaskRepository, type WaitingRange } from '#libs/database'
import { LOGGER, type Logger, type QueueName } from '#libs/platform'
import { Inject, Injectable } from '@nestjs/common'
import { Broker } from './broker/broker.js'
import { FinishedLines } from './finished-lines.js'

/** A task is expected in the broker this long after it was stored or became due, in milliseconds. */
const graceMs = 2_000
const pageSize = 1_000
/** Deaths of workers under one task before it ends as poison. */
export const maxCrashes = 3

/**
 * All plain tasks that were due before `dueBefore` were found in the broker, or in a worker's hands, at the time `at`;
 * milliseconds of the database's clock.
 */
interface Sweep {
  readonly at: number
  readonly dueBefore: number
}

/**
 * Makes the broker agree with the database: takes back the tasks of silent workers, ends overdue ones, and enqueues
 * again what waits in the database but reaches no worker (the broker was down at submit, it lost something, or a process
 * died between commit and enqueue). The next run checks whether it helped. Every step may run twice or in two processes
 * at once. All times are the database's.
 */
@Injectable()
export class Reconciler {
  private readonly sweeps = new Map<QueueName, Sweep>()
  /** Queues that have lost jobs, of which something useless may be left. */
  private readonly untidy = new Set<QueueName>()

  constructor(
    private readonly tasks: TaskRepository,
    private readonly queues: QueueRepository,
    private readonly broker: Broker,
    private readonly finished: FinishedLines,
    @Inject(LOGGER) private readonly log: Logger,
  ) {}

  /** One pass over some queues. Returns how many tasks were enqueued again. */
  async run(queues: readonly QueueName[]): Promise<number> {
    await this.removeForeignKeys()
    const lost = await this.tasks.takeBackExpiredLeases(maxCrashes)
    if (lost.length > 0) {
      this.log.warn({ tasks: lost.length }, 'tasks of a silent worker taken back')
      await this.broker.add(lost)
    }
    this.finished.reportUnrun(await this.tasks.endUnwanted())
    let total = lost.length
    const paused = await this.queues.listPaused()
    for (const queue of queues) {
      // A broker that lost its data has forgotten that too.
      await this.broker.setPaused(queue, paused.has(queue))
      if (!paused.has(queue)) total += await this.reconcile(queue)
    }
    // Last: what waited there is enqueued in the place of this version by now.
    const older = await this.broker.removeOlderKeys()
    if (older > 0) this.log.info({ keys: older }, 'queues of an older version removed from the broker')
    return total
  }

  /** Removes keys that another program wrote in place of a queue's, which stop the queue. Waiting tasks are enqueued again. */
  private async removeForeignKeys(): Promise<void> {
    const keys = await this.broker.removeForeignKeys()
    if (keys.length > 0) this.log.warn({ keys }, 'keys of another type removed from the broker')
  }

  private async reconcile(queue: QueueName): Promise<number> {
    const head = await this.broker.readHead(queue)
    const clock = await this.queues.readEnqueueClock(head.task)
    const headAt = head.isEmpty ? clock.now : clock.enqueuedAt
    const total = (await this.reconcilePlain(queue, headAt, clock.now)) + (await this.reconcileUrgent(queue, clock.now))
    if (total > 0) {
      this.log.info({ queue, tasks: total }, 'lost jobs enqueued again')
      this.untidy.add(queue)
    } else if (this.untidy.delete(queue)) {
      await this.broker.removeOrphans(queue)
    }
    return total
  }

  /** Urgent tasks leave the queue in another order, so they are counted, and searched only if some are missing. */
  private async reconcileUrgent(queue: QueueName, now: number): Promise<number> {
    const range = { dueFrom: 0, dueBefore: now - graceMs, isUrgent: true }
    const expected = await this.queues.countWaiting(queue, range)
    if (expected === 0 || (await this.broker.countUrgent(queue)) >= expected) return 0
    return this.enqueueLost(queue, range)
  }

  /**
   * A queue is first in, first out: a task that was due before the job that leaves next was enqueued, and has not
   * started, is in a worker's hands, or it is lost.
   */
  private async reconcilePlain(queue: QueueName, headAt: number, now: number): Promise<number> {
    const last = this.sweeps.get(queue)
    // Jobs that the last sweep found are still waiting, so they need not be searched again.
    const dueFrom = last && headAt <= last.at ? last.dueBefore : 0
    const dueBefore = headAt - graceMs
    if (dueBefore <= dueFrom) return 0
    const total = await this.enqueueLost(queue, { dueFrom, dueBefore, isUrgent: false })
    if (total === 0) this.sweeps.set(queue, { at: now, dueBefore })
    return total
  }

  private async enqueueLost(queue: QueueName, range: WaitingRange): Promise<number> {
    const held = this.broker.readHeld(queue)
    let afterId = firstTaskId
    let total = 0
    for (;;) {
      const page = await this.queues.listWaiting(queue, range, afterId, pageSize)
      const last = page.at(-1)
      if (!last) return total
      const lost = await held.findLost(page)
      if (lost.length > 0) await this.broker.addLost(lost)
      total += lost.length
      afterId = last.taskId
    }
  }
}
