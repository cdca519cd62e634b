import { QueueRepository, TaskRepository } from '#libs/database'
import { LOGGER, type Logger, type QueueName } from '#libs/platform'
import { Inject, Injectable } from '@nestjs/common'
import { Broker } from './broker/broker.js'

/** A task is expected in the broker this long after it was stored or became due. */
const graceSeconds = 2
/** A task that has waited this long is dispatched again even if the counts agree. */
const doubtSeconds = 60
const pageSize = 1_000
/** Deaths of workers under one task before it ends as poison. */
export const maxCrashes = 3

const firstId = '00000000-0000-0000-0000-000000000000'

/**
 * Makes the broker agree with the database: takes back the tasks of silent workers, ends overdue ones, and dispatches
 * again what waits in the database but is missing in the broker (it was down at submit, it was flushed, or a process
 * died between commit and dispatch). Every step may run twice or in two processes at once.
 */
@Injectable()
export class Reconciler {
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
    const expected = await this.tasks.countWaiting(queue, graceSeconds)
    if (expected === 0) return 0
    const { waiting, active, delayed } = await this.broker.depth(queue)
    const isShort = waiting + active + delayed < expected
    return this.dispatchAgain(queue, isShort ? graceSeconds : doubtSeconds, isShort ? Infinity : pageSize)
  }

  private async dispatchAgain(queue: QueueName, olderThanSeconds: number, limit: number): Promise<number> {
    let afterId = firstId
    let total = 0
    while (total < limit) {
      const page = await this.tasks.listWaiting(queue, olderThanSeconds, afterId, pageSize)
      const last = page.at(-1)
      if (!last) break
      await this.broker.add(page)
      total += page.length
      afterId = last.taskId
    }
    if (total > 0) this.log.info({ queue, tasks: total }, 'dispatched again what the broker may have lost')
    return total
  }
}
