import { MemoryGuardError, reasonOf, type Config, type Logger } from '#libs/platform'
import { checkBroker } from './check-broker.js'

/** While the broker is unavailable, the reason is queried at most this often, in milliseconds. */
const checkMs = 5_000

/**
 * Logs outages of the broker. All connections of a process report here: one line is logged when the broker becomes
 * unavailable, one when the reason changes, and one when it works again. The error of a connection is seldom the reason
 * (a reset, a time-out), so the reason is queried over a new connection.
 */
export class BrokerOutage {
  private reason: string | undefined
  private checkedAt = -checkMs
  private isChecking = false

  constructor(
    private readonly config: Config,
    private readonly log: Logger,
    private readonly check: (config: Config) => Promise<unknown> = checkBroker,
  ) {}

  /** Whether the broker is known to be out of order. */
  get isKnown(): boolean {
    return this.reason !== undefined
  }

  /** A call or a connection has failed. */
  failed(error: unknown): void {
    this.log.debug({ err: error }, 'broker call failed')
    if (this.isChecking || performance.now() - this.checkedAt < checkMs) return
    this.isChecking = true
    void this.update(error)
  }

  /** Something was written. */
  worked(): void {
    if (this.reason === undefined) return
    this.reason = undefined
    this.log.info('broker available again')
  }

  private async update(error: unknown): Promise<void> {
    const reason = await this.findReason(error)
    this.isChecking = false
    this.checkedAt = performance.now()
    if (reason === this.reason) return
    this.reason = reason
    this.log.warn({ reason }, 'broker unavailable')
  }

  private async findReason(error: unknown): Promise<string> {
    try {
      await this.check(this.config)
      return reasonOf(error instanceof MemoryGuardError && error.cause !== undefined ? error.cause : error)
    } catch (found) {
      return reasonOf(found)
    }
  }
}
