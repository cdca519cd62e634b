import type { AttemptEnd, ClaimedTask } from '#libs/database'
import type { FinishedLines } from '#libs/tasks'
import { computeBatchChunk, shownName } from '#libs/tasks/contracts'

const finalStates = new Set(['succeeded', 'failed', 'cancelled', 'timed_out', 'expired'])

/** One group of tasks whose attempts have ended. */
export interface EndedGroup {
  readonly tasks: readonly ClaimedTask[]
  /** Ids of those whose result was stored. */
  readonly stored: ReadonlySet<string>
  readonly ends: readonly AttemptEnd[]
  readonly durationMs: number
}

/** Logs the tasks of a group that have finished; others run again. */
export const reportEnded = (lines: FinishedLines, { tasks, stored, ends, durationMs }: EndedGroup): void => {
  for (const { id, name, queue, attempt, waitMs, prediction, args } of tasks) {
    const state = stored.has(id) ? 'succeeded' : ends.find((end) => end.id === id)?.state
    if (state === undefined || !finalStates.has(state)) continue
    lines.add(() => ({
      task: id,
      name: shownName(name),
      queue,
      state,
      attempt,
      wait_ms: waitMs,
      duration_ms: Math.round(durationMs),
      ...(prediction && { prediction: Number(prediction.id) }),
      // The id of a batch is that of the task that was submitted.
      ...(name === computeBatchChunk.name && { batch: args['batch_id'] }),
    }))
  }
}
