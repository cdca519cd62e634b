export { batchPredictions } from './batch-predictions.task.js'
export {
  catalogue,
  isNamePattern,
  isTaskName,
  runnable,
  shownName,
  storedNames,
  type Runnable,
  type RunnableName,
} from './catalogue.js'
export { computeBatchChunk } from './compute-batch-chunk.task.js'
export type { ArgsOf, ResultOf, TaskContract } from './define-task.js'
export { generateExplanation } from './generate-explanation.task.js'
export { healthCheck } from './health-check.task.js'
export { entityId, healthMetrics, processPrediction } from './process-prediction.task.js'
export { celeryStateOf, isTerminal, sourcesOf, taskStates, terminalStates, type TaskState } from './task-states.js'
export { horizonsMonths, updateForecasts } from './update-forecasts.task.js'
