import { queueNames } from '#libs/platform'
import { entityId, taskStates } from '#libs/tasks/contracts'
import { z } from 'zod'
import { plainText } from '../http/plain-text.js'
import { timeOrAgo } from '../http/times.js'

const stateNames = z.array(z.enum(taskStates, { error: `must be out of ${taskStates.join(', ')}` }))

/** `succeeded,failed`: the tasks in one of these states. */
export const statesFilter = z
  .string()
  .transform((text) => text.split(','))
  .pipe(stateNames)
  .optional()
  .describe('One state, or several separated by commas')

const numberOrText = (description: string) =>
  z
    .union([
      z.number(),
      z
        .string()
        .regex(/^\d{1,16}$/, { error: 'must be a positive integer' })
        .transform(Number),
    ])
    .pipe(entityId)
    .optional()
    .describe(description)

/** An empty text fits nothing: whoever writes one means another. */
const someText = (maxLength: number) => plainText(maxLength).min(1, { error: 'must not be empty' })

/** The conditions of a search, as parameters of a query: what fits all of them is found. */
export const taskFilterShape = {
  name: someText(128).optional().describe('Name of the task; `*` stands for any characters: `ml.*`'),
  state: statesFilter,
  queue: z.enum(queueNames, { error: `must be one of ${queueNames.join(', ')}` }).optional(),
  worker: someText(256).optional(),
  since: timeOrAgo.optional().describe('Only tasks that were made then or later; `24h` is how long ago'),
  until: timeOrAgo.optional().describe('Only tasks that were made before then'),
  user_id: numberOrText('Tasks about this person'),
  prediction_id: numberOrText('The tasks that compute or explain this prediction'),
  batch_id: z.uuid({ error: 'must be the id of a batch' }).optional().describe('A batch and its chunks'),
  model: someText(128)
    .optional()
    .describe('`name@version`, or the name for all its versions. A forecast has its model when it is made'),
  error_code: someText(64).optional(),
  id: z
    .string()
    .regex(/^(\d{1,15}|[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12})$/, {
      error: 'must be the id of a task, a batch or a prediction',
    })
    .optional()
    .describe('A task with those that it has called, a batch with its chunks, or the tasks about a prediction'),
} as const

const taskFilter = z.object(taskFilterShape)

/** A search, by its conditions. */
export type TaskConditions = z.infer<typeof taskFilter>

/** Longest search text, in characters. */
export const maxSearchText = 1_000

/** The whole search as one text, in place of the conditions or beside them. */
export const searchText = z
  .string()
  .max(maxSearchText)
  .optional()
  .describe(
    'The conditions in words: `state:failed queue:batch since:24h`, or an id alone. See `/v1/tasks/suggestions`',
  )
