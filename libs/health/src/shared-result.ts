/** How old a response to a probe may be, in milliseconds, so that many probes cost no more than one. */
const probeAgeMs = 1_000

/**
 * Keeps the result of `make` for `ageMs` from its start, and shares a call under way: whoever asks meanwhile gets the
 * same. A failure is shared by those that wait for it and not kept.
 */
export class SharedResult<Result> {
  private current: Promise<Result> | undefined

  constructor(
    private readonly make: () => Promise<Result>,
    private readonly ageMs = probeAgeMs,
  ) {}

  get(): Promise<Result> {
    this.current ??= this.begin()
    return this.current
  }

  /** The next call makes a new result. */
  forget(): void {
    this.current = undefined
  }

  private begin(): Promise<Result> {
    const begun = this.make()
    const forget = (): void => {
      if (this.current === begun) this.forget()
    }
    const age = new Promise((resolve) => setTimeout(resolve, this.ageMs).unref())
    void begun.then(() => age).then(forget, forget)
    return begun
  }
}
