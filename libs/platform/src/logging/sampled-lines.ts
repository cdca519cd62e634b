/** Length of one count, in milliseconds. */
const windowMs = 1_000

/**
 * Bounds how many lines of one kind are logged: a call is allowed up to `perSecond` times a second, and afterwards
 * `summarize` is told how many were left out. A refused call costs an increment.
 */
export class SampledLines {
  private taken = 0
  private timer: NodeJS.Timeout | undefined

  constructor(
    private readonly perSecond: number,
    private readonly summarize: (leftOut: number) => void,
  ) {}

  /** Whether a line may be logged now. */
  take(): boolean {
    this.taken += 1
    this.timer ??= setTimeout(() => this.endWindow(), windowMs).unref()
    return this.taken <= this.perSecond
  }

  private endWindow(): void {
    const leftOut = this.taken - this.perSecond
    this.taken = 0
    this.timer = undefined
    if (leftOut > 0) this.summarize(leftOut)
  }
}
