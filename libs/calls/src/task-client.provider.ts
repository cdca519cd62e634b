import { PredictionRepository } from '#libs/database'
import { ModelCatalogue } from '#libs/ml/manifest'
import { ResultParts, Submissions, TaskClient } from '#libs/tasks'
import type { FactoryProvider } from '@nestjs/common'
import { BatchSubmitter } from './batches/batch-submitter.js'
import { checkPrediction } from './check-prediction.js'
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
      submitBatch: (call, { submittedBy, traceparent, idempotencyKey, idempotencyScope: scope = '' }, wait) =>
        batchSubmitter.submitCall(call, { submittedBy, traceparent, idempotencyKey, scope, ...wait }),
    }),
}
