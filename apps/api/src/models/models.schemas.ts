import { z } from 'zod'

const input = z
  .strictObject({
    name: z.string(),
    title: z.string(),
    description: z.string().describe('What to enter; empty if the model does not say'),
    unit: z.string(),
    min: z.number().describe('Smallest accepted value'),
    max: z.number().describe('Largest accepted value'),
    integer: z.boolean().describe('Only whole numbers are accepted'),
    words: z
      .record(z.string(), z.number())
      .nullable()
      .describe('Words that are accepted in place of the numbers: the choices of a category'),
    required: z.boolean().describe('Nothing is computed without it'),
    imputed: z.number().nullable().describe('What an absent value becomes; null: absence is part of the model'),
    typical: z
      .strictObject({ low: z.number(), high: z.number() })
      .nullable()
      .describe('Where nearly all the training people lie: outside, the result extrapolates'),
    unit_hints: z
      .array(z.strictObject({ min: z.number(), max: z.number(), unit: z.string() }))
      .describe('Values from min to max look like this other unit'),
  })
  .meta({ id: 'ModelInput' })

const output = z
  .strictObject({
    name: z.string(),
    title: z.string(),
    horizon_years: z.number().nullable().describe('Years ahead; null: the present'),
    has_interval: z.boolean(),
  })
  .meta({ id: 'ModelOutput' })

const category = z
  .strictObject({
    name: z.string(),
    from: z.number().describe('Smallest value of the primary output'),
    below: z.number().nullable().describe('Smallest value that is no longer in it; null for the last'),
  })
  .meta({ id: 'ModelCategory' })

const evidence = z
  .strictObject({
    intended_use: z.string(),
    not_for: z.array(z.string()).describe('People and questions that the model is not for'),
    training_data: z.string(),
    validation: z.string().describe('On whom, and how, the quality was measured'),
    calibration: z
      .array(
        z.strictObject({
          title: z.string(),
          output: z.string().nullable(),
          points: z.array(z.strictObject({ predicted: z.number(), observed: z.number(), count: z.int() })),
        }),
      )
      .describe('Groups of people by rising prediction; empty if it was not measured'),
    importance: z
      .strictObject({
        measure: z.string().describe('What the values are'),
        values: z.array(z.strictObject({ input: z.string(), value: z.number() })).describe('Largest amount first'),
      })
      .nullable()
      .describe('How much each input matters over all people; null if it was not measured'),
  })
  .meta({ id: 'ModelEvidence' })

const state = z.enum(['ready', 'loading', 'broken', 'unknown'])

export const modelResponse = z
  .strictObject({
    name: z.string(),
    version: z.string(),
    kind: z.enum(['risk', 'forecast']),
    title: z.string(),
    summary: z.string(),
    disclaimer: z.string(),
    inputs: z.array(input),
    metrics: z.record(z.string(), z.number()),
    state: state.describe('`ready` if a worker may serve it; `unknown` if no worker has reported it'),
    reason: z.string().nullable().describe('Why it is broken'),
    is_active: z.boolean().describe('Serves where no version is named'),
    is_default: z.boolean().describe('Serves where no model is named'),
    is_shadow: z.boolean().describe('Runs on the same inputs; its results are only compared'),
    rollback_to: z.string().nullable().describe('Version that a rollback of this model returns to; null without one'),
    workers: z.array(z.strictObject({ worker: z.string(), state, reason: z.string().nullable() })),
  })
  .meta({ id: 'Model' })

export type ModelResponse = z.infer<typeof modelResponse>

export const modelPage = z
  .strictObject({
    items: z.array(modelResponse),
    unreadable: z
      .array(z.strictObject({ model: z.string(), reason: z.string() }))
      .describe('Folders that hold no usable model, with every fault'),
    next_cursor: z.null(),
  })
  .meta({ id: 'ModelPage' })

export type ModelPage = z.infer<typeof modelPage>

export const modelDetail = modelResponse
  .extend({
    outputs: z.array(output).describe('Probabilities; empty for a forecast'),
    primary_output: z.string().nullable().describe('The output that score and category come from'),
    categories: z.array(category).describe('In rising order; empty for a forecast'),
    categories_origin: z.string().nullable().describe('Where the bounds come from; null if the model does not say'),
    interval: z.strictObject({ level: z.number(), method: z.string() }).nullable(),
    calibration_method: z.string().nullable(),
    missing_rule: z
      .enum(['native', 'impute'])
      .nullable()
      .describe('`native`: the model takes absent inputs as they are; `impute`: see `imputed`; null for a forecast'),
    forecast: z
      .strictObject({ metric: z.string(), horizons_months: z.array(z.number()) })
      .nullable()
      .describe('What is forecast; null for a risk'),
    evidence: evidence.nullable().describe('What the card says of use and quality; null if the model does not say'),
    limits: z.array(z.string()),
    terms: z.string(),
    acknowledgement: z.string(),
    files: z.record(z.string(), z.string()).describe('sha256 of every file'),
    card: z.string().describe('The model card, Markdown'),
  })
  .meta({ id: 'ModelDetail' })

export type ModelDetail = z.infer<typeof modelDetail>

/** Which versions of a model serve and shadow, after a change. */
export const activationResponse = z
  .strictObject({
    name: z.string(),
    active: z.string().nullable().describe('Version that serves where none is named'),
    previous: z.string().nullable().describe('Version that a rollback returns to'),
    shadow: z.string().nullable(),
    shadow_since: z.iso.datetime().nullable(),
  })
  .meta({ id: 'ModelActivation' })

export type ActivationResponse = z.infer<typeof activationResponse>

/** How a shadow's results differ from the served ones: shadow minus served. */
export const shadowReport = z
  .strictObject({
    name: z.string(),
    version: z.string(),
    is_running: z.boolean(),
    since: z.iso.datetime().nullable(),
    reports: z.array(
      z.strictObject({
        served: z.string().describe('`name@version` that was served meanwhile'),
        count: z.int().describe('People for whom both models returned a result'),
        failed: z.int().describe('People for whom the shadow failed'),
        skipped: z.int().describe('People left out because the worker was busy'),
        mean_difference: z.number().nullable(),
        mean_absolute_difference: z.number().nullable(),
        max_absolute_difference: z.number().nullable(),
        category_changes: z.array(z.strictObject({ from: z.string(), to: z.string(), count: z.int() })),
      }),
    ),
  })
  .meta({ id: 'ShadowReport' })

export type ShadowReport = z.infer<typeof shadowReport>

export const namePart = z.string().max(64)
