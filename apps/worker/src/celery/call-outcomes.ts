import { billiardError, builtinError, celeryError, type EndedCall, type PythonException } from '#libs/celery'
import { toForecastResult } from '#libs/calls'
import { BatchRepository, ForecastRepository, type EndedCallTask, type EndedCeleryCall } from '#libs/database'
import { intervalOf, ModelCatalogue } from '#libs/ml/manifest'
import { CONFIG, type Config } from '#libs/platform'
import { Inject, Injectable } from '@nestjs/common'

type Outcome = EndedCall['outcome']

/** Makes of an ended task what its Python caller gets: the dictionary of the replaced system, or an exception. */
@Injectable()
export class CallOutcomes {
  constructor(
    private readonly forecasts: ForecastRepository,
    private readonly batches: BatchRepository,
    private readonly catalogue: ModelCatalogue,
    @Inject(CONFIG) private readonly config: Config,
  ) {}

  async read({ name, failure, task }: EndedCeleryCall): Promise<Outcome> {
    if (failure) {
      return failure.type === 'TaskRevokedError'
        ? { state: 'REVOKED', exception: failure }
        : { state: 'FAILURE', exception: failure, traceback: null }
    }
    // Its person was erased.
    if (!task) return { state: 'REVOKED', exception: celeryError('TaskRevokedError', 'revoked') }
    if (task.state === 'succeeded') return this.success(name, task)
    if (task.state === 'cancelled' || task.state === 'expired') {
      const word = task.state === 'expired' ? 'expired' : task.isTerminated && task.startedAt ? 'terminated' : 'revoked'
      return { state: 'REVOKED', exception: celeryError('TaskRevokedError', word) }
    }
    const traceback = `${task.errorCode ?? 'TASK_FAILED'}: ${task.errorMessage ?? ''}`
    return { state: 'FAILURE', exception: this.exceptionOf(task), traceback }
  }

  private async success(name: string, task: EndedCallTask): Promise<Outcome> {
    switch (name) {
      case 'ml.process_prediction':
        return { state: 'SUCCESS', result: this.predictionResult(task) }
      case 'ml.generate_explanation':
        return { state: 'SUCCESS', result: explanationResult(task) }
      case 'ml.update_forecasts':
        return this.forecastResult(task)
      case 'ml.batch_predictions':
        return { state: 'SUCCESS', result: await this.batchResult(task) }
      case 'ml.health_check':
        return {
          state: 'SUCCESS',
          result: { status: 'healthy', timestamp: task.finishedAt?.toISOString(), ...Object(task.result) },
        }
      default:
        // A task that Python never had.
        return { state: 'SUCCESS', result: task.result }
    }
  }

  private predictionResult({ id, prediction }: EndedCallTask) {
    if (!prediction) return { status: 'success', task_id: id }
    const { externalId, model, riskScore, riskCategory, outputs } = prediction
    const manifest = this.catalogue.find(model)?.manifest
    return {
      status: 'success',
      prediction_id: externalId ?? prediction.id,
      risk_score: riskScore,
      risk_category: riskCategory,
      confidence_interval: manifest?.kind === 'risk' && outputs ? intervalOf(manifest, outputs) : null,
      model,
      memoryguard_prediction_id: prediction.id,
    }
  }

  /** The measurements that it was made from stay here. */
  private async forecastResult({ id }: EndedCallTask): Promise<Outcome> {
    const stored = await this.forecasts.findByTask(id)
    if (!stored) return { state: 'REVOKED', exception: celeryError('TaskRevokedError', 'revoked') }
    const { history: _, user_id, ...forecast } = toForecastResult(stored)
    return { state: 'SUCCESS', result: { status: 'success', user_id, forecast } }
  }

  private async batchResult({ id }: EndedCallTask) {
    const batch = await this.batches.find(id)
    const results: object[] = []
    for (let chunk = 0; chunk < (batch?.chunks ?? 0); chunk += 1) {
      for (const { userId, prediction, error } of await this.batches.listResults(id, chunk)) {
        results.push(
          prediction
            ? {
                user_id: userId,
                prediction_id: prediction.id,
                status: 'success',
                risk_score: prediction.riskScore,
                risk_category: prediction.riskCategory,
              }
            : { user_id: userId, status: 'failed', error: error?.message ?? '' },
        )
      }
    }
    return { status: 'completed', total: batch?.total ?? results.length, results, batch_id: id }
  }

  private exceptionOf({ errorCode, errorMessage, limits }: EndedCallTask): PythonException {
    const message = errorMessage ?? 'The task failed.'
    switch (errorCode) {
      case 'TASK_HARD_TIME_LIMIT':
        return billiardError('TimeLimitExceeded', limits?.time_limit_seconds ?? this.config.task.timeLimitSeconds)
      case 'TASK_SOFT_TIME_LIMIT':
        return billiardError('SoftTimeLimitExceeded')
      case 'TASK_POISON':
      case 'TASK_CHILD_LOST':
        return billiardError('WorkerLostError', message)
      case 'MODEL_INPUT_INVALID':
      case 'REQUEST_INVALID':
      case 'MODEL_UNKNOWN':
      case 'BATCH_FAILED':
        return builtinError('ValueError', message)
      default:
        return builtinError('RuntimeError', message)
    }
  }
}

const explanationResult = ({ result, prediction }: EndedCallTask) => ({
  ...Object(result),
  status: 'success',
  prediction_id: prediction?.externalId ?? prediction?.id,
})
