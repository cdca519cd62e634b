import type { WorkerTaskLimits } from '#libs/database'
import { CONFIG, type Config } from '#libs/platform'
import { Inject, Injectable } from '@nestjs/common'
import { RateLimits, type TimeLimits } from './rate-limits.js'
import type { ScaleLimits } from './scale.js'

/** How much this worker does at once, how fast and for how long: by configuration, and as operators have set it since. */
@Injectable()
export class WorkerLimits {
  /** Compute children at the start. */
  readonly concurrency: number
  /** How long a revoked task may take to end before its child is killed, in milliseconds. */
  readonly revokeGraceMs: number
  /** Spaces starts, as operators ask for it. */
  readonly rates = new RateLimits()
  /** Between which numbers of compute children the worker scales; undefined without autoscaling. */
  autoscale: ScaleLimits | undefined
  private readonly times = new Map<string, TimeLimits>()
  private readonly defaultTimes: TimeLimits

  constructor(@Inject(CONFIG) { worker, task }: Config) {
    this.concurrency = worker.concurrency
    this.autoscale = worker.autoscale
    this.revokeGraceMs = task.revokeGraceSeconds * 1000
    this.defaultTimes = { soft: task.softTimeLimitSeconds, hard: task.timeLimitSeconds }
  }

  /** Changes the time limits of a task, in seconds, from its next start on; returns those in force. */
  setTimes(task: string, soft: number | undefined, hard: number | undefined): TimeLimits {
    const limits = { soft: soft ?? this.timesOf(task).soft, hard: hard ?? this.timesOf(task).hard }
    this.times.set(task, limits)
    return limits
  }

  /** The time limits of a task, in seconds. */
  timesOf(task: string): TimeLimits {
    return this.times.get(task) ?? this.defaultTimes
  }

  /** What operators have limited on this worker, by task. */
  get setByOperators(): Readonly<Record<string, WorkerTaskLimits>> {
    const tasks = new Set([...this.rates.names, ...this.times.keys()])
    return Object.fromEntries([...tasks].map((task) => [task, this.limitsOf(task)]))
  }

  private limitsOf(task: string): WorkerTaskLimits {
    const [rate, times] = [this.rates.perSecond(task), this.times.get(task)]
    return {
      ...(rate !== undefined && { rate_per_second: rate }),
      ...(times && { soft_seconds: times.soft, hard_seconds: times.hard }),
    }
  }
}
