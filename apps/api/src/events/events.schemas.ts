import type { TaskHistory, TaskProgress, TimelineEntry } from '#libs/database'
import { queueNames } from '#libs/platform'
import { celeryStateOf, taskStates } from '#libs/tasks/contracts'
import { z } from 'zod'
import { toProgress } from '../tasks/task-responses.js'
import { statesFilter } from '../tasks/task-filter.schemas.js'
import { taskName } from '../tasks/task-name.js'
import { taskProgress } from '../tasks/tasks.schemas.js'
import { strictInput } from '../http/strict-input.js'
import { celeryStates } from '../predictions/predictions.schemas.js'

/** What an event of a stream holds. Identifiers and states only, never health data. */
const taskEvent = z
  .strictObject({
    task_id: z.uuid(),
    name: z.string(),
    queue: z.string(),
    state: z.enum(taskStates).describe('What the task became'),
    celery_state: z.enum(celeryStates),
    at: z.iso.datetime(),
    attempt: z.int().nullable(),
    worker: z.string().nullable(),
    reason: z.string().nullable().describe('`lost` or `released`: why it is queued again'),
    error_code: z.string().nullable(),
    progress: taskProgress
      .nullable()
      .describe('In the stream of one task, with its last change, if the task reports progress'),
    user_id: z.int().nullable(),
    prediction_id: z.int().nullable(),
  })
  .meta({
    id: 'TaskEvent',
    examples: [
      {
        task_id: '019a0000-0000-7000-8000-000000000000',
        name: 'ml.process_prediction',
        queue: 'predictions',
        state: 'succeeded',
        celery_state: 'SUCCESS',
        at: '2030-01-31T12:00:00.000Z',
        attempt: 1,
        worker: 'worker1@host',
        reason: null,
        error_code: null,
        progress: null,
        user_id: 123,
        prediction_id: 1,
      },
    ],
  })

export type TaskEvent = z.infer<typeof taskEvent>

/** What an event `task.progress` holds, between two changes of its task. */
const progressEvent = taskProgress.extend({ task_id: z.uuid() }).meta({ id: 'TaskProgressEvent' })

/** An event in the OpenAPI document: its fields as the HTML standard reads them, and what its data holds. */
export const documentedEvent = (names: readonly string[], data: z.ZodType) => ({
  type: 'object',
  required: ['event', 'data'],
  properties: {
    id: { type: 'string', description: 'For Last-Event-ID; `task.progress` has none' },
    event: { type: 'string', enum: [...names] },
    data: { type: 'string', contentMediaType: 'application/json', contentSchema: z.toJSONSchema(data) },
  },
})

const changes = taskStates.map((state) => `task.${state}`)

export const documentedChange = documentedEvent(changes, taskEvent)
export const documentedChangeOrProgress = documentedEvent(
  [...changes, 'task.progress'],
  z.union([taskEvent, progressEvent]),
)

export const eventsQuery = strictInput({
  name: taskName.optional(),
  queue: z.enum(queueNames, { error: `must be one of ${queueNames.join(', ')}` }).optional(),
  state: statesFilter,
})

export type EventsQuery = z.infer<typeof eventsQuery>

export const toTaskEvent = (
  task: TaskHistory,
  entry: TimelineEntry,
  progress: TaskProgress | undefined,
): TaskEvent => ({
  task_id: task.id,
  name: task.name,
  queue: task.queue,
  state: entry.state,
  celery_state: celeryStateOf(entry.state),
  at: entry.at,
  attempt: entry.attempt ?? null,
  worker: entry.worker ?? null,
  reason: entry.reason ?? null,
  // The row knows the error of the last change only.
  error_code: entry === task.timeline.at(-1) ? task.errorCode : null,
  progress: progress && entry === task.timeline.at(-1) ? toProgress(progress) : null,
  user_id: task.userId,
  prediction_id: task.predictionId,
})
