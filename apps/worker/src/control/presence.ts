import { randomUUID } from 'node:crypto'
import { hostname } from 'node:os'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { WorkerRepository, type Heartbeat, type WorkerState } from '#libs/database'
import { ModelRegistry } from '#libs/ml'
import { CONFIG, LOGGER, PeriodicLoop, type Config, type Logger } from '#libs/platform'
import { Inject, Injectable } from '@nestjs/common'
import { WorkerMetrics } from '../health/worker-metrics.js'
import { Consumers } from '../processors/consumers.js'
import { HandlerRegistry } from '../execution/handler-registry.js'
import { LeaseKeeper } from '../execution/lease-keeper.js'
import { WorkerLimits } from '../capacity/worker-limits.js'
import { TaskRunner } from '../execution/task-runner.js'
import { versions, WORKER_NAME } from './worker-name.js'

const intervalMs = 5_000

/** Writes the heartbeat row of this worker. A missed beat is logged and harmless; the row then shows as stale. */
@Injectable()
export class Presence {
  /** Identity of this process among those of its name. */
  readonly id = randomUUID()
  private readonly loopDelay = monitorEventLoopDelay({ resolution: 10 })
  private readonly loop: PeriodicLoop
  private state: WorkerState = 'starting'
  private duplicates = 0

  constructor(
    private readonly workers: WorkerRepository,
    private readonly models: ModelRegistry,
    private readonly metrics: WorkerMetrics,
    private readonly leases: LeaseKeeper,
    private readonly consumers: Consumers,
    private readonly handlers: HandlerRegistry,
    private readonly runner: TaskRunner,
    private readonly limits: WorkerLimits,
    @Inject(WORKER_NAME) private readonly name: string,
    @Inject(CONFIG) private readonly config: Config,
    @Inject(LOGGER) private readonly log: Logger,
  ) {
    this.loopDelay.enable()
    this.loop = new PeriodicLoop({ name: 'heartbeat', intervalMs, run: () => this.beat() }, log)
    models.onChange = () => {
      if (this.state !== 'starting') void this.beat()
    }
  }

  /** Reports the state from now on. To be called once the database is connected. */
  start(): void {
    this.loop.start(0)
  }

  async become(state: WorkerState): Promise<void> {
    this.state = state
    await this.beat()
  }

  async stop(): Promise<void> {
    await this.loop.stop()
    this.loopDelay.disable()
    await this.become('stopped')
  }

  /** Once for each time that another one appears. */
  private reportDuplicates(duplicates: number): void {
    if (duplicates > this.duplicates)
      this.log.warn({ duplicates }, 'worker name used twice: give each worker its own with --hostname')
    this.duplicates = duplicates
  }

  /** Writes the row now. */
  async beat(): Promise<void> {
    const { autoscale } = this.config.worker
    const heartbeat: Heartbeat = {
      id: this.id,
      name: this.name,
      hostname: hostname(),
      pid: process.pid,
      state: this.state,
      queues: [...this.consumers.queues],
      pool: this.config.worker.pool,
      concurrency: this.runner.concurrency,
      tasks: [...this.handlers.names],
      stats: {
        ...this.metrics.totals,
        active: this.leases.size,
        ...(autoscale && { autoscale_max: autoscale.max, autoscale_min: autoscale.min }),
        loop_delay_p99_ms: this.loopDelay.percentile(99) / 1e6,
        loop_delay_max_ms: this.loopDelay.max / 1e6,
        limits: this.limits.setByOperators,
      },
      models: [...this.models.readyReferences],
      modelStates: Object.fromEntries(
        this.models.models.map(({ reference, state, reason }) => [reference, { state, reason }]),
      ),
      versions: versions,
    }
    this.loopDelay.reset()
    try {
      this.reportDuplicates(await this.workers.beat(heartbeat))
    } catch (error) {
      this.log.warn({ err: error }, 'heartbeat not written')
    }
  }
}
