import type { Logger } from './logging/index.js'

/** Work that a process repeats while it lives. */
export interface PeriodicJob {
  /** What the log calls it. */
  readonly name: string
  /** Time from the end of a run to the start of the next one, in milliseconds. */
  readonly intervalMs: number
  /** One run. It may resolve to the time until the next one, in milliseconds. An error is logged, and the loop continues. */
  readonly run: () => Promise<number | undefined | void>
  /** The log line of a failed run, and its level by the error. */
  readonly failure?: string
  readonly levelOf?: (error: unknown) => 'debug' | 'warn' | 'error'
}

/** Runs a job again and again, one run at a time, until it is stopped. It does not keep the process alive. */
export class PeriodicLoop {
  private timer: NodeJS.Timeout | undefined
  private running: Promise<void> | undefined
  private hasStopped = false
  /** Set from a call of `wake` to the start of the run that it asked for. */
  private wakeInMs: number | undefined

  constructor(
    private readonly job: PeriodicJob,
    private readonly log: Logger,
  ) {}

  /** For a run that takes long: it should end soon. */
  get isStopped(): boolean {
    return this.hasStopped
  }

  /** The first run begins after `afterMs`; without it, after the interval. */
  start(afterMs = this.job.intervalMs): void {
    if (this.hasStopped) return
    clearTimeout(this.timer)
    this.timer = setTimeout(() => {
      this.running = this.run()
    }, afterMs).unref()
  }

  /** Runs after `inMs` instead of the interval; if a run is in progress, that long after its end. */
  wake(inMs = 0): void {
    if (this.wakeInMs !== undefined) return
    this.wakeInMs = inMs
    if (!this.running) this.start(inMs)
  }

  /** No run begins any more. Resolves when the one in progress has ended. */
  async stop(): Promise<void> {
    this.hasStopped = true
    clearTimeout(this.timer)
    await this.running
  }

  private async run(): Promise<void> {
    this.wakeInMs = undefined
    let nextMs: number | undefined | void
    try {
      nextMs = await this.job.run()
    } catch (error) {
      const { name, failure = 'periodic job failed; it runs again', levelOf } = this.job
      this.log[levelOf?.(error) ?? 'error']({ err: error, job: name }, failure)
    }
    this.running = undefined
    this.start(this.wakeInMs ?? nextMs ?? this.job.intervalMs)
  }
}
