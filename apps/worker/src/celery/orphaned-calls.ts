import { askWorkers, CeleryConnections, CeleryQueues, decodeMessage } from '#libs/celery'
import { LOGGER, PeriodicLoop, type Logger } from '#libs/platform'
import { isTaskName } from '#libs/tasks/contracts'
import { Inject, Injectable } from '@nestjs/common'

const intervalMs = 60_000
/** As long as kombu leaves a message with the worker that took it, by default, in seconds. */
const visibilitySeconds = 3_600
const replyMs = 2_000

/**
 * Gives back calls of ours that a Celery worker took and never acknowledged, once no Celery worker is there any more that
 * could do so itself: after the last one was switched off, nobody else would.
 */
@Injectable()
export class OrphanedCalls {
  readonly loop: PeriodicLoop

  constructor(
    private readonly connections: CeleryConnections,
    private readonly queues: CeleryQueues,
    @Inject(LOGGER) private readonly log: Logger,
  ) {
    const job = { name: 'orphaned celery calls', intervalMs, run: () => this.giveBack() }
    this.loop = new PeriodicLoop({ ...job, levelOf: () => 'debug' }, log)
  }

  /** Gives back what has been held for longer than `seconds`. */
  async giveBack(seconds = visibilitySeconds): Promise<void> {
    const held = await this.queues.listHeld(seconds)
    const ours = held.filter(({ raw, queue }) => isTaskName(decodeMessage(raw, queue).heading.task ?? ''))
    if (ours.length === 0 || (await this.hasCeleryWorker())) return
    await this.queues.giveBack(ours.map(({ tag }) => tag))
    this.log.warn({ calls: ours.length }, 'Celery calls given back that a Celery worker took and never ended')
  }

  private async hasCeleryWorker(): Promise<boolean> {
    const [replies = []] = await askWorkers(this.connections, [{ method: 'stats' }], replyMs)
    return replies.some(({ reply }) => !/"implementation": ?"memoryguard:/.test(JSON.stringify(reply)))
  }
}
