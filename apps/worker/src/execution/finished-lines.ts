import type { AttemptEnd, ClaimedTask } from '#libs/database'
import { LOGGER, SampledLines, type Logger } from '#libs/platform'
import { computeBatchChunk, shownName } from '#libs/tasks/contracts'
import { Inject, Injectable } from '@nestjs/common'

/** Most log lines about finished tasks a second. */
const linesPerSecond = 50
const finalStates = new Set(['succeeded', 'failed', 'cancelled', 'timed_out', 'expired'])

/** One group of tasks whose attempts have ended. */
export interface EndedGroup {
  readonly tasks: readonly ClaimedTask[]
  /** Ids of those whose result was stored. */
  readonly stored: ReadonlySet<string>
  readonly ends: readonly AttemptEnd[]
  readonly durationMs: number
}

/** Logs one line for each finished task, up to 50 a second and then the number of those left out. */
@Injectable()
export class FinishedLines {
  private readonly lines: SampledLines

  constructor(@Inject(LOGGER) private readonly log: Logger) {
    this.lines = new SampledLines(linesPerSecond, (leftOut) =>
      log.info({ leftOut }, 'further tasks finished within a second'),
    )
  }

  report({ tasks, stored, ends, durationMs }: EndedGroup): void {
    for (const task of tasks) {
      const state = stored.has(task.id) ? 'succeeded' : ends.find(({ id }) => id === task.id)?.state
      if (state === undefined || !finalStates.has(state) || !this.lines.take()) continue
      const { id, name, queue, attempt, waitMs, prediction, args } = task
      this.log.info(
        {
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
        },
        'task finished',
      )
    }
  }
}
