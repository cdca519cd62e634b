import { entityId, taskStates } from '#libs/tasks/contracts'
import { z } from 'zod'
import { strictInput } from '../http/strict-input.js'
import { celeryStates } from '../predictions/predictions.schemas.js'

export const explanationQuery = strictInput({
  output: z
    .string()
    .max(64)
    .optional()
    .describe("Name of one of the model's outputs; default: the one of `risk_score`"),
})

export type ExplanationQuery = z.infer<typeof explanationQuery>

/** An explanation with its state; everything from `method` on is there when the state is `succeeded`. */
export const explanationResponse = z
  .strictObject({
    prediction_id: entityId,
    state: z.enum(taskStates),
    celery_state: z.enum(celeryStates),
    output_name: z.string().describe("The explained output of the model: `risk_score` is its primary one's value"),
    method: z
      .string()
      .nullable()
      .describe(
        'How: `tree_interventional`, `tree_path_dependent`, `linear` and `exact` are exact, `permutation` is sampled',
      ),
    space: z
      .string()
      .nullable()
      .describe('In which contributions add up: `log_odds`, `probability` or the `score` of one class of several'),
    base_value: z.number().nullable().describe('Expected output over the reference people'),
    output: z.number().nullable().describe('The explained output: base value and contributions added up'),
    contributions: z
      .array(
        z.strictObject({
          feature: z.string(),
          title: z.string(),
          value: z.number().nullable().describe('Null: missing'),
          unit: z.string(),
          contribution: z.number(),
          standard_error: z.number().optional().describe('Where it was sampled'),
        }),
      )
      .nullable()
      .describe('One for each input of the model, the largest first'),
    standard_error: z
      .number()
      .nullable()
      .describe('Largest standard error of a contribution; null where they are exact'),
    text: z.string().nullable().describe('The same in plain words'),
    model: z.strictObject({ name: z.string(), version: z.string() }),
    disclaimer: z.string(),
    error: z.strictObject({ code: z.string(), message: z.string() }).nullable(),
    task_id: z.uuid(),
  })
  .meta({ id: 'Explanation' })

export type ExplanationResponse = z.infer<typeof explanationResponse>
