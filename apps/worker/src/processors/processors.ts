import type { QueueName } from '#libs/platform'
import type { Type } from '@nestjs/common'
import { BatchProcessor } from './batch.processor.js'
import { ExplanationsProcessor } from './explanations.processor.js'
import { ForecastsProcessor } from './forecasts.processor.js'
import { PredictionsProcessor } from './predictions.processor.js'
import type { QueueProcessor } from './queue-processor.js'

/** The processor of each queue. A queue without one does not compile. */
export const processors: Readonly<Record<QueueName, Type<QueueProcessor>>> = {
  predictions: PredictionsProcessor,
  batch: BatchProcessor,
  explanations: ExplanationsProcessor,
  forecasts: ForecastsProcessor,
}
