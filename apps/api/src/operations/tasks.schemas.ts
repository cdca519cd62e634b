import { taskStates } from '#libs/tasks/contracts'
import { z } from 'zod'
import { maxWaitSeconds } from '../http/prefer.js'
import { strictInput } from '../http/strict-input.js'

const instant = z.iso.datetime()
const celeryState = z.enum(['PENDING', 'STARTED', 'RETRY', 'SUCCESS', 'FAILURE', 'REVOKED'])
const failure = z.strictObject({ code: z.string(), message: z.string() })

/** A task with every attempt and every change of its state. */
export const taskAnswer = z
  .strictObject({
    id: z.uuid(),
    name: z.string(),
    queue: z.string(),
    state: z.enum(taskStates),
    celery_state: celeryState,
    args: z.record(z.string(), z.unknown()).describe('Identifiers only; health data stands with the prediction'),
    user_id: z.int().nullable(),
    prediction_id: z.int().nullable(),
    priority: z.int(),
    attempt: z.int().describe('Starts so far'),
    retries: z.int(),
    crashes: z.int().describe('Times that a worker or child died under it'),
    worker: z.string().nullable(),
    error: failure.nullable(),
    created_at: instant,
    available_at: instant,
    expires_at: instant.nullable(),
    started_at: instant.nullable(),
    finished_at: instant.nullable(),
    attempts: z.array(
      z.strictObject({
        attempt: z.int(),
        worker: z.string().nullable(),
        outcome: z.string(),
        error: failure.nullable(),
        started_at: instant.nullable(),
        ended_at: instant,
      }),
    ),
    timeline: z.array(
      z.strictObject({
        state: z.enum(taskStates),
        at: z.string(),
        attempt: z.int().optional(),
        worker: z.string().optional(),
        reason: z.string().optional(),
      }),
    ),
  })
  .meta({ id: 'Task' })

export type TaskAnswer = z.infer<typeof taskAnswer>

/** What `AsyncResult.get` gives. */
export const taskResult = z
  .strictObject({
    task_id: z.uuid(),
    state: z.enum(taskStates),
    celery_state: celeryState,
    ready: z.boolean(),
    successful: z.boolean(),
    result: z.unknown().describe('Null until the task has succeeded'),
    error: failure.nullable(),
  })
  .meta({ id: 'TaskResult' })

export type TaskResult = z.infer<typeof taskResult>

export const taskId = z.uuid({ error: 'must be a UUID' })

export const resultQuery = strictInput({
  wait: z.coerce
    .number({ error: 'must be a number of seconds' })
    .min(0)
    .max(maxWaitSeconds)
    .default(0)
    .describe(`Seconds to wait for the end, at most ${maxWaitSeconds}`),
})

export type ResultQuery = z.infer<typeof resultQuery>
