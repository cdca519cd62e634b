import { generateExplanation } from './generate-explanation.task.js'
import { healthCheck } from './health-check.task.js'
import { processPrediction } from './process-prediction.task.js'
import { updateForecasts } from './update-forecasts.task.js'

/** Every task there is, by name. A worker refuses to start if one of its queues has a task without a handler. */
export const catalogue = {
  [processPrediction.name]: processPrediction,
  [updateForecasts.name]: updateForecasts,
  [generateExplanation.name]: generateExplanation,
  [healthCheck.name]: healthCheck,
} as const

export type TaskName = keyof typeof catalogue

export const isTaskName = (name: string): name is TaskName => Object.hasOwn(catalogue, name)
