/** Seconds of the units of Celery's rates. */
const unitSeconds: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3600 }

/** Spaces the starts of tasks by name, as operators have set it on this worker. */
export class RateLimits {
  private readonly limits = new Map<string, { readonly intervalMs: number; nextAt: number }>()

  constructor(private readonly now: () => number = Date.now) {}

  /** `10/m`, `2/s`, `100/h`, or a number of tasks per second; 0 lifts the limit. */
  set(task: string, rate: string): void {
    const [count = '0', unit = 's'] = rate.split('/')
    const perSecond = Number(count) / (unitSeconds[unit] ?? 1)
    if (perSecond > 0) this.limits.set(task, { intervalMs: 1000 / perSecond, nextAt: this.now() })
    else this.limits.delete(task)
  }

  /** Starts a second of a task; undefined without a limit. */
  perSecond(task: string): number | undefined {
    const limit = this.limits.get(task)
    return limit && 1000 / limit.intervalMs
  }

  /** The tasks that have a limit. */
  get names(): readonly string[] {
    return [...this.limits.keys()]
  }

  /** Milliseconds until a task may start; the start is taken. */
  take(task: string): number {
    const limit = this.limits.get(task)
    if (!limit) return 0
    const now = this.now()
    const startsAt = Math.max(now, limit.nextAt)
    limit.nextAt = startsAt + limit.intervalMs
    return startsAt - now
  }
}

/** Limits of a task, in seconds. */
export interface TimeLimits {
  readonly soft: number
  readonly hard: number
}
