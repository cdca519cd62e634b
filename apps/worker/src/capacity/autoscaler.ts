import { isDatabaseUnavailable } from '#libs/database'
import { CONFIG, LOGGER, MemoryGuardError, PeriodicLoop, type Config, type Logger } from '#libs/platform'
import { queueSettings } from '#libs/tasks'
import { Inject, Injectable } from '@nestjs/common'
import { DueWork } from './due-work.js'
import { PoolSize } from './pool-size.js'
import { Scale, type ScaleLimits } from './scale.js'
import { WorkerLimits } from './worker-limits.js'
import { TaskRunner } from '../execution/task-runner.js'

const intervalMs = 1_000
/** Work that waits this long finds no free child. */
const waitingSeconds = 1

/** Keeps as many compute children as there is work for, between the two numbers of `--autoscale`. */
@Injectable()
export class Autoscaler {
  private loop: PeriodicLoop | undefined
  private readonly scale = new Scale()

  constructor(
    private readonly size: PoolSize,
    private readonly runner: TaskRunner,
    private readonly limits: WorkerLimits,
    private readonly due: DueWork,
    @Inject(CONFIG) private readonly config: Config,
    @Inject(LOGGER) private readonly log: Logger,
  ) {}

  /** Does nothing without limits. */
  start(): void {
    if (!this.limits.autoscale) return
    if (this.config.worker.pool === 'solo') this.log.warn('--autoscale has no meaning with --pool solo')
    else {
      const levelOf = (error: unknown) => (isDatabaseUnavailable(error) ? 'debug' : 'error')
      const job = { name: 'autoscale', intervalMs, run: () => this.adapt() }
      this.loop = new PeriodicLoop({ ...job, failure: 'compute children not scaled', levelOf }, this.log)
      this.loop.start()
    }
  }

  async stop(): Promise<void> {
    await this.loop?.stop()
  }

  /** Between which numbers of children it scales; undefined when it does not. */
  get range(): ScaleLimits | undefined {
    return this.loop && this.limits.autoscale
  }

  /** Changes these numbers. @throws {MemoryGuardError} REQUEST_INVALID for less than one child, and for a maximum below the minimum. */
  setRange(range: ScaleLimits): void {
    if (!(range.min >= 1 && range.max >= range.min)) {
      throw new MemoryGuardError('REQUEST_INVALID', 'The minimum must be 1 or more, and the maximum not below it.')
    }
    this.limits.autoscale = range
    this.loop?.wake()
  }

  private async adapt(): Promise<void> {
    const range = this.limits.autoscale
    if (!range) return
    const { children } = this.size
    const waiting = this.runner.hasFreeChild ? 0 : await this.countWaitingBatches()
    const workload = { children, busy: this.runner.batchesUnderWay, waiting }
    const wanted = this.scale.decide(performance.now(), workload, range)
    if (wanted === children) return
    this.log.info({ from: children, to: wanted, waiting }, 'compute children scaled')
    await this.size.set(wanted)
  }

  private async countWaitingBatches(): Promise<number> {
    let batches = this.size.countWaiting(waitingSeconds * 1000)
    for (const [queue, tasks] of await this.due.count(waitingSeconds))
      batches += Math.ceil(tasks / queueSettings[queue].batchSize)
    return batches
  }
}
