import { isTerminal, type TaskState } from '#libs/tasks/contracts'
import type { AttemptOutcome, TaskAttemptEntity } from './entities/task-attempt.entity.js'
import type { TaskEntity } from './entities/task.entity.js'

/** One change of a task's state. */
export interface TimelineEntry {
  readonly state: TaskState
  /** ISO 8601 */
  readonly at: string
  readonly attempt?: number
  readonly worker?: string
  /** How the attempt before it ended, where the state alone does not tell. */
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

const running = (attempt: number, at: Date | null, worker: string | null): readonly TimelineEntry[] =>
  at === null ? [] : [{ state: 'running', at: at.toISOString(), attempt, ...(worker !== null && { worker }) }]

/**
 * Every change of a task's state with its time, read off the task and its ended attempts: each transition stands in one
 * of their columns, so nothing further is written for it.
 */
export const timelineOf = (task: TaskEntity, attempts: readonly TaskAttemptEntity[]): readonly TimelineEntry[] => {
  const entries: TimelineEntry[] = [{ state: task.eta ? 'scheduled' : 'queued', at: task.createdAt.toISOString() }]
  for (const { attempt, outcome, worker, startedAt, endedAt } of attempts) {
    const isLast = attempt === task.attempt && isTerminal(task.state)
    entries.push(...running(attempt, startedAt, worker), {
      state: isLast ? task.state : stateAfter[outcome],
      at: endedAt.toISOString(),
      attempt,
      ...((outcome === 'lost' || outcome === 'released') && { reason: outcome }),
    })
  }
  if (task.state === 'running') entries.push(...running(task.attempt, task.startedAt, task.worker))
  const last = entries.at(-1)
  if (task.finishedAt && last?.state !== task.state) {
    entries.push({ state: task.state, at: task.finishedAt.toISOString() })
  }
  return entries
}
