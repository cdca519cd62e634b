import { isDatabaseUnavailable } from '#libs/database'
import { CONFIG, LOGGER, PeriodicLoop, type Config, type Logger } from '#libs/platform'
import { queueSettings } from '#libs/tasks'
import { Inject, Injectable } from '@nestjs/common'
import { DueWork } from './due-work.js'
import { PoolSize } from './pool-size.js'
import { Scale } from './scale.js'
import { TaskRunner } from '../execution/task-runner.js'

const intervalMs = 1_000
/** Work that waits this long finds no free child. */
const waitingSeconds = 1

/** Keeps as many compute children as there is work for, between the two numbers of `--autoscale`. */
@Injectable()
export class Autoscaler {
  private loop: PeriodicLoop | undefined

  constructor(
    private readonly size: PoolSize,
    private readonly runner: TaskRunner,
    private readonly due: DueWork,
    @Inject(CONFIG) private readonly config: Config,
    @Inject(LOGGER) private readonly log: Logger,
  ) {}

  /** Does nothing without limits. */
  start(): void {
    const { autoscale, pool } = this.config.worker
    if (!autoscale) return
    if (pool === 'solo') this.log.warn('--autoscale has no meaning with --pool solo')
    else {
      const scale = new Scale(autoscale)
      const levelOf = (error: unknown) => (isDatabaseUnavailable(error) ? 'debug' : 'error')
      const job = { name: 'autoscale', intervalMs, run: () => this.look(scale) }
      this.loop = new PeriodicLoop({ ...job, failure: 'compute children not scaled', levelOf }, this.log)
      this.loop.start()
    }
  }

  async stop(): Promise<void> {
    await this.loop?.stop()
  }

  private async look(scale: Scale): Promise<void> {
    const { children } = this.size
    const waiting = this.runner.hasFreeChild ? 0 : await this.countWaitingBatches()
    const wanted = scale.look(performance.now(), { children, busy: this.runner.batchesUnderWay, waiting })
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
