import {
  timelineOf,
  type ScheduleOrigin,
  type TaskAttemptEntity,
  type TaskEntity,
  type TaskOrigin,
  type TaskProgress,
} from '#libs/database'
import { celeryStateOf, isTerminal, shownName } from '#libs/tasks/contracts'
import type { ProgressResponse, SentTask, TaskResponse, TaskResult, TaskSummary } from './tasks.schemas.js'

export const toSummary = (task: TaskEntity): TaskSummary => ({
  id: task.id,
  name: shownName(task.name),
  queue: task.queue,
  state: task.state,
  celery_state: celeryStateOf(task.state),
  args: argsOf(task),
  user_id: numberOrNull(task.userId),
  prediction_id: numberOrNull(task.predictionId),
  priority: task.priority,
  attempt: task.attempt,
  retries: task.retries,
  crashes: task.crashes,
  worker: task.worker,
  error: failureOf(task),
  replay_of: task.replayOf,
  parent_id: task.parentId,
  submitted_by: task.submittedBy,
  revoke_requested_at: task.revokeRequestedAt?.toISOString() ?? null,
  created_at: task.createdAt.toISOString(),
  available_at: task.availableAt.toISOString(),
  expires_at: task.expiresAt?.toISOString() ?? null,
  started_at: task.startedAt?.toISOString() ?? null,
  finished_at: task.finishedAt?.toISOString() ?? null,
})

export const toProgress = ({ percent, stage, done, total, etaSeconds }: TaskProgress): ProgressResponse => ({
  percent,
  stage,
  done,
  total,
  eta_seconds: etaSeconds,
})

export const toResponse = (
  task: TaskEntity,
  {
    attempts,
    children,
    origin: { model, traceparent, replayId },
    schedule,
    progress,
    celeryId,
  }: {
    readonly attempts: readonly TaskAttemptEntity[]
    readonly children: readonly TaskEntity[]
    readonly origin: TaskOrigin
    readonly schedule: ScheduleOrigin | null
    readonly progress: TaskProgress | null
    readonly celeryId: string | null
  },
): TaskResponse => ({
  ...toSummary(task),
  model,
  eta: task.eta?.toISOString() ?? null,
  replay_id: replayId,
  celery_id: celeryId,
  trace_id: traceparent && (traceparent.split('-')[1] ?? null),
  progress: progress && toProgress(progress),
  attempts: attempts.map((attempt) => ({
    attempt: attempt.attempt,
    worker: attempt.worker,
    outcome: attempt.outcome,
    error: failureOf(attempt),
    started_at: attempt.startedAt?.toISOString() ?? null,
    ended_at: attempt.endedAt.toISOString(),
  })),
  timeline: timelineOf(task, attempts).map(({ state, at, attempt, worker, reason }) => ({
    state,
    at,
    attempt,
    worker,
    reason,
  })),
  children: children.map(({ id, name, state }) => ({
    id,
    name: shownName(name),
    state,
    celery_state: celeryStateOf(state),
  })),
  schedule: schedule && { ...schedule, at: schedule.at.toISOString() },
})

export const toResult = (task: TaskEntity, result: unknown): TaskResult => ({
  task_id: task.id,
  state: task.state,
  celery_state: celeryStateOf(task.state),
  ready: isTerminal(task.state),
  successful: task.state === 'succeeded',
  result,
  error: failureOf(task),
})

export const toSent = (task: TaskEntity, result: unknown): SentTask => {
  const { task_id, ready, successful } = toResult(task, result)
  return { ...toSummary(task), task_id, ready, successful, result }
}

/** The public arguments, with the identifiers that have columns of their own. */
const argsOf = ({ args, userId, predictionId }: TaskEntity): Record<string, unknown> => ({
  ...args,
  ...(predictionId !== null && { prediction_id: Number(predictionId) }),
  ...(userId !== null && { user_id: Number(userId) }),
})

const numberOrNull = (text: string | null): number | null => (text === null ? null : Number(text))

const failureOf = ({ errorCode, errorMessage }: { errorCode: string | null; errorMessage: string | null }) =>
  errorCode === null ? null : { code: errorCode, message: errorMessage ?? '' }
