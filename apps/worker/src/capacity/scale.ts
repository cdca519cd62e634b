/** Between which numbers of children a worker scales, and how long more than are needed stay. */
export interface ScaleLimits {
  readonly max: number
  readonly min: number
  readonly idleSeconds: number
}

/** What one check finds that a worker has to do. */
export interface Workload {
  readonly children: number
  /** Batches that are computed. */
  readonly busy: number
  /** Batches that have waited for a while. */
  readonly waiting: number
}

/**
 * Decides how many children a worker has: more as soon as work waits while every child is busy, at most twice as many
 * at a time; fewer when for some time fewer were needed, then as many as were needed in that time.
 */
export class Scale {
  private surplus: { readonly since: number; peak: number } | undefined

  /** How many children there should be now; `nowMs` is in milliseconds of any monotonic clock. */
  decide(nowMs: number, { children, busy, waiting }: Workload, { max, min, idleSeconds }: ScaleLimits): number {
    const isShort = busy >= children && waiting > 0
    if (isShort || busy >= children) this.surplus = undefined
    if (children < min) return min
    if (isShort && children < max) return Math.min(max, children + waiting, children * 2)
    if (busy >= children) return children
    this.surplus ??= { since: nowMs, peak: 0 }
    this.surplus.peak = Math.max(this.surplus.peak, busy)
    if (nowMs - this.surplus.since < idleSeconds * 1000) return children
    const needed = Math.max(min, this.surplus.peak)
    this.surplus = undefined
    return Math.min(children, needed)
  }
}
