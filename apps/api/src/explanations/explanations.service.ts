import {
  ExplanationRepository,
  PredictionRepository,
  storedBefore,
  type ExplanationView,
  type PredictionView,
  type StoredSubmission,
  type Submission,
} from '#libs/database'
import { findOutput, ModelCatalogue, type RiskManifest } from '#libs/ml/manifest'
import { MemoryGuardError } from '#libs/platform'
import { Submissions } from '#libs/tasks'
import { celeryStateOf, isTerminal } from '#libs/tasks/contracts'
import { Injectable } from '@nestjs/common'
import { v7 as uuidv7 } from 'uuid'
import type { Principal } from '../access/access.js'
import { ReachableRows } from '../access/reachable-rows.js'
import type { ExplanationResponse } from './explanations.schemas.js'

/** Submits explanations of predictions and reads them. */
@Injectable()
export class ExplanationsService {
  constructor(
    private readonly explanations: ExplanationRepository,
    private readonly predictions: PredictionRepository,
    private readonly catalogue: ModelCatalogue,
    private readonly submissions: Submissions,
    private readonly reachable: ReachableRows,
  ) {}

  /**
   * Has an output of a prediction explained, once: later calls return the same explanation. One that has failed is
   * tried again. Waits up to `waitSeconds` for it.
   * @throws MemoryGuardError RESOURCE_NOT_FOUND, also for what the principal does not reach; TASK_STATE_CONFLICT if
   * the prediction has ended without a result; REQUEST_INVALID for an output that the model does not have;
   * MODEL_UNKNOWN if the model is no longer here.
   */
  async request(
    predictionId: number,
    output: string | undefined,
    principal: Principal,
    waitSeconds: number,
  ): Promise<ExplanationResponse> {
    const prediction = await this.getPrediction(predictionId, principal)
    const outputName = this.outputNameOf(prediction, output)
    const row = { taskId: uuidv7(), submittedBy: principal.id, traceparent: principal.traceparent }
    await this.submissions.submit(() => this.store(prediction, outputName, row), row, waitSeconds)
    return this.toResponse(await this.getView(predictionId, outputName), prediction)
  }

  /** @throws {MemoryGuardError} RESOURCE_NOT_FOUND, also when none was requested; REQUEST_INVALID. */
  async get(predictionId: number, output: string | undefined, principal: Principal): Promise<ExplanationResponse> {
    const prediction = await this.getPrediction(predictionId, principal)
    return this.toResponse(await this.getView(predictionId, this.outputNameOf(prediction, output)), prediction)
  }

  private async store(prediction: PredictionView, outputName: string, row: Submission): Promise<StoredSubmission> {
    const { id: predictionId, userId, state } = prediction
    const known = await this.explanations.find(predictionId, outputName)
    if (known && (!isTerminal(known.state) || known.state === 'succeeded')) return storedBefore(known.taskId)
    if (isTerminal(state) && state !== 'succeeded') {
      const why = `The prediction has ended as ${state}: there is no result to explain.`
      throw new MemoryGuardError('TASK_STATE_CONFLICT', why)
    }
    const failedTaskId = known?.taskId
    const wanted = { ...row, predictionId, userId, outputName, failedTaskId }
    const stored = await this.explanations.request(wanted)
    return stored ?? storedBefore((await this.getView(predictionId, outputName)).taskId)
  }

  private async getPrediction(id: number, principal: Principal): Promise<PredictionView> {
    return this.reachable.prediction(await this.predictions.find(id), id, principal)
  }

  private async getView(predictionId: number, outputName: string): Promise<ExplanationView> {
    const view = await this.explanations.find(predictionId, outputName)
    if (view) return view
    throw new MemoryGuardError('RESOURCE_NOT_FOUND', 'No explanation was asked for. POST to this address to have one.')
  }

  private outputNameOf({ model }: PredictionView, output: string | undefined): string {
    const manifest = this.findManifest(model)
    if (manifest) return findOutput(manifest, output).name
    throw new MemoryGuardError('MODEL_UNKNOWN', 'The model that predicted it is no longer here.')
  }

  private findManifest(reference: string): RiskManifest | undefined {
    const manifest = this.catalogue.find(reference)?.manifest
    return manifest?.kind === 'risk' ? manifest : undefined
  }

  private toResponse(view: ExplanationView, { model }: PredictionView): ExplanationResponse {
    const { state, errorCode, content } = view
    const [name = '', version = ''] = model.split('@')
    return {
      prediction_id: view.predictionId,
      state,
      celery_state: celeryStateOf(state),
      output_name: view.outputName,
      method: content?.method ?? null,
      space: content?.space ?? null,
      base_value: content?.baseValue ?? null,
      output: content?.output ?? null,
      contributions: content ? [...content.contributions] : null,
      standard_error: content?.standardError ?? null,
      text: content?.text ?? null,
      model: { name, version },
      disclaimer: this.findManifest(model)?.disclaimer ?? 'Decision support, not diagnosis.',
      error: isTerminal(state) && errorCode !== null ? { code: errorCode, message: view.errorMessage ?? '' } : null,
      task_id: view.taskId,
    }
  }
}
