import { z } from 'zod'
import { modelFileName, modelName, modelVersion } from './model-path.js'

const metricName = z
  .string()
  .regex(/^[a-z][a-z0-9_]{0,62}$/, 'lower-case letters, digits and underscores, starting with a letter')
const sha256 = z.string().regex(/^[0-9a-f]{64}$/, 'a sha256 digest in lower-case hexadecimal')

/** One number in a named output tensor of shape [rows, columns] (or [rows], column 0). */
const tensorColumn = z.strictObject({ tensor: z.string().min(1), column: z.int().nonnegative().default(0) })

/** A value that looks like another unit: inside [min, max] the warning says `looks like <unit>, expected <unit of the input>`. */
const unitHint = z.strictObject({ min: z.number(), max: z.number(), unit: z.string().min(1) })

/** One input of a model, in the order of the graph's columns. */
export const modelInputSchema = z.strictObject({
  name: metricName,
  title: z.string().min(1),
  description: z.string().default(''),
  unit: z.string().min(1),
  /** Smallest and largest accepted value, inclusive; anything outside is refused. */
  min: z.number(),
  max: z.number(),
  /** Only whole numbers are accepted. */
  integer: z.boolean().default(false),
  /** Words accepted in place of numbers, e.g. `{ "female": 0, "male": 1 }`. */
  words: z.record(z.string(), z.number()).optional(),
  /** The model computes nothing without this input. */
  required: z.boolean().default(false),
  /** 1st and 99th percentile of the training people: outside them the result is flagged as extrapolating. */
  typical: z.strictObject({ low: z.number(), high: z.number() }).optional(),
  unit_hints: z.array(unitHint).default([]),
})

/** One output of a model: a probability with, where the model gives one, its interval. */
const modelOutputSchema = z.strictObject({
  name: metricName,
  title: z.string().min(1),
  value: tensorColumn,
  lower: tensorColumn.optional(),
  upper: tensorColumn.optional(),
  /** Years ahead that the probability speaks of; null: the present. */
  horizon_years: z.number().positive().nullable().default(null),
})

/** `categories` in rising order; each holds values below its `below`, the last has none. */
const categorySchema = z.strictObject({ name: modelName.or(metricName), below: z.number().optional() })

/** What the model card says of use and quality, in parts that are shown beside a result. */
const evidenceSchema = z.strictObject({
  /** What the result is for, and for whom. */
  intended_use: z.string().min(1),
  /** People and questions that it is not for. */
  not_for: z.array(z.string().min(1)).default([]),
  training_data: z.string().min(1),
  /** On whom, and how, its quality was measured. */
  validation: z.string().min(1),
  /** Predicted and observed shares of groups of people, by rising prediction. */
  calibration: z
    .array(
      z.strictObject({
        title: z.string().min(1),
        /** Name of the output that is meant, where it is one. */
        output: metricName.optional(),
        points: z
          .array(z.strictObject({ predicted: z.number(), observed: z.number(), count: z.int().nonnegative() }))
          .min(1),
      }),
    )
    .default([]),
  /** How much each input matters over all people, and what the values are. */
  importance: z
    .strictObject({ measure: z.string().min(1), values: z.record(metricName, z.number()) })
    .nullable()
    .default(null),
})

const common = {
  manifest_version: z.literal(1),
  name: modelName,
  version: modelVersion,
  title: z.string().min(1),
  summary: z.string().min(1),
  /** Shown wherever the result is: decision support, not diagnosis. */
  disclaimer: z.string().min(1),
  inputs: z.array(modelInputSchema).min(1),
  limits: z.array(z.string()).default([]),
  terms: z.string().default(''),
  acknowledgement: z.string().default(''),
  /** Measured quality, by name, e.g. `{ "auc": 0.9 }`, as the card explains it. */
  metrics: z.record(z.string(), z.number()).default({}),
  evidence: evidenceSchema.nullable().default(null),
  /** sha256 of every file of the folder but the manifest itself. */
  files: z.record(modelFileName, sha256),
}

/** A model whose outputs are probabilities computed by an ONNX graph from one feature matrix. */
const riskManifestSchema = z.strictObject({
  ...common,
  kind: z.literal('risk'),
  graph: z.strictObject({
    file: modelFileName,
    /** Name of the one input tensor, shape [rows, inputs]. */
    input: z.string().min(1),
    dtype: z.enum(['float32', 'float64']).default('float32'),
    /** Most rows of one run. */
    max_batch: z.int().positive().default(4096),
  }),
  /** What an absent input becomes: NaN that the graph understands, or a stated value. */
  missing: z.discriminatedUnion('rule', [
    z.strictObject({ rule: z.literal('native') }),
    z.strictObject({ rule: z.literal('impute'), values: z.record(metricName, z.number()) }),
  ]),
  outputs: z.array(modelOutputSchema).min(1),
  /** Name of the output that `risk_score` and `risk_category` come from. */
  primary_output: metricName,
  categories: z.array(categorySchema).min(1),
  /** Where the bounds of the categories come from. */
  categories_origin: z.string().min(1).optional(),
  /** How `lower` and `upper` were made, in words, and their level. */
  interval: z
    .strictObject({ level: z.number().gt(0).lt(1), method: z.string().min(1) })
    .nullable()
    .default(null),
  calibration: z
    .strictObject({ method: z.string().min(1) })
    .nullable()
    .default(null),
  explanation: z
    .strictObject({
      /** `auto`: exact tree or linear SHAP if the graph is one, else permutation SHAP. */
      method: z.enum(['auto', 'tree_path_dependent', 'tree_interventional', 'linear', 'permutation']).default('auto'),
      /** Space in which contributions add up. */
      space: z.enum(['log_odds', 'probability']).default('log_odds'),
      /** `{ "rows": [[...], ...] }` in input order, null for missing: the reference people. */
      background: modelFileName.optional(),
    })
    .default({ method: 'auto', space: 'log_odds' }),
})

/** A model that forecasts a dated score from the person's own history; its parameters are numbers in a JSON file. */
const forecastManifestSchema = z.strictObject({
  ...common,
  kind: z.literal('forecast'),
  parameters: modelFileName,
  /** Name of the metric that is forecast. */
  metric: metricName,
  horizons_months: z.array(z.number().positive()).min(1).default([6, 12, 24]),
})

/** `manifest.json` of a model folder. */
export const manifestSchema = z.discriminatedUnion('kind', [riskManifestSchema, forecastManifestSchema])

export type Manifest = z.infer<typeof manifestSchema>
export type RiskManifest = z.infer<typeof riskManifestSchema>
export type ForecastManifest = z.infer<typeof forecastManifestSchema>
export type TensorColumn = z.infer<typeof tensorColumn>
export type ModelInput = z.infer<typeof modelInputSchema>

/** One worked case of `golden.json`; `null` or absent inputs are missing. */
const goldenCaseSchema = z.strictObject({
  inputs: z.record(metricName, z.number().nullable()),
  /** By output name; `lower` and `upper` where the model gives an interval. */
  outputs: z.record(
    metricName,
    z.strictObject({ value: z.number(), lower: z.number().optional(), upper: z.number().optional() }),
  ),
})

/** `golden.json` of a risk model: made with the training library, checked before the model may serve. */
export const goldenSchema = z.strictObject({
  tolerance: z.number().positive().default(1e-6),
  cases: z.array(goldenCaseSchema).min(1),
})

/** The reference people of explanations: rows in the order of the inputs, null for missing. */
export const backgroundSchema = z.strictObject({ rows: z.array(z.array(z.number().nullable())).min(1).max(1000) })

export type Background = z.infer<typeof backgroundSchema>

export type Golden = z.infer<typeof goldenSchema>
