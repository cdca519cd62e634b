import { withinTime } from './time-limit.js'

/** A part of a process that is started once and stopped once. */
export interface LifecycleStep {
  /** What the log calls it. */
  readonly name: string
  readonly start?: () => unknown
  readonly stop?: () => unknown
  /** Stopping is given up after this long, in milliseconds; the end of the process does the rest. */
  readonly stopMs?: number
}

/** The part of a log that is needed here. */
interface StepLog {
  debug(fields: object, message: string): void
  error(fields: { readonly err: unknown; readonly step: string }, message: string): void
}

/** The parts of a process in their order: started one after the other, stopped in reverse. */
export class Lifecycle {
  /** Where the process stands between start and stop. */
  state: 'starting' | 'ready' | 'draining' = 'starting'
  private readonly started: LifecycleStep[] = []

  constructor(private readonly log: StepLog) {}

  /** Starts steps in the order given. @throws the first error; the steps after it are not started. */
  async start(steps: readonly LifecycleStep[]): Promise<void> {
    for (const step of steps) {
      await step.start?.()
      this.add(step)
    }
  }

  /** Adds a part that runs already. */
  add(step: Omit<LifecycleStep, 'start'>): void {
    this.started.push(step)
  }

  /** Stops what was started, the last first. A step that fails or takes too long is logged, and the next is stopped. */
  async stop(): Promise<void> {
    for (let step = this.started.pop(); step; step = this.started.pop()) {
      const { name, stop, stopMs } = step
      try {
        const stopped = Promise.resolve(stop?.()).then(() => true)
        const isStopped = stopMs === undefined ? await stopped : await withinTime(stopped, stopMs, false)
        if (!isStopped) this.log.debug({ step: name, stopMs }, 'step not stopped in time')
      } catch (error) {
        this.log.error({ err: error, step: name }, 'step not stopped')
      }
    }
  }
}
