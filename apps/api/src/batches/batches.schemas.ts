import { SlicedList } from '#libs/calls'
import { taskStates } from '#libs/tasks/contracts'
import { z } from 'zod'
import { strictInput } from '../http/strict-input.js'
import { celeryStates } from '../predictions/predictions.schemas.js'

const people = (of: string) =>
  z
    .custom<SlicedList>((value) => value instanceof SlicedList, { error: 'must be a list', abort: true })
    .refine(({ length }) => length > 0, { error: 'must have at least one entry' })
    .describe(of)

/**
 * `POST /v1/batches` as JSON. Each person is checked alone, as a row of an upload is, so that one that does not fit
 * fails alone; here only the shape of the whole is checked.
 */
export const batchRequest = strictInput({
  items: people('`{user_id, health_metrics}` of each person').optional(),
  user_ids: people('The people, if their metrics stand in `health_metrics_list`').optional(),
  health_metrics_list: people('The metrics of each of `user_ids`, in order; default: what is recorded').optional(),
  model: z.string().max(128).optional().describe('`name` or `name@version`; default: the service chooses'),
})
  .superRefine(({ items, user_ids, health_metrics_list }, context) => {
    const refuse = (path: string, message: string) => context.addIssue({ code: 'custom', path: [path], message })
    if (items) {
      if (user_ids ?? health_metrics_list) refuse('items', 'must stand alone, without user_ids, health_metrics_list')
    } else if (!user_ids) {
      refuse('items', 'is needed, or user_ids')
    } else if (health_metrics_list && user_ids.length !== health_metrics_list.length) {
      refuse('health_metrics_list', 'must have one entry for each of user_ids')
    }
  })
  .meta({ id: 'BatchRequest' })

export type BatchRequest = z.infer<typeof batchRequest>

const documentedMetrics = { type: 'object', additionalProperties: { type: 'number' } } as const
const documentedUser = { type: 'integer', minimum: 1 } as const

/** The body of `POST /v1/batches` in the OpenAPI document, which shows what each person looks like. */
export const documentedBatch = {
  oneOf: [
    {
      type: 'object',
      additionalProperties: false,
      required: ['items'],
      properties: {
        items: {
          type: 'array',
          minItems: 1,
          items: {
            type: 'object',
            required: ['user_id', 'health_metrics'],
            properties: { user_id: documentedUser, health_metrics: documentedMetrics },
          },
        },
        model: { type: 'string' },
      },
    },
    {
      type: 'object',
      additionalProperties: false,
      required: ['user_ids'],
      properties: {
        user_ids: { type: 'array', minItems: 1, items: documentedUser },
        health_metrics_list: {
          type: 'array',
          items: documentedMetrics,
          description: 'Left out: the newest recorded value of each metric of a person',
        },
        model: { type: 'string' },
      },
    },
  ],
}

export const batchSubmitQuery = strictInput({
  model: z.string().max(128).optional().describe('`name` or `name@version`; default: the service chooses'),
  missing_values: z
    .string()
    .max(200)
    .optional()
    .describe(
      'What stands for a missing value in an uploaded file, beside an empty cell. `usual` (default): NA, N/A, #N/A, NaN, ' +
        'NULL, None, nil, `.`, `?`, `-`, `\\N`; `empty`: nothing else; or your own list, such as `-9,unknown`',
    ),
})

export type BatchSubmitQuery = z.infer<typeof batchSubmitQuery>

const count = z.int().nonnegative()

/** A batch with its progress. */
export const batchResponse = z
  .strictObject({
    id: z.uuid(),
    task_id: z.uuid(),
    state: z.enum(taskStates),
    celery_state: z.enum(celeryStates),
    model: z.strictObject({ name: z.string(), version: z.string() }),
    total: count.describe('Rows, the refused ones included'),
    succeeded: count,
    failed: count.describe('Rows that were refused, or that have no result'),
    cancelled: count,
    percent: z.number().describe('Rows that are done, of 100'),
    eta_seconds: z.number().nullable().describe('At the pace so far; null before the first rows'),
    errors: z
      .array(
        z.strictObject({
          line: z.int().describe('Line of the upload, from 1; of JSON: position of the person, from 1'),
          user_id: z.int().nullable(),
          code: z.string(),
          message: z.string(),
        }),
      )
      .describe('The first 100; the results contain all of them'),
    results: z.string().describe('Path of the results'),
    disclaimer: z.string(),
    created_at: z.iso.datetime(),
    started_at: z.iso.datetime().nullable(),
    completed_at: z.iso.datetime().nullable(),
  })
  .meta({ id: 'Batch' })

export type BatchResponse = z.infer<typeof batchResponse>

export const batchPage = z
  .strictObject({ items: z.array(batchResponse.omit({ errors: true })), next_cursor: z.string().nullable() })
  .meta({ id: 'BatchPage' })

export type BatchPage = z.infer<typeof batchPage>

export const batchQuery = strictInput({
  cursor: z.uuid({ error: 'must be a `next_cursor` of an earlier page' }).optional(),
  limit: z.coerce.number().int().min(1).max(100).default(20),
})

export type BatchQuery = z.infer<typeof batchQuery>

export const batchId = z.uuid({ error: 'must be the id of a batch' })

export const resultFormat = strictInput({
  format: z.enum(['ndjson', 'csv']).optional().describe('Default: what `Accept` wants most, else NDJSON'),
})

export type ResultFormat = NonNullable<z.infer<typeof resultFormat>['format']>
