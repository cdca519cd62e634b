import { isDatabaseUnavailable } from '#libs/database'
import { CONFIG, LOGGER, PeriodicLoop, type Config, type Logger } from '#libs/platform'
import { Broker } from '#libs/tasks'
import { Inject, Injectable } from '@nestjs/common'
import { Consumers } from '../processors/consumers.js'
import { StallClock, type StallSight } from './stall-clock.js'
import { DueWork } from '../capacity/due-work.js'
import { TaskRunner } from '../execution/task-runner.js'

/** A task that waits this long, in seconds, is not on its way to a worker. */
const waitingSeconds = 2
const longestIntervalMs = 5_000

/**
 * Checks whether this worker takes work that waits for it. If it does not, its connections to the broker are made anew;
 * if that does not help it is no longer ready, and at last it ends, so that its supervisor starts another.
 */
@Injectable()
export class Watchdog {
  private readonly clock: StallClock
  private readonly intervalMs: number
  private loop: PeriodicLoop | undefined
  private isUnready = false

  constructor(
    private readonly runner: TaskRunner,
    private readonly due: DueWork,
    private readonly consumers: Consumers,
    private readonly broker: Broker,
    @Inject(CONFIG) { worker }: Config,
    @Inject(LOGGER) private readonly log: Logger,
  ) {
    this.clock = new StallClock(worker.stall)
    this.intervalMs = Math.min(longestIntervalMs, (worker.stall.rebuildSeconds * 1000) / 4)
  }

  /** Why the worker is not ready; undefined as long as it takes work. */
  get fault(): string | undefined {
    return this.isUnready ? 'work waits, but none is taken' : undefined
  }

  /** `end` is called when nothing has helped. */
  start(end: () => void): void {
    const { intervalMs } = this
    this.loop = new PeriodicLoop({ name: 'watchdog', intervalMs, run: () => this.check(end) }, this.log)
    this.loop.start()
  }

  async stop(): Promise<void> {
    await this.loop?.stop()
  }

  private async check(end: () => void): Promise<void> {
    const { batchesTaken: taken } = this.runner
    try {
      const verdict = this.clock.judge(performance.now(), { taken, ...(await this.seeWork()) })
      this.isUnready = verdict === 'unready' || verdict === 'exit'
      if (verdict === 'rebuild') this.rebuild()
      if (verdict !== 'exit') return
      this.log.fatal('no work taken although some waits, also over new connections: ending')
      end()
    } catch (error) {
      this.clock.reset()
      const level = isDatabaseUnavailable(error) ? 'debug' : 'error'
      this.log[level]({ err: error }, 'waiting work not read')
    }
  }

  /**
   * A task that waits in the database may have its job in another worker's hands: behind a rate limit, or in a lane of
   * one at a time. Only what the broker holds ready could be taken here; a broker that does not respond may hold it.
   */
  private async seeWork(): Promise<Pick<StallSight, 'isStarving' | 'isBrokerUp'>> {
    const queues = this.runner.hasFreeChild ? [...(await this.due.count(waitingSeconds)).keys()] : []
    try {
      // A broker that cannot be written to is out of order, though it returns how many jobs wait.
      if (queues.length > 0) await this.broker.assertWritable()
      const depths = await Promise.all(queues.map((queue) => this.broker.depth(queue)))
      return { isStarving: depths.some(({ waiting }) => waiting > 0), isBrokerUp: true }
    } catch {
      return { isStarving: true, isBrokerUp: false }
    }
  }

  private rebuild(): void {
    this.log.warn({ queues: this.consumers.queues }, 'no work taken although some waits: reconnecting to the broker')
    this.broker.reconnect()
    this.consumers.replaceAll()
  }
}
