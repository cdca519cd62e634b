import { z } from 'zod'
import { defineTask } from './define-task.js'

const wholeNumber = `must be a whole number from 1 to ${Number.MAX_SAFE_INTEGER}`
/** Positive integers, as in the replaced system; the bound is the largest integer that JSON keeps exactly. */
export const entityId = z.int({ error: wholeNumber }).positive({ error: wholeNumber })

/** Most metrics of one person, many times what is known. */
const maxMetrics = 200

/**
 * A metric's name to its number; words such as `"female"` are accepted where the model's manifest has them. More than
 * 200 members are rejected before any is checked.
 */
export const healthMetrics = z.preprocess(
  (given, context) => {
    if (typeof given === 'object' && given !== null && Object.keys(given).length > maxMetrics) {
      context.addIssue(`must have at most ${maxMetrics} members`)
    }
    return given
  },
  z.record(
    z.string().min(1).max(64),
    z.union([z.number(), z.string().max(64)], { error: 'must be a number; leave out a metric that is missing' }),
    { error: 'must be an object of metric names, of at most 64 characters, and their values' },
  ),
)

/**
 * Risk of one person: of new metrics, which are stored as a new prediction, or once more of those of the prediction
 * `prediction_id`.
 */
export const processPrediction = defineTask({
  name: 'ml.process_prediction',
  queue: 'predictions',
  args: z
    .strictObject({
      prediction_id: entityId.optional(),
      user_id: entityId,
      health_metrics: healthMetrics.optional(),
      /** `name` or `name@version`, for new metrics. */
      model: z.string().max(128).optional(),
    })
    .refine(({ prediction_id, health_metrics }) => prediction_id !== undefined || health_metrics !== undefined, {
      path: ['health_metrics'],
      error: 'must be there, or else the `prediction_id` of a prediction that is stored',
    }),
  result: z.strictObject({
    prediction_id: entityId,
    risk_score: z.number(),
    risk_category: z.string(),
    confidence_interval: z.strictObject({ lower: z.number(), upper: z.number(), level: z.number() }).nullable(),
  }),
})
