import { checkPrediction } from '#libs/calls'
import {
  PredictionListRepository,
  PredictionRepository,
  type NewPrediction,
  type PredictionView,
  type SubmittedPrediction,
} from '#libs/database'
import { extrapolatedFeatures, intervalOf, missingFeatures, ModelCatalogue, type RiskManifest } from '#libs/ml/manifest'
import { groupedStore, requestHash, Submissions } from '#libs/tasks'
import { celeryStateOf, isTerminal, type TaskState } from '#libs/tasks/contracts'
import { Injectable } from '@nestjs/common'
import { v7 as uuidv7 } from 'uuid'
import { mustReach, type Principal } from '../access/access.js'
import { ReachableRows } from '../access/reachable-rows.js'
import type { PredictionResponse, PredictionQuery, PredictionRequest } from './predictions.schemas.js'

/** Submits predictions and reads them. */
@Injectable()
export class PredictionsService {
  private readonly store = groupedStore(async (rows: readonly NewPrediction[]) =>
    (await this.predictions.submit(rows)).map((value) => ({ value })),
  )

  constructor(
    private readonly predictions: PredictionRepository,
    private readonly history: PredictionListRepository,
    private readonly catalogue: ModelCatalogue,
    private readonly submissions: Submissions,
    private readonly reachable: ReachableRows,
  ) {}

  /**
   * Submits a prediction; waits up to `waitSeconds` for its result.
   * @throws {MemoryGuardError} MODEL_UNKNOWN, MODEL_INPUT_INVALID, ACCESS_ROLE_MISSING or IDEMPOTENCY_KEY_REUSED when
   * nothing was stored.
   */
  async submit(
    request: PredictionRequest,
    principal: Principal,
    idempotencyKey: string | undefined,
    waitSeconds: number,
  ): Promise<PredictionResponse> {
    mustReach(principal, request.user_id)
    const { manifest, model, healthMetrics, warnings } = checkPrediction(
      this.catalogue,
      request.health_metrics,
      request.model,
    )
    const row: NewPrediction = {
      taskId: uuidv7(),
      userId: request.user_id,
      model,
      healthMetrics,
      warnings,
      submittedBy: principal.id,
      traceparent: principal.traceparent,
      explanation: request.explain ? { taskId: uuidv7(), outputName: manifest.primary_output } : undefined,
      idempotency:
        idempotencyKey === undefined ? undefined : { scope: principal.id, key: idempotencyKey, hash: hashOf(request) },
    }
    const { stored, hasEnded } = await this.submissions.submit(this.store, row, waitSeconds)
    // A row that was stored a moment ago need not be read again.
    return hasEnded || !stored.isNew ? this.get(stored.id, principal) : toResponse(freshView(row, stored), manifest)
  }

  /** @throws MemoryGuardError RESOURCE_NOT_FOUND, also for what the principal does not reach; RESOURCE_GONE. */
  async get(id: number, principal: Principal): Promise<PredictionResponse> {
    return this.toResponse(await this.reachable.prediction(await this.predictions.find(id), id, principal))
  }

  async list(
    { user_id, state, batch_id, external_id: externalId, cursor, limit }: PredictionQuery,
    principal: Principal,
  ): Promise<{ items: PredictionResponse[]; next_cursor: string | null }> {
    const userId = principal.userId ?? user_id
    if (user_id !== undefined && user_id !== userId) return { items: [], next_cursor: null }
    const before = cursor === undefined ? undefined : Number(cursor)
    const { rows, next } = await this.history.list({ userId, state, batchId: batch_id, externalId, before }, limit)
    return { items: rows.map((view) => this.toResponse(view)), next_cursor: next }
  }

  private toResponse(view: PredictionView): PredictionResponse {
    const manifest = this.catalogue.find(view.model)?.manifest
    return toResponse(view, manifest?.kind === 'risk' ? manifest : undefined)
  }
}

/** A prediction that was stored a moment ago. */
const freshView = (row: NewPrediction, { id, taskId, createdAt }: SubmittedPrediction): PredictionView => ({
  id,
  taskId,
  batchId: null,
  userId: row.userId,
  model: row.model,
  healthMetrics: row.healthMetrics,
  warnings: row.warnings,
  riskScore: null,
  riskCategory: null,
  outputs: null,
  externalId: null,
  state: 'queued' satisfies TaskState,
  errorCode: null,
  errorMessage: null,
  createdAt,
  startedAt: null,
  finishedAt: null,
})

const toResponse = (view: PredictionView, manifest: RiskManifest | undefined): PredictionResponse => {
  const [name = '', version = ''] = view.model.split('@')
  const { state, errorCode } = view
  return {
    id: view.id,
    user_id: view.userId,
    state,
    celery_state: celeryStateOf(state),
    risk_score: view.riskScore,
    risk_category: view.riskCategory,
    confidence_interval: manifest && view.outputs ? intervalOf(manifest, view.outputs) : null,
    outputs: view.outputs,
    model: { name, version },
    input_features: view.healthMetrics,
    missing_features: manifest ? [...missingFeatures(manifest, view.healthMetrics)] : [],
    extrapolated_features: manifest ? [...extrapolatedFeatures(manifest, view.healthMetrics)] : [],
    warnings: [...view.warnings],
    disclaimer: manifest?.disclaimer ?? 'Decision support, not diagnosis.',
    error: isTerminal(state) && errorCode !== null ? { code: errorCode, message: view.errorMessage ?? '' } : null,
    task_id: view.taskId,
    batch_id: view.batchId,
    external_id: view.externalId,
    created_at: view.createdAt.toISOString(),
    started_at: view.startedAt?.toISOString() ?? null,
    completed_at: view.finishedAt?.toISOString() ?? null,
  }
}

/** The same request gives the same hash, whatever the order of its metrics. */
const hashOf = ({ user_id, health_metrics, model, explain }: PredictionRequest): string => {
  const metrics = Object.entries(health_metrics).sort(([a], [b]) => (a < b ? -1 : 1))
  return requestHash(JSON.stringify([user_id, metrics, model ?? null, ...(explain ? ['explain'] : [])]))
}
