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

/**
 * The stored names of the tasks that callers know by a name; none for a name that callers do not know. Each `*` in the
 * name stands for any characters of a name of the catalogue.
 */
export const storedNames = (shown: string): readonly string[] =>
  (isNamePattern(shown) ? Object.keys(catalogue).filter((name) => fitsPattern(name, shown)) : [shown]).flatMap((each) =>
    [each, ...internal].filter((name) => shownName(name) === each),
  )

/** Whether a name stands for several. */
export const isNamePattern = (name: string): boolean => name.includes('*')

/** Whether the parts of the pattern between its stars are in the name in their order: no regular expression, which could be slow. */
const fitsPattern = (name: string, pattern: string): boolean => {
  const [first = '', ...rest] = pattern.split('*')
  const last = rest.pop() ?? ''
  if (!name.startsWith(first)) return false
  let at = first.length
  for (const part of rest) {
    const found = name.indexOf(part, at)
    if (found < 0) return false
    at = found + part.length
  }
  return name.length - last.length >= at && name.endsWith(last)
}
