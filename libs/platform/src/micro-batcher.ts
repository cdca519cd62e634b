/** The outcome of one item: a value, or the error that this item alone gets. */
export type Settled<Out> = { readonly value: Out } | { readonly error: unknown }

export interface MicroBatcherOptions<In, Out> {
  /** Most items of one flush. */
  readonly maxSize: number
  /** Most flushes under way at once; a function where that changes. */
  readonly maxInFlight: number | (() => number)
  /**
   * While other flushes are under way, an item waits at most this long for company. With nothing under way it
   * goes at once, so that a lone caller never pays for batching.
   */
  readonly maxWaitMs: number
  /** Handles a batch. Returns one outcome for each item, in order. A rejection is the outcome of each item. */
  readonly flush: (items: readonly In[]) => Promise<readonly Settled<Out>[]>
}

interface Waiting<In, Out> {
  readonly item: In
  readonly resolve: (value: Out) => void
  readonly reject: (error: unknown) => void
}

/**
 * Turns calls that come close together into one: bounded by size, by time and by flushes under way, flushed at
 * once when idle. Items keep their order.
 */
export class MicroBatcher<In, Out> {
  private waiting: Waiting<In, Out>[] = []
  private inFlight = 0
  private timer: NodeJS.Timeout | undefined
  private scheduled = false

  constructor(private readonly options: MicroBatcherOptions<In, Out>) {}

  /** Items not yet settled. */
  get size(): number {
    return this.waiting.length
  }

  add(item: In): Promise<Out> {
    return new Promise<Out>((resolve, reject) => {
      this.waiting.push({ item, resolve, reject })
      this.schedule()
    })
  }

  /** Checks once per turn of the event loop, so that requests read in the same turn share a flush. */
  private schedule(): void {
    if (this.scheduled) return
    this.scheduled = true
    setImmediate(() => {
      this.scheduled = false
      this.flushReady(false)
    })
  }

  private flushReady(waited: boolean): void {
    const { maxSize, maxInFlight: most, maxWaitMs } = this.options
    const maxInFlight = typeof most === 'number' ? most : most()
    let due = waited
    while (this.waiting.length > 0 && this.inFlight < maxInFlight) {
      if (this.inFlight > 0 && this.waiting.length < maxSize && !due) {
        this.timer ??= setTimeout(() => {
          this.timer = undefined
          this.flushReady(true)
        }, maxWaitMs)
        return
      }
      due = false
      void this.run(this.waiting.splice(0, maxSize))
    }
    if (this.waiting.length === 0 && this.timer) {
      clearTimeout(this.timer)
      this.timer = undefined
    }
  }

  private async run(batch: readonly Waiting<In, Out>[]): Promise<void> {
    this.inFlight += 1
    try {
      const outcomes = await this.options.flush(batch.map(({ item }) => item))
      batch.forEach(({ resolve, reject }, index) => {
        const outcome = outcomes[index]
        if (outcome === undefined) reject(new Error('The flush returned fewer outcomes than it got items'))
        else if ('error' in outcome) reject(outcome.error)
        else resolve(outcome.value)
      })
    } catch (error) {
      for (const { reject } of batch) reject(error)
    } finally {
      this.inFlight -= 1
      this.schedule()
    }
  }
}
