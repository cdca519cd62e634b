/** When a worker that takes no work although some waits is helped, in seconds since it was first seen. */
export interface StallPeriods {
  readonly rebuildSeconds: number
  readonly unreadySeconds: number
  readonly exitSeconds: number
}

/** What is seen of a worker at one check. */
export interface StallSight {
  /** Batches of jobs taken so far. */
  readonly taken: number
  /** Work waits that this worker could take: it consumes the queue, a child is free, and the broker holds a job of it. */
  readonly isStarving: boolean
  readonly isBrokerUp: boolean
}

/**
 * The action to take. `rebuild` is returned once for each stall, and again while the broker does not respond, because then
 * either the broker may be down or only the connection to it dead.
 */
export type StallVerdict = 'well' | 'rebuild' | 'unready' | 'exit'

/** Decides how a stalled worker is helped. An outage of the broker never makes it unready or ends it. */
export class StallClock {
  private taken = 0
  private since: number | undefined
  private isRebuilt = false

  constructor(private readonly periods: StallPeriods) {}

  /** Nothing can be said, for the database does not respond, or all is well: begins anew. */
  reset(): void {
    this.since = undefined
    this.isRebuilt = false
  }

  /** `nowMs` is in milliseconds of any monotonic clock. */
  judge(nowMs: number, { taken, isStarving, isBrokerUp }: StallSight): StallVerdict {
    const hasMoved = taken !== this.taken
    this.taken = taken
    if (hasMoved || !isStarving || (this.isRebuilt && !isBrokerUp)) this.reset()
    if (hasMoved || !isStarving) return 'well'
    this.since ??= nowMs
    const seconds = (nowMs - this.since) / 1000
    if (isBrokerUp && seconds >= this.periods.exitSeconds) return 'exit'
    if (isBrokerUp && seconds >= this.periods.unreadySeconds) return 'unready'
    if (this.isRebuilt || seconds < this.periods.rebuildSeconds) return 'well'
    this.isRebuilt = true
    return 'rebuild'
  }
}
