import type { Runnable, RunnableName } from '#libs/tasks/contracts'
import type { Type } from '@nestjs/common'
import type { TaskHandler } from '../execution/task-handler.js'
import { ComputeBatchChunkHandler } from './compute-batch-chunk.handler.js'
import { GenerateExplanationHandler } from './generate-explanation.handler.js'
import { HealthCheckHandler } from './health-check.handler.js'
import { ProcessPredictionHandler } from './process-prediction.handler.js'
import { UpdateForecastsHandler } from './update-forecasts.handler.js'

type Handlers = { readonly [Name in RunnableName]: Type<TaskHandler<Runnable[Name], unknown>> }

/** The handler of each task. It does not compile if a task of the catalogue has none, or that of another task. */
export const handlers: Handlers = {
  'ml.compute_batch_chunk': ComputeBatchChunkHandler,
  'ml.generate_explanation': GenerateExplanationHandler,
  'ml.health_check': HealthCheckHandler,
  'ml.process_prediction': ProcessPredictionHandler,
  'ml.update_forecasts': UpdateForecastsHandler,
}
