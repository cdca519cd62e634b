/** How far a task is. */
export interface TaskProgress {
  /** 0 to 100. */
  readonly percent: number | null
  /** What it is doing, in a word. */
  readonly stage: string | null
  readonly done: number | null
  readonly total: number | null
  /** At the pace so far. */
  readonly etaSeconds: number | null
}
