import { batchPredictions } from './batch-predictions.task.js'
import { generateExplanation } from './generate-explanation.task.js'
import { healthCheck } from './health-check.task.js'
import { processPrediction } from './process-prediction.task.js'
import { updateForecasts } from './update-forecasts.task.js'

/** Every task there is, by name. The worker's table of handlers does not compile if one of them has no handler. */
export const catalogue = {
  [batchPredictions.name]: batchPredictions,
  [generateExplanation.name]: generateExplanation,
  [healthCheck.name]: healthCheck,
  [processPrediction.name]: processPrediction,
  [updateForecasts.name]: updateForecasts,
} as const

export type Catalogue = typeof catalogue
export type TaskName = keyof Catalogue

export const isTaskName = (name: string): name is TaskName => Object.hasOwn(catalogue, name)
