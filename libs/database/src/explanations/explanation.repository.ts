import { Injectable } from '@nestjs/common'
import { generateExplanation, type TaskState } from '#libs/tasks/contracts'
import { DataSource } from 'typeorm'
import type { StoredContribution } from './explanation.entity.js'
import { firstAttempt } from '../tasks/enqueue-row.js'
import type { StoredSubmission, Submission } from '../tasks/submission.js'
import { TaskRepository } from '../tasks/task.repository.js'
import { settleExplanations } from '../tasks/settle.sql.js'

/** An explanation to be stored with the success of its task. */
export interface StoredExplanation {
  readonly taskId: string
  readonly attempt: number
  readonly predictionId: number
  readonly outputName: string
  /** `name@version` */
  readonly model: string
  readonly method: string
  readonly space: string
  readonly baseValue: number
  readonly output: number
  readonly contributions: readonly StoredContribution[]
  readonly standardError: number | null
  readonly text: string
}

/** An explanation with the state of its task. */
export interface ExplanationView {
  readonly predictionId: number
  readonly outputName: string
  readonly taskId: string
  readonly state: TaskState
  readonly errorCode: string | null
  readonly errorMessage: string | null
  /** Null until the task has succeeded. */
  readonly content: ExplanationContent | null
}

/** The part of an explanation that is there once its task has succeeded. */
export type ExplanationContent = Omit<StoredExplanation, 'taskId' | 'attempt' | 'predictionId' | 'outputName'>

/** An explanation that is to be computed. */
export interface WantedExplanation extends Submission {
  readonly predictionId: number
  readonly userId: number
  readonly outputName: string
  /** The task that has failed to explain it. */
  readonly failedTaskId?: string | undefined
}

/** The content is null in every column until the task has succeeded. */
type ViewRow = Omit<ExplanationView, 'predictionId' | 'outputName' | 'content'> &
  Omit<ExplanationContent, 'model'> & { readonly model: string | null }

/** Explanations and, in the same statements, the tasks that compute them. */
@Injectable()
export class ExplanationRepository {
  constructor(
    private readonly dataSource: DataSource,
    private readonly tasks: TaskRepository,
  ) {}

  async find(predictionId: number, outputName: string): Promise<ExplanationView | null> {
    const [row]: ViewRow[] = await this.dataSource.query(
      `SELECT e.task_id AS "taskId", t.state, t.error_code AS "errorCode", t.error_message AS "errorMessage", e.model,
         e.method, e.space, e.base_value AS "baseValue", e.output, e.contributions, e.standard_error AS "standardError",
         e.text
       FROM explanations e JOIN tasks t ON t.id = e.task_id WHERE e.prediction_id = $1 AND e.output_name = $2`,
      [predictionId, outputName],
    )
    if (!row) return null
    const { taskId, state, errorCode, errorMessage, model, ...content } = row
    const made = model === null ? null : { ...content, model }
    return { predictionId, outputName, taskId, state, errorCode, errorMessage, content: made }
  }

  /**
   * Stores that an explanation is wanted together with its task, in place of `failedTaskId` if that was tried before.
   * Returns null if it was not stored: of several callers at once one stores it, and none if the prediction is gone.
   */
  async request(wanted: WantedExplanation): Promise<StoredSubmission | null> {
    const {
      taskId,
      predictionId,
      userId,
      outputName,
      failedTaskId = null,
      submittedBy = null,
      traceparent = null,
    } = wanted
    const { name, queue } = generateExplanation
    const rows: unknown[] = await this.dataSource.query(
      `WITH held AS (
         -- A person who is being erased leaves no explanation behind.
         SELECT id, model FROM predictions WHERE id = $1 FOR KEY SHARE
       ), wanted AS (
         INSERT INTO explanations AS e (prediction_id, output_name, task_id) SELECT id, $2, $3 FROM held
         ON CONFLICT (prediction_id, output_name) DO UPDATE SET task_id = excluded.task_id WHERE e.task_id = $4
         RETURNING e.task_id
       ), created AS (
         INSERT INTO tasks (id, name, queue, state, args, user_id, prediction_id, model, submitted_by,
           traceparent)
         SELECT task_id, '${name}', '${queue}', 'queued', jsonb_build_object('output', $2::text), $5::bigint, $1, model,
           $6::uuid, $7
         FROM wanted, held
       )
       SELECT task_id FROM wanted`,
      [predictionId, outputName, taskId, failedTaskId, userId, submittedBy, traceparent],
    )
    if (rows.length === 0) return null
    return { taskId, isNew: true, tasks: [firstAttempt(taskId, name, 'explanations')] }
  }

  /** Those of the given predictions whose task has ended without a result: there is nothing to explain. */
  async listEndedWithoutRisk(predictionIds: readonly string[]): Promise<ReadonlySet<string>> {
    const rows: { id: string }[] = await this.dataSource.query(
      `SELECT p.id FROM predictions p JOIN tasks t ON t.id = p.task_id
       WHERE p.id = ANY($1::bigint[]) AND t.finished_at IS NOT NULL AND t.state <> 'succeeded'`,
      [predictionIds],
    )
    return new Set(rows.map(({ id }) => id))
  }

  /** Stores explanations, each only if its attempt still holds the task. Returns the ids of the tasks that were stored. */
  async storeExplanations(explanations: readonly StoredExplanation[]): Promise<ReadonlySet<string>> {
    return this.tasks.succeed(
      explanations.map(({ taskId, attempt, predictionId, outputName, contributions, ...rest }) => ({
        id: taskId,
        attempt,
        result: {
          prediction_id: predictionId,
          output_name: outputName,
          method: rest.method,
          space: rest.space,
          base_value: rest.baseValue,
          output: rest.output,
          contributions: contributions.map(({ feature, contribution }) => ({ feature, contribution })),
        },
        explanation: { ...rest, outputName, contributions },
      })),
      settleExplanations,
    )
  }
}
