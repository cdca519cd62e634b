import { MemoryGuardError, type InputFault } from '#libs/platform'
import type { MetricRange } from './known-metrics.js'
import type { ModelInput, RiskManifest } from './manifest.schema.js'
import { numberOfWord } from './metric-words.js'
import type { ModelCatalogue } from './model-catalogue.js'

/** Metrics as they are stored: numbers by name, and what the caller should know of them. */
export interface CheckedMetrics {
  readonly metrics: Readonly<Record<string, number>>
  readonly warnings: readonly string[]
}

/** Most metrics of one person, many times what is known: what is looked at of one request is bounded. */
const maxMetrics = 200

const unknownMetric = 'is no known metric'

/** JSON pointer of a member (RFC 6901). */
const pointerTo = (name: string): string => `/health_metrics/${name.replaceAll('~', '~0').replaceAll('/', '~1')}`

const rangeOf = (input: MetricRange): string => {
  const words = input.words ? ` (or ${Object.keys(input.words).join(', ')})` : ''
  return `${input.integer ? 'a whole number' : 'a number'} from ${input.min} to ${input.max}${words}, in ${input.unit}`
}

/** ` It looks like mg/dL, expected mmol/L.` where the value lies in the range of a hint. */
const looksLike = (
  { unit, unit_hints: hints = [] }: Pick<MetricRange, 'unit' | 'unit_hints'>,
  value: number,
): string => {
  const hint = hints.find(({ min, max }) => value >= min && value <= max)
  return hint ? ` It looks like ${hint.unit}, expected ${unit}.` : ''
}

/** Whether a value lies outside the 1st to 99th percentile of the people that a model was trained on. */
const isExtrapolated = ({ typical }: ModelInput, value: number): boolean =>
  typical !== undefined && (value < typical.low || value > typical.high)

/** The value as a number, or what is wrong with it. The value itself never stands in the message. */
const checkInput = (input: MetricRange, raw: number | string): number | { readonly message: string } => {
  const value = typeof raw === 'string' ? numberOfWord(input.words, raw) : raw
  if (value === undefined || !Number.isFinite(value)) return { message: `must be ${rangeOf(input)}` }
  if (value < input.min || value > input.max) {
    const why = input.description ? ` ${input.description}` : ''
    return { message: `must be ${rangeOf(input)}.${looksLike(input, value)}${why}` }
  }
  if (input.integer && !Number.isInteger(value)) return { message: `must be ${rangeOf(input)}` }
  return value
}

/** The value as a number, if the metric is known and may have it. */
const checkKnown = (catalogue: ModelCatalogue, name: string, raw: number | string) => {
  const known = catalogue.findMetric(name)
  if (known) return checkInput(known, raw)
  return { message: unknownMetric }
}

/** The members. @throws MemoryGuardError MODEL_INPUT_INVALID if there are too many to look at. */
const entriesOf = (given: Readonly<Record<string, number | string>>): [string, number | string][] => {
  const entries = Object.entries(given)
  if (entries.length <= maxMetrics) return entries
  throw new MemoryGuardError('MODEL_INPUT_INVALID', 'There are too many health metrics.', {
    faults: [{ pointer: '/health_metrics', message: `must have at most ${maxMetrics} members` }],
  })
}

/** The refusal with every fault; the list of what is known stands in it once. */
const refusal = (words: string, faults: readonly InputFault[], catalogue: ModelCatalogue): MemoryGuardError => {
  const isAnyUnknown = faults.some(({ message }) => message === unknownMetric)
  const known = isAnyUnknown ? ` Known metrics are: ${catalogue.metricNames.join(', ')}.` : ''
  return new MemoryGuardError('MODEL_INPUT_INVALID', words + known, { faults })
}

/**
 * Checks what was measured of a person, for no model in particular.
 * @returns the numbers to store.
 * @throws MemoryGuardError MODEL_INPUT_INVALID with every fault and its JSON pointer.
 */
export const checkMeasurement = (
  catalogue: ModelCatalogue,
  given: Readonly<Record<string, number | string>>,
): Readonly<Record<string, number>> => {
  const faults: InputFault[] = []
  const metrics: Record<string, number> = {}
  const entries = entriesOf(given)
  for (const [name, raw] of entries) {
    const value = checkKnown(catalogue, name, raw)
    if (typeof value === 'number') metrics[name] = value
    else faults.push({ pointer: pointerTo(name), message: value.message })
  }
  if (entries.length === 0) {
    faults.push({
      pointer: '/health_metrics',
      message: `must hold at least one of ${catalogue.metricNames.join(', ')}`,
    })
  }
  if (faults.length > 0) throw refusal('The health metrics cannot be recorded.', faults, catalogue)
  return metrics
}

/**
 * Checks the metrics of one person against a model's inputs.
 * @returns the numbers to store; known metrics that the model does not use are kept and named in the warnings.
 * @throws MemoryGuardError MODEL_INPUT_INVALID with every fault and its JSON pointer.
 */
export const checkMetrics = (
  manifest: RiskManifest,
  catalogue: ModelCatalogue,
  given: Readonly<Record<string, number | string>>,
): CheckedMetrics => {
  const faults: InputFault[] = []
  const warnings: string[] = []
  const metrics: Record<string, number> = {}
  const inputs = inputsByName(manifest)
  let used = 0
  for (const [name, raw] of entriesOf(given)) {
    const input = inputs.get(name)
    if (input) {
      const value = checkInput(input, raw)
      if (typeof value === 'number') {
        metrics[name] = value
        used += 1
        if (input.typical && isExtrapolated(input, value)) {
          const { low, high } = input.typical
          // In range but out of the ordinary: another unit is the likely reason if the manifest knows one.
          const hint = looksLike(input, value)
          warnings.push(`${name} lies outside ${low} to ${high}, where the model was trained: it extrapolates.${hint}`)
        }
      } else faults.push({ pointer: pointerTo(name), message: value.message })
      continue
    }
    const value = checkKnown(catalogue, name, raw)
    if (typeof value === 'number') {
      metrics[name] = value
      warnings.push(`${name} is stored but not used by ${manifest.name}`)
    } else faults.push({ pointer: pointerTo(name), message: value.message })
  }
  for (const { name, required, title } of manifest.inputs) {
    if (required && !(name in given)) {
      faults.push({ pointer: pointerTo(name), message: `is needed by ${manifest.name} (${title})` })
    }
  }
  if (used === 0 && faults.length === 0) {
    const accepted = manifest.inputs.map(({ name }) => name).join(', ')
    faults.push({ pointer: '/health_metrics', message: `must hold at least one of ${accepted}` })
  }
  if (faults.length > 0) throw refusal('The health metrics do not fit the model.', faults, catalogue)
  return { metrics, warnings }
}

const inputIndex = new WeakMap<RiskManifest, ReadonlyMap<string, ModelInput>>()

/** The inputs by name, made once for each manifest: this runs for every request. */
const inputsByName = (manifest: RiskManifest): ReadonlyMap<string, ModelInput> => {
  const made = inputIndex.get(manifest) ?? new Map(manifest.inputs.map((input) => [input.name, input]))
  inputIndex.set(manifest, made)
  return made
}

/** The model's inputs that were not given. */
export const missingFeatures = (manifest: RiskManifest, metrics: Readonly<Record<string, number>>): readonly string[] =>
  manifest.inputs.filter(({ name }) => !(name in metrics)).map(({ name }) => name)

/**
 * An output of a model by its name; without one, the primary.
 * @throws MemoryGuardError REQUEST_INVALID, naming the outputs there are.
 */
export const findOutput = (
  { outputs, primary_output }: RiskManifest,
  name: string = primary_output,
): RiskManifest['outputs'][number] => {
  const found = outputs.find((output) => output.name === name)
  if (found) return found
  const names = outputs.map((output) => output.name).join(', ')
  throw new MemoryGuardError('REQUEST_INVALID', `The model has no such output. It has: ${names}.`, {
    faults: [{ pointer: '/output', message: `must be one of ${names}` }],
  })
}

/** The model's inputs whose values lie outside what it was trained on: its answer extrapolates in them. */
export const extrapolatedFeatures = (
  manifest: RiskManifest,
  metrics: Readonly<Record<string, number>>,
): readonly string[] =>
  manifest.inputs.flatMap((input) => {
    const value = metrics[input.name]
    return value !== undefined && isExtrapolated(input, value) ? [input.name] : []
  })

/** The interval of the primary output, where the model gives one. */
export const intervalOf = (
  { primary_output, interval }: RiskManifest,
  outputs: Readonly<Record<string, { readonly lower?: number; readonly upper?: number }>>,
): { lower: number; upper: number; level: number } | null => {
  const { lower, upper } = outputs[primary_output] ?? {}
  return interval && lower !== undefined && upper !== undefined ? { lower, upper, level: interval.level } : null
}

/** The category of a value of the primary output. */
export const categoryOf = ({ categories }: RiskManifest, value: number): string => {
  const found = categories.find(({ below }) => below === undefined || value < below)
  if (!found) throw new Error('The categories of a manifest must end with one without a bound')
  return found.name
}
