import type { TaskState } from '#libs/tasks/contracts'
import type { StoredOutput } from '../predictions/prediction.entity.js'
import type { TaskLimits } from '../tasks/task.entity.js'

/** Why a call became no task, as the exception that its caller gets. */
export interface CallFailure {
  readonly type: string
  readonly module: string
  readonly args: readonly unknown[]
}

/** The ended task of a call. */
export interface EndedCallTask {
  readonly id: string
  readonly state: TaskState
  readonly errorCode: string | null
  readonly errorMessage: string | null
  readonly isTerminated: boolean
  readonly result: unknown
  readonly worker: string | null
  readonly startedAt: Date | null
  readonly finishedAt: Date | null
  readonly limits: TaskLimits | null
  readonly prediction: {
    readonly id: number
    readonly externalId: number | null
    readonly userId: number
    readonly model: string
    readonly riskScore: number | null
    readonly riskCategory: string | null
    readonly outputs: Readonly<Record<string, StoredOutput>> | null
  } | null
}

/** A call whose results are to be published. */
export interface EndedCeleryCall {
  readonly id: string
  readonly name: string
  readonly queue: string
  /** Null when its person was erased meanwhile. */
  readonly request: string | null
  readonly failure: CallFailure | null
  /** Null without a task, and when it was erased. */
  readonly task: EndedCallTask | null
}

/** A row of the statements that take ended calls. */
export interface EndedRow {
  id: string
  name: string
  queue: string
  request: string | null
  failure: CallFailure | null
  task_id: string | null
  state: TaskState
  error_code: string | null
  error_message: string | null
  terminate_requested: boolean | null
  result: unknown
  worker: string | null
  started_at: Date | null
  finished_at: Date | null
  limits: TaskLimits | null
  prediction_id: number | null
  external_id: number | null
  user_id: number
  model: string
  risk_score: number | null
  risk_category: string | null
  outputs: Record<string, StoredOutput> | null
}

export const toEnded = (row: EndedRow): EndedCeleryCall => ({
  id: row.id,
  name: row.name,
  queue: row.queue,
  request: row.request,
  failure: row.failure,
  task:
    row.task_id === null
      ? null
      : {
          id: row.task_id,
          state: row.state,
          errorCode: row.error_code,
          errorMessage: row.error_message,
          isTerminated: row.terminate_requested ?? false,
          result: row.result,
          worker: row.worker,
          startedAt: row.started_at,
          finishedAt: row.finished_at,
          limits: row.limits,
          prediction:
            row.prediction_id === null
              ? null
              : {
                  id: row.prediction_id,
                  externalId: row.external_id,
                  userId: row.user_id,
                  model: row.model,
                  riskScore: row.risk_score,
                  riskCategory: row.risk_category,
                  outputs: row.outputs,
                },
        },
})
