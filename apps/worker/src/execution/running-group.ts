import type { ClaimedTask } from '#libs/database'
import { MemoryGuardError } from '#libs/platform'

/** Tasks that are computed together, and the ways to end them before they are done. */
export class RunningGroup {
  private readonly asked = new AbortController()
  private readonly killed = new AbortController()
  private readonly revoked = new Set<string>()
  private readonly timers: NodeJS.Timeout[] = []
  private abandon: (reason: unknown) => void = () => undefined
  private readonly abandoned: Promise<never>

  constructor(readonly tasks: readonly ClaimedTask[]) {
    this.abandoned = new Promise((_, reject) => {
      this.abandon = reject
    })
    // A rejection after the end is no one's concern.
    this.abandoned.catch(() => undefined)
  }

  /** Aborted when the work should end at its next safe point. */
  get signal(): AbortSignal {
    return this.asked.signal
  }

  /** Aborted when what computes is to be killed. */
  get killSignal(): AbortSignal {
    return this.killed.signal
  }

  isRevoked({ id }: ClaimedTask): boolean {
    return this.revoked.has(id)
  }

  /** Asks the work to end after a time, for a reason that becomes each task's outcome. */
  askIn(delayMs: number, reason: () => MemoryGuardError): void {
    this.timers.push(setTimeout(() => this.asked.abort(reason()), delayMs))
  }

  /** Waits no longer than this for the work; the reason becomes each task's outcome. */
  abandonIn(delayMs: number, reason: () => MemoryGuardError): void {
    this.timers.push(setTimeout(() => this.abandon(reason()), delayMs))
  }

  /** Hands every task back at once. */
  release(reason: MemoryGuardError): void {
    this.asked.abort(reason)
    this.abandon(reason)
  }

  /**
   * Removes one task from the run. The run continues for the others; if there are none, or with `terminate`, the run is
   * killed after `graceMs`, and the other tasks are handed back.
   */
  revoke(id: string, terminate: boolean, graceMs: number): void {
    this.revoked.add(id)
    const isAlone = this.tasks.every((task) => this.isRevoked(task))
    if (isAlone) this.asked.abort(new MemoryGuardError('TASK_REVOKED', 'It was revoked.'))
    if (!isAlone && !terminate) return
    const reason = new MemoryGuardError('TASK_RELEASED', 'It was computed along with a task that was terminated.')
    this.timers.push(
      setTimeout(() => {
        this.killed.abort(reason)
        this.abandon(reason)
      }, graceMs),
    )
  }

  /** The outcome of the work, or the rejection by which it was abandoned. */
  async race<Outcome>(work: Promise<Outcome>): Promise<Outcome> {
    return Promise.race([work, this.abandoned])
  }

  /** Ends the time limits: the work has ended. */
  end(): void {
    this.timers.forEach(clearTimeout)
  }
}
