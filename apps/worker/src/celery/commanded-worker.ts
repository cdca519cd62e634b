import { CommandFault, type CeleryWorker } from '#libs/celery'
import { COMPUTE_POOL, type ComputePool } from '#libs/ml'
import { CONFIG, MemoryGuardError, type CeleryConfig, type Config } from '#libs/platform'
import { catalogue } from '#libs/tasks/contracts'
import { Inject, Injectable } from '@nestjs/common'
import { z } from 'zod'
import { Autoscaler } from '../capacity/autoscaler.js'
import { WorkerLimits } from '../capacity/worker-limits.js'
import { WorkerCommands } from '../control/worker-commands.js'
import { WorkerMetrics } from '../health/worker-metrics.js'
import { celerySettings } from './celery-settings.js'
import { describeBroker, describePool, describeUsage } from './celery-statistics.js'

/** This worker, as the commands of `celery inspect` and `celery control` see it. */
@Injectable()
export class CommandedWorker implements CeleryWorker {
  readonly settings: Readonly<Record<string, unknown>>
  readonly tasks: readonly string[] = Object.keys(catalogue).sort()
  private readonly celery: CeleryConfig

  constructor(
    private readonly commands: WorkerCommands,
    private readonly limits: WorkerLimits,
    private readonly metrics: WorkerMetrics,
    private readonly autoscaler: Autoscaler,
    @Inject(COMPUTE_POOL) private readonly pool: ComputePool,
    @Inject(CONFIG) private readonly config: Config,
  ) {
    if (!config.celery) throw new MemoryGuardError('CONFIG_INVALID', 'The Celery gateway needs CELERY_BROKER_URL.')
    this.celery = config.celery
    this.settings = celerySettings(config, config.celery)
  }

  attributesOf(task: string): Readonly<Record<string, unknown>> {
    const { soft, hard } = this.limits.timesOf(task)
    const perSecond = this.limits.rates.perSecond(task)
    return {
      ...(perSecond !== undefined && { rate_limit: rateText(perSecond) }),
      max_retries: this.config.task.maxRetries,
      default_retry_delay: this.config.task.retryDelaySeconds,
      soft_time_limit: soft,
      time_limit: hard,
      serializer: 'json',
      ignore_result: false,
      track_started: true,
      acks_late: true,
    }
  }

  readStatistics(): Readonly<Record<string, unknown>> {
    const { children } = this.pool
    const { softTimeLimitSeconds: soft, timeLimitSeconds: hard } = this.config.task
    const range = this.autoscaler.range
    return {
      total: Object.fromEntries(this.metrics.processedByTask),
      pid: process.pid,
      uptime: Math.round(process.uptime()),
      pool: describePool(this.config, { concurrency: children.length, children, soft, hard }),
      broker: describeBroker(this.celery.brokerUrl),
      ...(range && { autoscaler: { max: range.max, min: range.min, current: children.length } }),
      rusage: describeUsage(),
    }
  }

  get isAutoscaled(): boolean {
    return this.autoscaler.range !== undefined
  }

  resize(by: number): Promise<void> {
    return this.run(by < 0 ? 'pool-shrink' : 'pool-grow', { n: Math.abs(by) })
  }

  restartPool(): Promise<void> {
    return this.run('pool-restart', {})
  }

  autoscale(max: number | undefined, min: number | undefined): { readonly max: number; readonly min: number } {
    const { range } = this.autoscaler
    if (!range) throw new CommandFault('ValueError', 'Autoscale not enabled')
    const next = { ...range, max: max ?? range.max, min: min ?? range.min }
    this.autoscaler.setRange(next)
    return next
  }

  limitRate(task: string, rate: string): Promise<void> {
    return this.run('rate-limit', { task, rate })
  }

  limitTime(task: string, limits: { readonly soft: number | undefined; readonly hard: number | undefined }) {
    return this.run('time-limit', { task, ...limits })
  }

  shutDown(): Promise<void> {
    return this.run('shutdown', {})
  }

  /** @throws {CommandFault} ValueError for arguments that the command does not take. */
  private async run(command: string, given: object): Promise<void> {
    try {
      await this.commands.run(command, given)
    } catch (error) {
      if (!(error instanceof z.ZodError)) throw error
      const faults = error.issues.map(({ path, message }) => `${path.join('.')} ${message}`)
      throw new CommandFault('ValueError', faults.join('; '))
    }
  }
}

/** `10/m` rather than a long fraction of a second. */
const rateText = (perSecond: number): string => {
  const units = [
    ['s', 1],
    ['m', 60],
    ['h', 3600],
  ] as const
  const whole = units.find(([, seconds]) => Math.abs(perSecond * seconds - Math.round(perSecond * seconds)) < 1e-6)
  const [unit, seconds] = whole ?? ['s', 1]
  return `${Number((perSecond * seconds).toFixed(3))}/${unit}`
}
