import { ForecastRepository, PredictionRepository, type TaskEntity } from '#libs/database'
import { intervalOf, ModelCatalogue } from '#libs/ml/manifest'
import { processPrediction, updateForecasts } from '#libs/tasks/contracts'
import { Injectable } from '@nestjs/common'
import { toForecastResult } from './forecast-result.js'

/** Reads the results of tasks, wherever they stand. */
@Injectable()
export class TaskResults {
  constructor(
    private readonly predictions: PredictionRepository,
    private readonly forecasts: ForecastRepository,
    private readonly catalogue: ModelCatalogue,
  ) {}

  /** Null until the task has succeeded, and after its result was forgotten. */
  async read({ id: taskId, name, state, result, resultForgottenAt, predictionId }: TaskEntity): Promise<unknown> {
    if (state !== 'succeeded' || resultForgottenAt) return null
    if (name === updateForecasts.name) {
      const forecast = await this.forecasts.findByTask(taskId)
      return forecast && toForecastResult(forecast)
    }
    if (name !== processPrediction.name || predictionId === null) return result
    // The result of a prediction stands with the prediction.
    const prediction = await this.predictions.find(Number(predictionId))
    if (!prediction) return null
    const { id, riskScore, riskCategory, outputs, model } = prediction
    const manifest = this.catalogue.find(model)?.manifest
    return {
      prediction_id: id,
      risk_score: riskScore,
      risk_category: riskCategory,
      confidence_interval: manifest?.kind === 'risk' && outputs ? intervalOf(manifest, outputs) : null,
    }
  }
}
