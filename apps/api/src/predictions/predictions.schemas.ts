import { celeryStateOf, entityId, healthMetrics, taskStates } from '#libs/tasks/contracts'
import { z } from 'zod'
import { strictInput } from '../http/strict-input.js'

const example = { user_id: 123, health_metrics: { mmse_score: 24, age: 72 } }

/** `POST /v1/predictions` */
export const predictionRequest = strictInput({
  user_id: entityId.describe('Positive integer that stands for the person'),
  health_metrics: healthMetrics.describe("A metric's name to its value; leave out what is missing"),
  model: z.string().max(128).optional().describe('`name` or `name@version`; default: the service chooses'),
  explain: z
    .boolean({ error: 'must be true or false' })
    .optional()
    .describe('Also explain it: read `{id}/explanation`'),
}).meta({ id: 'PredictionRequest', example })

export type PredictionRequest = z.infer<typeof predictionRequest>

const interval = z.strictObject({ lower: z.number(), upper: z.number(), level: z.number() })

export const celeryStates = [...new Set(taskStates.map(celeryStateOf))] as [string, ...string[]]

/** A prediction with its state; the result is there when the state is `succeeded`. */
export const predictionResponse = z
  .strictObject({
    id: entityId,
    user_id: entityId,
    state: z.enum(taskStates),
    celery_state: z.enum(celeryStates),
    risk_score: z.number().nullable().describe('Probability, 0 to 1. Decision support, not diagnosis'),
    risk_category: z.string().nullable(),
    confidence_interval: interval.nullable(),
    outputs: z
      .record(
        z.string(),
        z.strictObject({ value: z.number(), lower: z.number().optional(), upper: z.number().optional() }),
      )
      .nullable()
      .describe('Every output of the model by name'),
    model: z.strictObject({ name: z.string(), version: z.string() }),
    input_features: z.record(z.string(), z.number()),
    missing_features: z.array(z.string()),
    extrapolated_features: z
      .array(z.string())
      .describe('Inputs outside what the model was trained on: the result is out of distribution because of them'),
    warnings: z.array(z.string()),
    disclaimer: z.string(),
    error: z.strictObject({ code: z.string(), message: z.string() }).nullable(),
    task_id: z.uuid(),
    batch_id: z.uuid().nullable(),
    external_id: z
      .number()
      .nullable()
      .describe('The `prediction_id` of a Celery caller, who keeps numbers of their own'),
    created_at: z.iso.datetime(),
    started_at: z.iso.datetime().nullable(),
    completed_at: z.iso.datetime().nullable(),
  })
  .meta({ id: 'Prediction' })

export type PredictionResponse = z.infer<typeof predictionResponse>

export const predictionPage = z
  .strictObject({ items: z.array(predictionResponse), next_cursor: z.string().nullable() })
  .meta({ id: 'PredictionPage' })

export const predictionQuery = strictInput({
  user_id: z.coerce.number().pipe(entityId).optional(),
  state: z.enum(taskStates).optional(),
  batch_id: z
    .uuid({ error: 'must be the id of a batch' })
    .optional()
    .describe('Predictions that came with this batch, so far'),
  external_id: z.coerce
    .number()
    .pipe(entityId)
    .optional()
    .describe('The number that a Celery caller gave as `prediction_id`'),
  cursor: z
    .string()
    .regex(/^\d{1,16}$/, 'must be a `next_cursor` of an earlier page')
    .optional(),
  limit: z.coerce.number().int().min(1).max(500).default(50),
})

export type PredictionQuery = z.infer<typeof predictionQuery>

export const predictionId = z.coerce.number({ error: 'must be a positive integer' }).pipe(entityId)
