import { toForecastResult } from '#libs/calls'
import type { Principal } from '../access/access.js'
import {
  ForecastRepository,
  TaskRepository,
  type ForecastEntity,
  type TaskEntity,
  type WantedForecast,
} from '#libs/database'
import { ModelCatalogue, type ForecastManifest, type Manifest } from '#libs/ml/manifest'
import { MemoryGuardError } from '#libs/platform'
import { requestHash, Submissions } from '#libs/tasks'
import { celeryStateOf, isTerminal } from '#libs/tasks/contracts'
import { Injectable } from '@nestjs/common'
import { v7 as uuidv7 } from 'uuid'
import type { ForecastResponse } from './forecasts.schemas.js'

/** Submits forecasts and reads them. */
@Injectable()
export class ForecastsService {
  private readonly store = (wanted: WantedForecast) => this.forecasts.request(wanted)

  constructor(
    private readonly forecasts: ForecastRepository,
    private readonly tasks: TaskRepository,
    private readonly catalogue: ModelCatalogue,
    private readonly submissions: Submissions,
  ) {}

  /**
   * Has a person's forecast made, unless the same one already waits; waits up to `waitSeconds` for it. The
   * idempotency key counts in the scope of the caller.
   * @throws {MemoryGuardError} MODEL_NOT_READY when there is no forecast model; IDEMPOTENCY_KEY_REUSED.
   */
  async request(
    userId: number,
    horizonsMonths: readonly number[] | undefined,
    waitSeconds: number,
    { id: submittedBy, traceparent }: Principal,
    idempotencyKey: string | undefined,
  ): Promise<ForecastResponse> {
    const manifest = this.getManifest()
    // The same horizons in another order are the same forecast.
    const horizons = [...new Set(horizonsMonths ?? manifest.horizons_months)].sort((a, b) => a - b)
    const hash = requestHash(`forecast ${userId} ${horizons.join()}`)
    const wanted: WantedForecast = {
      taskId: uuidv7(),
      userId,
      horizonsMonths: horizons,
      submittedBy,
      traceparent,
      idempotency: idempotencyKey === undefined ? undefined : { scope: submittedBy, key: idempotencyKey, hash },
    }
    const { stored } = await this.submissions.submit(this.store, wanted, waitSeconds)
    const { taskId } = stored
    const task = await this.tasks.find(taskId)
    if (!task) throw new MemoryGuardError('RESOURCE_GONE', 'The forecast was erased.')
    const forecast = await this.forecasts.findByTask(taskId)
    return forecast ? toResponse(forecast, manifest, task) : toEmptyResponse(userId, manifest, task)
  }

  /** @throws MemoryGuardError RESOURCE_NOT_FOUND while there is none. */
  async getLatest(userId: number): Promise<ForecastResponse> {
    const forecast = await this.forecasts.findLatest(userId)
    if (!forecast) {
      throw new MemoryGuardError(
        'RESOURCE_NOT_FOUND',
        'There is no forecast of this person yet. Ask for one with POST /v1/users/{user_id}/forecasts.',
      )
    }
    const manifest = this.catalogue.find(forecast.model)?.manifest
    return toResponse(forecast, manifest, await this.tasks.find(forecast.taskId))
  }

  private getManifest(): ForecastManifest {
    const model = this.catalogue.findForecastModel()
    if (model) return model.manifest
    throw new MemoryGuardError('MODEL_NOT_READY', 'There is no usable forecast model in MODELS_DIR.')
  }
}

/** A forecast that has been made. Its task may have been cleared away since. */
const toResponse = (
  forecast: ForecastEntity,
  manifest: Manifest | undefined,
  task: TaskEntity | null,
): ForecastResponse => ({
  ...toForecastResult(forecast),
  state: 'succeeded',
  celery_state: celeryStateOf('succeeded'),
  disclaimer: manifest?.disclaimer ?? 'Decision support, not diagnosis.',
  error: null,
  task_id: forecast.taskId,
  created_at: (task?.createdAt ?? forecast.createdAt).toISOString(),
  completed_at: forecast.createdAt.toISOString(),
})

/** A forecast that has not been made, or could not be. */
const toEmptyResponse = (
  userId: number,
  { metric, disclaimer }: ForecastManifest,
  task: TaskEntity,
): ForecastResponse => ({
  user_id: userId,
  state: task.state,
  celery_state: celeryStateOf(task.state),
  metric,
  reference_at: null,
  history: null,
  points: null,
  rate_per_year: null,
  basis: null,
  visits_used: null,
  warnings: [],
  model: null,
  disclaimer,
  error:
    isTerminal(task.state) && task.errorCode !== null
      ? { code: task.errorCode, message: task.errorMessage ?? '' }
      : null,
  task_id: task.id,
  created_at: task.createdAt.toISOString(),
  completed_at: isTerminal(task.state) ? (task.finishedAt?.toISOString() ?? null) : null,
})
