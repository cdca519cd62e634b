import { z } from 'zod'

const input = z.strictObject({
  name: z.string(),
  title: z.string(),
  unit: z.string(),
  min: z.number(),
  max: z.number(),
  required: z.boolean(),
})

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
    is_shadow: z.boolean().describe('Runs on the same inputs; its answers are only compared'),
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
