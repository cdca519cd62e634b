import { PredictionRepository } from '#libs/database'
import { ModelCatalogue } from '#libs/ml/manifest'
import { ResultParts, Submissions, TaskClient } from '#libs/tasks'
import type { FactoryProvider } from '@nestjs/common'
import { BatchSubmitter } from '../batches/batch-submitter.js'
import { SlicedList } from '../http/sliced-list.js'
import { checkPrediction } from '../models/check-prediction.js'
import { TaskResults } from './task-results.js'

/** The client by which this process calls tasks; health metrics are checked against the models here. */
export const taskClientProvider: FactoryProvider<TaskClient> = {
  provide: TaskClient,
  inject: [ResultParts, Submissions, PredictionRepository, ModelCatalogue, TaskResults, BatchSubmitter],
  useFactory: (
    results: ResultParts,
    submissions: Submissions,
    predictions: PredictionRepository,
    catalogue: ModelCatalogue,
    taskResults: TaskResults,
    batchSubmitter: BatchSubmitter,
  ) =>
    new TaskClient({
      results,
      submissions,
      predictions,
      readResult: (task) => taskResults.read(task),
      checkPrediction: (healthMetrics, model) => {
        const { manifest: _, ...checked } = checkPrediction(catalogue, healthMetrics, model)
        return checked
      },
      submitBatch: (call, { submittedBy, idempotencyKey, idempotencyScope: scope = '' }, wait) => {
        const request = {
          user_ids: SlicedList.from(call.user_ids),
          health_metrics_list: call.health_metrics_list && SlicedList.from(call.health_metrics_list),
        }
        // A call is checked by the reach of its caller before: a batch is about nobody in particular.
        const submission = { model: call.model, boundTo: null, submittedBy, idempotencyKey, scope, ...wait }
        return batchSubmitter.submitPeople(request, submission)
      },
    }),
}
