import { replayableStates } from '#libs/database'
import { queueNames } from '#libs/platform'
import { taskStates, type TaskState } from '#libs/tasks/contracts'
import { z } from 'zod'
import { plainText } from '../http/plain-text.js'
import { pageLimit } from '../http/paging.js'
import { maxWaitSeconds } from '../http/prefer.js'
import { strictInput } from '../http/strict-input.js'
import { searchText, taskFilterShape } from './task-filter.schemas.js'

const instant = z.iso.datetime()
export const celeryState = z.enum(['PENDING', 'STARTED', 'RETRY', 'SUCCESS', 'FAILURE', 'REVOKED'])
const failure = z.strictObject({ code: z.string(), message: z.string() })

/** A task as an item of a list. */
export const taskSummary = z
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
    replay_of: z.uuid().nullable().describe('The ended task that this one does again'),
    parent_id: z.uuid().nullable().describe('The task that called it'),
    submitted_by: z.uuid().nullable().describe('The API key that submitted it; null for a task of the service itself'),
    revoke_requested_at: instant.nullable(),
    created_at: instant,
    available_at: instant,
    expires_at: instant.nullable(),
    started_at: instant.nullable(),
    finished_at: instant.nullable(),
  })
  .meta({ id: 'TaskSummary' })

export type TaskSummary = z.infer<typeof taskSummary>

/** The progress of a task that reports it. */
export const taskProgress = z
  .strictObject({
    percent: z.number().nullable(),
    stage: z.string().nullable(),
    done: z.int().nullable(),
    total: z.int().nullable(),
    eta_seconds: z.number().nullable().describe('At the pace so far'),
  })
  .meta({ id: 'TaskProgress' })

export type ProgressResponse = z.infer<typeof taskProgress>

/** A task with every attempt and every change of its state. */
export const taskResponse = taskSummary
  .extend({
    model: z.string().nullable().describe('`name@version`, of tasks that a model computes'),
    eta: instant.nullable().describe('The time it was planned for when it was sent'),
    replay_id: z.uuid().nullable().describe('The task that does this one again'),
    celery_id: z.string().nullable().describe('The id by which the Celery caller knows it that sent it'),
    trace_id: z.string().nullable().describe('Of the trace of the request that sent it, if that is recorded'),
    progress: taskProgress.nullable().describe('Of a task that reports progress; null for others'),
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
    children: z
      .array(z.strictObject({ id: z.uuid(), name: z.string(), state: z.enum(taskStates), celery_state: celeryState }))
      .describe('The tasks that it has called, such as the chunks of a batch'),
    schedule: z
      .strictObject({ id: z.uuid(), name: z.string().nullable().describe('Null if it was deleted since'), at: instant })
      .nullable()
      .describe('The schedule that sent it, and for which time'),
  })
  .meta({ id: 'Task' })

export type TaskResponse = z.infer<typeof taskResponse>

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

/** Ours is a UUID; that of a Celery caller may be any text without control characters. */
export const taskId = plainText(255)
  .min(1, { error: 'must not be empty' })
  .describe('Id of the task, or the id by which its Celery caller knows it')

export const resultQuery = strictInput({
  wait: z.coerce
    .number({ error: 'must be a number of seconds' })
    .min(0)
    .max(maxWaitSeconds)
    .default(0)
    .describe(`Seconds to wait for the end, at most ${maxWaitSeconds}`),
})

export type ResultQuery = z.infer<typeof resultQuery>

const priority = z.int().describe('0 is the default; a smaller number goes first')

/** `POST /v1/tasks`; the arguments are checked against the contract of the task. */
export const taskRequest = strictInput({
  name: z.string().max(128).describe('Name of the task, for example `ml.process_prediction`'),
  args: z.record(z.string(), z.unknown()).default({}).describe('Arguments, as the contract of the task has them'),
  countdown: z.number().optional().describe('Start it this many seconds later'),
  eta: z.iso.datetime({ offset: true, error: 'must be a time, such as 2030-01-31T12:00:00Z' }).optional(),
  expires: z
    .union([z.number(), z.iso.datetime({ offset: true })], { error: 'must be a number of seconds, or a time' })
    .optional()
    .describe('Do not start it after this time, or after so many seconds'),
  priority: priority.optional(),
  queue: z
    .string()
    .max(64)
    .optional()
    .describe(`One of ${queueNames.join(', ')}`),
}).meta({
  id: 'TaskRequest',
  examples: [
    {
      name: 'ml.process_prediction',
      args: { user_id: 123, health_metrics: { mmse_score: 24, age: 72 } },
      countdown: 10,
    },
  ],
})

export type TaskRequest = z.infer<typeof taskRequest>

/** A task that was sent, with its result if it is there. */
export const sentTask = taskSummary
  .extend({ task_id: z.uuid(), ready: z.boolean(), successful: z.boolean(), result: z.unknown() })
  .meta({ id: 'SentTask' })

export type SentTask = z.infer<typeof sentTask>

/** Most tasks that a list counts. */
export const maxCount = 10_000

export const taskPage = z
  .strictObject({
    items: z.array(taskSummary),
    next_cursor: z.string().nullable(),
    count: z.int().optional().describe('With `count=true`: how many tasks fit, on all pages'),
    count_is_capped: z
      .boolean()
      .optional()
      .describe(`Whether more may fit: counting stops at ${maxCount}, or after a tenth of a second`),
  })
  .meta({ id: 'TaskPage' })

export type TaskPage = z.infer<typeof taskPage>

const time = z.iso
  .datetime({ offset: true, error: 'must be a time, such as 2030-01-31T12:00:00Z' })
  .transform((text) => new Date(text))

const name = z.string().max(128).optional()
const queue = z.enum(queueNames, { error: `must be one of ${queueNames.join(', ')}` }).optional()
const worker = z.string().max(256).optional()

export const taskQuery = strictInput({
  ...taskFilterShape,
  q: searchText,
  count: z.enum(['true', 'false']).optional().describe('`true`: count what fits, as far as it takes little time'),
  cursor: z.uuid({ error: 'must be a `next_cursor` of an earlier page' }).optional(),
  limit: pageLimit,
})
export type TaskQuery = z.infer<typeof taskQuery>

export const revokeRequest = strictInput({
  terminate: z
    .boolean()
    .default(false)
    .describe(
      'Kill its compute child if it has not ended within the grace period, even if other tasks run in that child',
    ),
}).meta({ id: 'RevokeRequest' })

export type RevokeOptions = z.infer<typeof revokeRequest>

const replayable = z.enum(replayableStates as [TaskState, ...TaskState[]], {
  error: `must be one of ${replayableStates.join(', ')}`,
})

/** Most tasks that one call replays. */
export const maxReplays = 1_000

export const replayRequest = strictInput({
  filter: strictInput({
    state: z.union([replayable, z.array(replayable).min(1).max(100)]).default(['failed', 'timed_out']),
    name,
    queue,
    worker,
    error_code: z.string().max(64).optional(),
    since: time.optional(),
    ids: z.array(z.uuid()).min(1).max(maxReplays).optional(),
  }).describe('Tasks that fit every condition; without a state those that failed or timed out'),
  dry_run: z.boolean().default(false).describe('Only count them'),
}).meta({
  id: 'ReplayRequest',
  examples: [{ filter: { state: 'failed', name: 'ml.process_prediction' }, dry_run: true }],
})

export type ReplayRequest = z.infer<typeof replayRequest>

export const replayResponse = z
  .strictObject({
    dry_run: z.boolean(),
    matched: z.int(),
    matched_all: z.boolean().describe('False if counting was given up: then at least `matched` tasks fit'),
    replayed: z.int().describe(`Replays that were made now; at most ${maxReplays} in one call, oldest last`),
    items: z.array(z.strictObject({ id: z.uuid(), replay_id: z.uuid().nullable() })),
  })
  .meta({ id: 'ReplayAnswer' })

export type ReplayResponse = z.infer<typeof replayResponse>
