import type { ChildProcessHandle } from './child-process-handle.js'
import { loadTimeoutMs, type GraphSpec, type OutputTensors } from './compute-pool.js'

/** Tries graphs one after another in a child of its own, which ends when no trial waits. */
export class TrialChild {
  private child: ChildProcessHandle | undefined
  private last: Promise<unknown> = Promise.resolve()

  /** `start` starts a child and calls `onExit` when it has ended. */
  constructor(private readonly start: (onExit: () => void) => ChildProcessHandle) {}

  /** Loads a graph and runs its warm-up rows. */
  run(graph: GraphSpec): Promise<OutputTensors> {
    const trial = this.last.then(() => this.load(graph))
    const settled = trial.then(
      () => undefined,
      () => undefined,
    )
    this.last = settled
    void settled.then(() => (this.last === settled ? this.end() : undefined))
    return trial
  }

  async end(): Promise<void> {
    const { child } = this
    this.child = undefined
    await child?.kill()
  }

  private async load(graph: GraphSpec): Promise<OutputTensors> {
    const child = (this.child ??= this.start(() => {
      if (this.child === child) this.child = undefined
    }))
    return (await child.send({ kind: 'load', graph }, loadTimeoutMs)) as OutputTensors
  }
}
