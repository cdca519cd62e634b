import { setImmediate as nextTurn } from 'node:timers/promises'

/** Longest time for which long work keeps others from their turn, in milliseconds. */
const sliceMs = 5

/** Cuts long work into slices, so that other requests have their turn between them. */
export class Slices {
  private since = performance.now()

  isOver(): boolean {
    return performance.now() - this.since >= sliceMs
  }

  /** Resolves when others have had their turn. */
  async next(): Promise<void> {
    await nextTurn()
    this.since = performance.now()
  }
}
