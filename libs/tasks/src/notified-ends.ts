import type { EventClock } from '#libs/database'
import type { FinishedTasks } from './finished-tasks.js'

/** Beyond this many, ids are not kept: the owner reads the table instead. */
const maxNotified = 50_000

/** Keeps the ids of ended tasks from the database's notifications until the owner has handled them. */
export class NotifiedEnds {
  private readonly ids = new Set<string>()
  /** Nothing was dropped since then, in milliseconds by the database's clock; undefined: begin anew. */
  private since: number | undefined
  private readonly unsubscribe: () => void

  /** `onNotified` is called whenever some are added. */
  constructor(
    private readonly finished: FinishedTasks,
    private readonly onNotified: () => void = () => undefined,
  ) {
    this.unsubscribe = finished.subscribe((ids) => this.receive(ids))
  }

  /**
   * The ids that are kept, and whether every task is among them that ended at or after `from` (in milliseconds) and
   * before `clock` was read.
   */
  async collect(
    { now }: EventClock,
    from: number,
  ): Promise<{ readonly ids: readonly string[]; readonly isComplete: boolean }> {
    this.since ??= now
    await this.finished.catchUp()
    const since = Math.max(this.since ?? Infinity, this.finished.listeningSince ?? Infinity)
    return { ids: [...this.ids], isComplete: from >= since }
  }

  forget(ids: Iterable<string>): void {
    for (const id of ids) this.ids.delete(id)
  }

  stop(): void {
    this.unsubscribe()
  }

  private receive(ids: readonly string[]): void {
    if (this.ids.size + ids.length > maxNotified) {
      this.ids.clear()
      this.since = undefined
    } else {
      for (const id of ids) this.ids.add(id)
    }
    this.onNotified()
  }
}
