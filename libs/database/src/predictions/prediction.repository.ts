import { Injectable } from '@nestjs/common'
import { MicroBatcher, type Settled } from '#libs/platform'
import { generateExplanation, processPrediction, type TaskState } from '#libs/tasks/contracts'
import { DataSource } from 'typeorm'
import type { StoredOutput } from './prediction.entity.js'
import { PreparedStatements } from '../connection/prepared-statements.js'
import { firstAttempt, type EnqueueableTask } from '../tasks/enqueue-row.js'
import { findByKey, storedBefore, type StoredSubmission, type Submission } from '../tasks/submission.js'
import { readPredictions, storeExplainedPredictions, storePredictions } from './predictions.sql.js'
import { TaskRepository } from '../tasks/task.repository.js'
import { settleRisks } from '../tasks/settle.sql.js'

/** A prediction to be stored with its task, before anything is queued. */
export interface NewPrediction extends Submission {
  readonly userId: number
  /** `name@version` */
  readonly model: string
  readonly healthMetrics: Readonly<Record<string, number>>
  readonly warnings: readonly string[]
  /** Task that explains an output of it, if that is wanted too: it is stored in the same statement. */
  readonly explanation?: { readonly taskId: string; readonly outputName: string } | undefined
}

/** What was stored, with the id and time of the prediction. */
export interface SubmittedPrediction extends StoredSubmission {
  readonly id: number
  readonly createdAt: Date
}

/** The risk that a model computed for one prediction. */
export interface StoredRisk {
  readonly taskId: string
  readonly attempt: number
  readonly riskScore: number
  readonly riskCategory: string
  readonly outputs: Readonly<Record<string, StoredOutput>>
}

/** A prediction with the state of its task. */
export interface PredictionView {
  readonly id: number
  readonly taskId: string
  /** The batch that it came with. */
  readonly batchId: string | null
  /** A Celery caller's own number of it. */
  readonly externalId: number | null
  readonly userId: number
  readonly model: string
  readonly healthMetrics: Readonly<Record<string, number>>
  readonly warnings: readonly string[]
  readonly riskScore: number | null
  readonly riskCategory: string | null
  readonly outputs: Readonly<Record<string, StoredOutput>> | null
  readonly state: TaskState
  readonly errorCode: string | null
  readonly errorMessage: string | null
  readonly createdAt: Date
  readonly startedAt: Date | null
  readonly finishedAt: Date | null
}

/** Most predictions of one SELECT, and the longest wait for company while another one is under way. */
const readBatch = { maxSize: 256, maxInFlight: 2, maxWaitMs: 1 }

const tasksOf = ({ taskId, explanation }: NewPrediction): readonly EnqueueableTask[] => {
  const task = firstAttempt(taskId, processPrediction.name, 'predictions')
  return explanation ? [task, firstAttempt(explanation.taskId, generateExplanation.name, 'explanations')] : [task]
}

/** Predictions and, in the same statements, the tasks that compute them. */
@Injectable()
export class PredictionRepository {
  private readonly reads = new MicroBatcher<number, PredictionView | null>({
    ...readBatch,
    flush: (ids) => this.findAll(ids),
  })

  constructor(
    private readonly dataSource: DataSource,
    private readonly prepared: PreparedStatements,
    private readonly tasks: TaskRepository,
  ) {}

  /**
   * Stores predictions with their tasks in one statement; returns them in the order given. With an idempotency key that
   * has been used, nothing is stored and the first submission is returned. Their tasks may be enqueued at once; respond
   * to the caller only after `TaskRepository.makeDurable`.
   */
  async submit(predictions: readonly NewPrediction[]): Promise<readonly SubmittedPrediction[]> {
    // Each by its name: V8 takes five times as long to make and to serialise the rest of a destructured object.
    const input = predictions.map((prediction) => ({
      taskId: prediction.taskId,
      userId: prediction.userId,
      model: prediction.model,
      healthMetrics: prediction.healthMetrics,
      warnings: prediction.warnings,
      submittedBy: prediction.submittedBy,
      traceparent: prediction.traceparent,
      explanationTaskId: prediction.explanation?.taskId,
      explainedOutput: prediction.explanation?.outputName,
      scope: prediction.idempotency?.scope,
      key: prediction.idempotency?.key,
      hash: prediction.idempotency?.hash,
    }))
    const rows = await this.prepared.query<{ task_id: string; prediction_id: string; created_at: Date }>(
      predictions.some(({ explanation }) => explanation) ? storeExplainedPredictions : storePredictions,
      [JSON.stringify(input)],
    )
    const stored = new Map(rows.map((row) => [row.task_id, row]))
    const submitted: SubmittedPrediction[] = []
    for (const prediction of predictions) {
      const row = stored.get(prediction.taskId)
      submitted.push(
        row
          ? {
              id: Number(row.prediction_id),
              taskId: row.task_id,
              createdAt: row.created_at,
              isNew: true,
              tasks: tasksOf(prediction),
              commitsSoon: true,
            }
          : await this.getSubmitted(prediction),
      )
    }
    return submitted
  }

  private async getSubmitted({ taskId, idempotency }: NewPrediction): Promise<SubmittedPrediction> {
    const known = idempotency && (await findByKey(this.dataSource, idempotency))
    if (!known) throw new Error(`Task ${taskId} was neither stored nor found by its idempotency key`)
    const { createdAt, predictionId } = known
    return { ...storedBefore(known.id, known.hash), id: Number(predictionId), createdAt, commitsSoon: true }
  }

  /** Stores risks, each only if its attempt still holds the task. Returns the ids of the tasks that were stored. */
  async storeRisks(risks: readonly StoredRisk[]): Promise<ReadonlySet<string>> {
    return this.tasks.succeed(
      risks.map(({ taskId, attempt, riskScore, riskCategory, outputs }) => ({
        id: taskId,
        attempt,
        risk_score: riskScore,
        risk_category: riskCategory,
        outputs,
      })),
      settleRisks,
    )
  }

  /** Reads that come together share a statement, as those of all who are notified of results that were stored together. */
  find(id: number): Promise<PredictionView | null> {
    return this.reads.add(id)
  }

  private async findAll(ids: readonly number[]): Promise<readonly Settled<PredictionView | null>[]> {
    const views = await this.prepared.query<PredictionView>(readPredictions, [ids])
    const byId = new Map(views.map((view) => [view.id, view]))
    return ids.map((id) => ({ value: byId.get(id) ?? null }))
  }
}
