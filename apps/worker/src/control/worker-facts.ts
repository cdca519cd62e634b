import { hostname } from 'node:os'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import type { Heartbeat } from '#libs/database'
import { ModelRegistry } from '#libs/ml'
import type { Config } from '#libs/platform'
import { catalogue } from '#libs/tasks/contracts'
import { Injectable } from '@nestjs/common'
import { WorkerLimits } from '../capacity/worker-limits.js'
import { LeaseKeeper } from '../execution/lease-keeper.js'
import { TaskRunner } from '../execution/task-runner.js'
import { WorkerMetrics } from '../health/worker-metrics.js'
import { Consumers } from '../processors/consumers.js'
import { versions } from './worker-name.js'

/** What a heartbeat says of this worker besides who it is. */
@Injectable()
export class WorkerFacts {
  private readonly loopDelay = monitorEventLoopDelay({ resolution: 10 })

  constructor(
    private readonly models: ModelRegistry,
    private readonly metrics: WorkerMetrics,
    private readonly leases: LeaseKeeper,
    private readonly consumers: Consumers,
    private readonly runner: TaskRunner,
    private readonly limits: WorkerLimits,
  ) {
    this.loopDelay.enable()
  }

  /** Calls back when a model has become ready or failed. */
  whenModelsChange(callback: () => void): void {
    this.models.onChange = callback
  }

  /** Reads the facts; delays of the event loop are those since the last call. */
  read({ pool }: Config['worker']): Omit<Heartbeat, 'id' | 'name' | 'state'> {
    const { autoscale } = this.limits
    const facts = {
      hostname: hostname(),
      pid: process.pid,
      queues: [...this.consumers.queues],
      pool,
      concurrency: this.runner.concurrency,
      tasks: Object.keys(catalogue),
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
      versions,
    }
    this.loopDelay.reset()
    return facts
  }
}
