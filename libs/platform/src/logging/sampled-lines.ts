import type { Logger } from './logger.js'

/** Length of one count, in milliseconds. */
const windowMs = 1_000

/** Lines of one kind. */
export interface LineKind {
  readonly message: string
  readonly level: 'info' | 'warn'
  readonly perSecond: number
  /** The line about those that were left out; its field `leftOut` says how many. */
  readonly furtherMessage: string
}

/** Logs lines of one kind up to so many times a second, and then how many were left out. One left out costs an increment. */
export class SampledLines {
  private asked = 0
  private timer: NodeJS.Timeout | undefined

  constructor(
    private readonly log: Logger,
    private readonly kind: LineKind,
  ) {}

  /** Logs a line. `fields` is called only if the line is not left out. */
  add(fields: () => object): void {
    this.asked += 1
    this.timer ??= setTimeout(() => this.endWindow(), windowMs).unref()
    if (this.asked <= this.kind.perSecond) this.log[this.kind.level](fields(), this.kind.message)
  }

  private endWindow(): void {
    const leftOut = this.asked - this.kind.perSecond
    this.asked = 0
    this.timer = undefined
    if (leftOut > 0) this.log[this.kind.level]({ leftOut }, this.kind.furtherMessage)
  }
}
