/** A Lamport clock: Celery's monitors order what they receive by its values. */
export class LogicalClock {
  private current = 0

  get value(): number {
    return this.current
  }

  /** Advances by one; returns the value for a message that is sent. */
  forward(): number {
    this.current += 1
    return this.current
  }

  /** Advances past the value of a message that was received; anything but a whole number counts as none. */
  adjust(received: unknown): void {
    const other = typeof received === 'number' && Number.isSafeInteger(received) ? received : 0
    this.current = Math.max(this.current, other) + 1
  }
}
