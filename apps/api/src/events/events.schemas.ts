import type { TaskHistory, TaskProgress, TimelineEntry } from '#libs/database'
import { queueNames } from '#libs/platform'
import { celeryStateOf, isTaskName, catalogue, taskStates } from '#libs/tasks/contracts'
import { z } from 'zod'
import { toProgress } from '../operations/task-answers.js'
import { statesFilter, taskProgress } from '../operations/tasks.schemas.js'
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
    progress: taskProgress.nullable().describe('In the stream of one task, with its last change, if it tells'),
    user_id: z.int().nullable(),
    prediction_id: z.int().nullable(),
  })
  .meta({
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

/** The data of an event in the OpenAPI document. */
export const documentedEvent = z.toJSONSchema(taskEvent) as Record<string, unknown>

export const eventsQuery = strictInput({
  name: z
    .string()
    .refine(isTaskName, { error: `must be one of ${Object.keys(catalogue).join(', ')}` })
    .optional(),
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
