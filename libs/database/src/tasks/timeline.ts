import { isTerminal, type TaskState } from '#libs/tasks/contracts'
import type { AttemptOutcome, TaskAttemptEntity } from './task-attempt.entity.js'
import type { TaskEntity } from './task.entity.js'

/** One change of a task's state. */
export interface TimelineEntry {
  /**
   * Its place among all changes that a task can have: 0 when it was made, 2n - 1 for the start and 2n for the end of
   * the n-th attempt. The same change has the same place whenever it is read, and later ones have greater ones.
   */
  readonly place: number
  readonly state: TaskState
  /** ISO 8601 */
  readonly at: string
  readonly attempt?: number
  readonly worker?: string
  /** How the attempt before it ended, where the state alone does not show it. */
  readonly reason?: AttemptOutcome
}

/** What a task becomes when an attempt ends so. A lost one is queued again unless it was the last. */
const stateAfter: Readonly<Record<AttemptOutcome, TaskState>> = {
  succeeded: 'succeeded',
  retried: 'retrying',
  failed: 'failed',
  timed_out: 'timed_out',
  cancelled: 'cancelled',
  released: 'queued',
  lost: 'queued',
}

/** What of a task its timeline is read off. */
export type TimelineTask = Pick<
  TaskEntity,
  'state' | 'eta' | 'attempt' | 'worker' | 'createdAt' | 'startedAt' | 'finishedAt'
>

/** What of an ended attempt its task's timeline is read off. */
export type TimelineAttempt = Pick<TaskAttemptEntity, 'attempt' | 'outcome' | 'worker' | 'startedAt' | 'endedAt'>

const running = (attempt: number, at: Date | null, worker: string | null): readonly TimelineEntry[] =>
  at === null
    ? []
    : [{ place: 2 * attempt - 1, state: 'running', at: at.toISOString(), attempt, ...(worker !== null && { worker }) }]

/**
 * Every change of a task's state with its time, read off the task and its ended attempts: each transition stands in one
 * of their columns, so nothing further is written for it. What is read later only adds to the end.
 */
export const timelineOf = (task: TimelineTask, attempts: readonly TimelineAttempt[]): readonly TimelineEntry[] => {
  const { state, finishedAt } = task
  const entries: TimelineEntry[] = [
    { place: 0, state: task.eta ? 'scheduled' : 'queued', at: task.createdAt.toISOString() },
  ]
  for (const { attempt, outcome, worker, startedAt, endedAt } of attempts) {
    // An attempt that ended its task did so in one statement, at one time.
    const isLast = attempt === task.attempt && endedAt.getTime() === finishedAt?.getTime()
    entries.push(...running(attempt, startedAt, worker), {
      place: 2 * attempt,
      state: isLast ? state : stateAfter[outcome],
      at: endedAt.toISOString(),
      attempt,
      ...((outcome === 'lost' || outcome === 'released') && { reason: outcome }),
    })
  }
  // A task that was ended from outside while it ran has a start without the end of an attempt.
  const isUnended = task.attempt > (attempts.at(-1)?.attempt ?? 0)
  if (isUnended) entries.push(...running(task.attempt, task.startedAt, task.worker))
  if (finishedAt && !isTerminal(entries.at(-1)?.state ?? 'queued')) {
    entries.push({ place: 2 * task.attempt + (isUnended ? 0 : 1), state, at: finishedAt.toISOString() })
  }
  return entries
}
