import type { ChildWork } from './compute-child.js'
import type { ExplainRequest } from './compute-pool.js'

/** Work that waits for a child. */
export interface QueuedWork {
  readonly work: Exclude<ChildWork, { kind: 'load' }>
  readonly limits: Pick<ExplainRequest, 'timeoutMs' | 'isBulk' | 'killSignal' | 'onProgress'>
  /** Milliseconds of the process's clock. */
  readonly queuedAt: number
  /** Receives what the child returned for this kind of work. */
  readonly resolve: (result: unknown) => void
  readonly reject: (error: unknown) => void
}

/** Runs and explanations in the order in which they came; bulk work lets the others go first, up to a point. */
export class WorkQueue {
  private readonly waiting: QueuedWork[] = []

  /** `bulkPatienceMs`: bulk work that has waited this long goes next, however much else there is. */
  constructor(private readonly bulkPatienceMs: number) {}

  get isEmpty(): boolean {
    return this.waiting.length === 0
  }

  countWaiting(longerThanMs: number): number {
    const since = performance.now() - longerThanMs
    return this.waiting.filter(({ queuedAt }) => queuedAt <= since).length
  }

  /** Resolves with the result of the work. */
  add<Result>(work: QueuedWork['work'], limits: QueuedWork['limits']): Promise<Result> {
    return new Promise<Result>((resolve, reject) => {
      const settle = (result: unknown) => resolve(result as Result)
      this.waiting.push({ work, limits, queuedAt: performance.now(), resolve: settle, reject })
    })
  }

  /** The first work that may start, and bulk work only if there is no other or it has waited for long. */
  takeNext(mayExplain: boolean): QueuedWork | undefined {
    const mayStart = ({ work }: QueuedWork) => mayExplain || work.kind === 'run'
    const first = this.waiting.findIndex(mayStart)
    const oldest = this.waiting[first]
    if (!oldest) return undefined
    const isPatient = oldest.limits.isBulk && oldest.queuedAt > performance.now() - this.bulkPatienceMs
    const urgent = isPatient ? this.waiting.findIndex((queued) => mayStart(queued) && !queued.limits.isBulk) : first
    return this.waiting.splice(urgent < 0 ? first : urgent, 1)[0]
  }

  rejectAll(error: unknown): void {
    for (const { reject } of this.waiting.splice(0)) reject(error)
  }
}
