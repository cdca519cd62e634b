import { firstTaskId, QueueRepository, TaskRepository, type WaitingRange } from '#libs/database'
import { LOGGER, type Logger, type QueueName } from '#libs/platform'
import { Inject, Injectable } from '@nestjs/common'
import { Broker } from './broker/broker.js'

/** A task is expected in the broker this long after it was stored or became due, in milliseconds; clocks may differ. */
const graceMs = 2_000
const pageSize = 1_000
/** Deaths of workers under one task before it ends as poison. */
export const maxCrashes = 3

/** What was dispatched again last: all that waited before `dueBefore`, at the time `at`; milliseconds since 1970. */
interface Sweep {
  readonly at: number
  readonly dueBefore: number
}

/**
 * Makes the broker agree with the database: takes back the tasks of silent workers, ends overdue ones, and dispatches
 * again what waits in the database but is missing in the broker (it was down at submit, it was flushed, or a process
 * died between commit and dispatch). Every step may run twice or in two processes at once.
 */
@Injectable()
export class Reconciler {
  private readonly sweeps = new Map<QueueName, Sweep>()

  constructor(
    private readonly tasks: TaskRepository,
    private readonly queues: QueueRepository,
    private readonly broker: Broker,
    @Inject(LOGGER) private readonly log: Logger,
  ) {}

  /** One pass over some queues; answers how many tasks were dispatched again. */
  async run(queues: readonly QueueName[]): Promise<number> {
    const lost = await this.tasks.takeBackExpiredLeases(maxCrashes)
    if (lost.length > 0) {
      this.log.warn({ tasks: lost.length }, 'took back the tasks of a silent worker')
      await this.broker.add(lost)
    }
    await this.tasks.endUnwanted()
    let total = lost.length
    const paused = await this.queues.listPaused()
    for (const queue of queues) {
      // A broker that lost its data has forgotten that too.
      await this.broker.setPaused(queue, paused.has(queue))
      if (!paused.has(queue)) total += await this.reconcile(queue)
    }
    return total
  }

  private async reconcile(queue: QueueName): Promise<number> {
    const total = (await this.reconcilePlain(queue)) + (await this.reconcileUrgent(queue))
    if (total > 0) this.log.info({ queue, tasks: total }, 'dispatched again what the broker may have lost')
    return total
  }

  /** Urgent tasks leave in another order, so they are counted. */
  private async reconcileUrgent(queue: QueueName): Promise<number> {
    const range = { dueFrom: 0, dueBefore: Date.now() - graceMs, isUrgent: true }
    const expected = await this.tasks.countWaiting(queue, range)
    if (expected === 0 || (await this.broker.countUrgent(queue)) >= expected) return 0
    return this.dispatchAgain(queue, range)
  }

  /**
   * A queue is first in, first out: a task that was due before the oldest waiting job was added, and has not started,
   * has no job any more, or one that a worker has in hand. Either way it may be dispatched again.
   */
  private async reconcilePlain(queue: QueueName): Promise<number> {
    const oldestAt = (await this.broker.oldestWaitingAt(queue)) ?? Date.now()
    const last = this.sweeps.get(queue)
    // The jobs of the last sweep still wait, so what it covered need not be looked at.
    const dueFrom = last && oldestAt <= last.at ? last.dueBefore : 0
    const dueBefore = oldestAt - graceMs
    if (dueBefore <= dueFrom) return 0
    const total = await this.dispatchAgain(queue, { dueFrom, dueBefore, isUrgent: false })
    if (total > 0) this.sweeps.set(queue, { at: Date.now(), dueBefore })
    return total
  }

  private async dispatchAgain(queue: QueueName, range: WaitingRange): Promise<number> {
    let afterId = firstTaskId
    let total = 0
    for (;;) {
      const page = await this.tasks.listWaiting(queue, range, afterId, pageSize)
      const last = page.at(-1)
      if (!last) return total
      await this.broker.add(page)
      total += page.length
      afterId = last.taskId
    }
  }
}
