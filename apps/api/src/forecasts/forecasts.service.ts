import { createHash } from 'node:crypto'
import { ForecastRepository, TaskRepository, type ForecastEntity, type TaskEntity } from '#libs/database'
import { ModelCatalogue, type ForecastManifest, type Manifest } from '#libs/ml/manifest'
import { MemoryGuardError } from '#libs/platform'
import { Dispatcher, FinishedTasks } from '#libs/tasks'
import { celeryStateOf, isTerminal, updateForecasts } from '#libs/tasks/contracts'
import { Injectable } from '@nestjs/common'
import { v7 as uuidv7 } from 'uuid'
import { toForecastResult } from '../tasks/forecast-result.js'
import type { ForecastResponse } from './forecasts.schemas.js'

/** Has forecasts made and tells of them. */
@Injectable()
export class ForecastsService {
  constructor(
    private readonly forecasts: ForecastRepository,
    private readonly tasks: TaskRepository,
    private readonly catalogue: ModelCatalogue,
    private readonly dispatcher: Dispatcher,
    private readonly finished: FinishedTasks,
  ) {}

  /**
   * Has a person's forecast made, unless the same one already waits; waits up to `waitSeconds` for it. `submittedBy` is
   * the API key that asks, in whose scope the idempotency key counts.
   * @throws MemoryGuardError MODEL_NOT_READY if there is no forecast model; IDEMPOTENCY_KEY_REUSED; then nothing was stored.
   */
  async request(
    userId: number,
    horizonsMonths: readonly number[] | undefined,
    waitSeconds: number,
    submittedBy: string,
    idempotencyKey: string | undefined,
  ): Promise<ForecastResponse> {
    const manifest = this.getManifest()
    // The same horizons in another order are the same forecast.
    const horizons = [...new Set(horizonsMonths ?? manifest.horizons_months)].sort((a, b) => a - b)
    const { name: taskName } = updateForecasts
    const hash = createHash('sha256').update(`forecast ${userId} ${horizons.join()}`).digest('hex')
    const row = {
      taskId: uuidv7(),
      taskName,
      queue: 'forecasts',
      userId,
      horizonsMonths: horizons,
      submittedBy,
      idempotency: idempotencyKey === undefined ? undefined : { scope: submittedBy, key: idempotencyKey, hash },
    } as const
    const { taskId, isNew, hash: firstHash } = await this.forecasts.request(row)
    if (idempotencyKey !== undefined && firstHash !== hash) {
      throw new MemoryGuardError(
        'IDEMPOTENCY_KEY_REUSED',
        'This Idempotency-Key was used with another request. Use a new key for a new request.',
      )
    }
    if (isNew) {
      const { queue } = row
      void this.dispatcher.dispatch({ taskId, attempt: 1, name: taskName, queue, priority: 0, delayMs: 0 })
    }
    if (waitSeconds > 0) await this.finished.wait(taskId, waitSeconds)
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
