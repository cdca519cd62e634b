import { batchPredictions } from './batch-predictions.task.js'
import { computeBatchChunk } from './compute-batch-chunk.task.js'
import { generateExplanation } from './generate-explanation.task.js'
import { healthCheck } from './health-check.task.js'
import { processPrediction } from './process-prediction.task.js'
import { updateForecasts } from './update-forecasts.task.js'

/** Every task that workers run, by name. The worker's table of handlers does not compile if one has no handler. */
export const runnable = {
  [computeBatchChunk.name]: computeBatchChunk,
  [generateExplanation.name]: generateExplanation,
  [healthCheck.name]: healthCheck,
  [processPrediction.name]: processPrediction,
  [updateForecasts.name]: updateForecasts,
} as const

const { [computeBatchChunk.name]: _, ...called } = runnable
/** Names of tasks that only the service itself makes. */
const internal = [computeBatchChunk.name]

/** Every task that callers know, by name: a batch is called, and its chunks are run. */
export const catalogue = { [batchPredictions.name]: batchPredictions, ...called } as const

export type Runnable = typeof runnable
/** The compiler names a missing handler by it. */
export type RunnableName = keyof Runnable
export type TaskName = keyof typeof catalogue

export const isTaskName = (name: string): name is TaskName => Object.hasOwn(catalogue, name)

/** The name under which callers know a stored task: a chunk goes by the name of its batch. */
export const shownName = (stored: string): string =>
  stored === computeBatchChunk.name ? batchPredictions.name : stored

/** The stored names of the tasks that callers know by a name; none for a name that callers do not know. */
export const storedNames = (shown: string): readonly string[] =>
  [shown, ...internal].filter((name) => shownName(name) === shown)
