import {
  BatchRepository,
  PredictionRepository,
  ProgressRepository,
  TaskCallRepository,
  TaskRepository,
} from '#libs/database'
import { ModelCatalogue } from '#libs/ml/manifest'
import { Broker, Dispatcher, FinishedTasks, TaskClient } from '#libs/tasks'
import type { FactoryProvider } from '@nestjs/common'
import { BatchesService } from '../batches/batches.service.js'
import { SlicedList } from '../http/sliced-list.js'
import { checkPrediction } from '../models/check-prediction.js'
import { TaskResults } from './task-results.js'

/** The client by which this process calls tasks; health metrics are checked against the models here. */
export const taskClientProvider: FactoryProvider<TaskClient> = {
  provide: TaskClient,
  inject: [
    TaskRepository,
    TaskCallRepository,
    BatchRepository,
    PredictionRepository,
    Broker,
    Dispatcher,
    FinishedTasks,
    ProgressRepository,
    ModelCatalogue,
    TaskResults,
    BatchesService,
  ],
  useFactory: (
    tasks: TaskRepository,
    calls: TaskCallRepository,
    batches: BatchRepository,
    predictions: PredictionRepository,
    broker: Broker,
    dispatcher: Dispatcher,
    finished: FinishedTasks,
    progress: ProgressRepository,
    catalogue: ModelCatalogue,
    results: TaskResults,
    batchesService: BatchesService,
  ) =>
    new TaskClient({
      tasks,
      calls,
      batches,
      predictions,
      broker,
      dispatcher,
      finished,
      progress,
      readResult: (task) => results.read(task),
      checkPrediction: (healthMetrics, model) => {
        const { manifest: _, ...checked } = checkPrediction(catalogue, healthMetrics, model)
        return checked
      },
      sendBatch: async (call, { idempotencyKey, idempotencyScope = '' }) => {
        // Who is bound to a person was refused before: a batch is about nobody in particular.
        const principal = { id: idempotencyScope, role: 'submitter', userId: null } as const
        const submission = { model: call.model, principal, idempotencyKey, waitSeconds: 0 }
        const request = {
          user_ids: SlicedList.from(call.user_ids),
          health_metrics_list: call.health_metrics_list && SlicedList.from(call.health_metrics_list),
        }
        return (await batchesService.submitPeople(request, submission)).id
      },
    }),
}
