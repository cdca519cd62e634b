import { MemoryGuardError, type InputFault } from '#libs/platform'
import type { MetricRange } from './known-metrics.js'
import type { ModelInput, RiskManifest } from './manifest.schema.js'
import { numberOfWord } from './metric-words.js'
import type { ModelCatalogue } from './model-catalogue.js'

type GivenMetrics = Readonly<Record<string, number | string>>

/** Metrics as they are stored: numbers by name, and what the caller should know of them. */
export interface CheckedMetrics {
  readonly metrics: Readonly<Record<string, number>>
  readonly warnings: readonly string[]
}

/** Most metrics of one request, many times the number of known ones. */
const maxMetrics = 200

const unknownMetric = 'is no known metric'

/** JSON pointer of a member (RFC 6901). */
const pointerTo = (name: string): string => `/health_metrics/${name.replaceAll('~', '~0').replaceAll('/', '~1')}`

const rangeOf = (input: MetricRange): string => {
  const words = input.words ? ` (or ${Object.keys(input.words).join(', ')})` : ''
  return `${input.integer ? 'a whole number' : 'a number'} from ${input.min} to ${input.max}${words}, in ${input.unit}`
}

/** ` It looks like mg/dL, expected mmol/L.` where the value lies in the range of a hint. */
const unitHint = (
  { unit, unit_hints: hints = [] }: Pick<MetricRange, 'unit' | 'unit_hints'>,
  value: number,
): string => {
  const hint = hints.find(({ min, max }) => value >= min && value <= max)
  return hint ? ` It looks like ${hint.unit}, expected ${unit}.` : ''
}

/** Whether a value lies outside the 1st to 99th percentile of the people that a model was trained on. */
const isExtrapolated = ({ typical }: ModelInput, value: number): boolean =>
  typical !== undefined && (value < typical.low || value > typical.high)

/** The value as a number, or what is wrong with it. The value itself is never in the message. */
const checkValue = (input: MetricRange, raw: number | string | undefined): number | { readonly message: string } => {
  const value = typeof raw === 'string' ? numberOfWord(input.words, raw) : raw
  if (value === undefined || !Number.isFinite(value)) return { message: `must be ${rangeOf(input)}` }
  if (value < input.min || value > input.max) {
    const why = input.description ? ` ${input.description}` : ''
    return { message: `must be ${rangeOf(input)}.${unitHint(input, value)}${why}` }
  }
  if (input.integer && !Number.isInteger(value)) return { message: `must be ${rangeOf(input)}` }
  return value
}

/** The values that may be stored, as numbers; what is wrong with the others is added to `faults`. */
const readMetrics = (
  given: GivenMetrics,
  catalogue: ModelCatalogue,
  faults: InputFault[],
  inputs?: ReadonlyMap<string, ModelInput>,
): Readonly<Record<string, number>> => {
  const names = Object.keys(given)
  if (names.length > maxMetrics) {
    throw new MemoryGuardError('MODEL_INPUT_INVALID', 'There are too many health metrics.', {
      faults: [{ pointer: '/health_metrics', message: `must have at most ${maxMetrics} members` }],
    })
  }
  const metrics: Record<string, number> = {}
  for (const name of names) {
    const range = inputs?.get(name) ?? catalogue.findMetric(name)
    const value = range ? checkValue(range, given[name]) : { message: unknownMetric }
    if (typeof value === 'number') metrics[name] = value
    else faults.push({ pointer: pointerTo(name), message: value.message })
  }
  return metrics
}

/** The rejection with every fault; the list of known metrics is in it once. */
const rejection = (words: string, faults: readonly InputFault[], catalogue: ModelCatalogue): MemoryGuardError => {
  const isAnyUnknown = faults.some(({ message }) => message === unknownMetric)
  const known = isAnyUnknown ? ` Known metrics are: ${catalogue.metricNames.join(', ')}.` : ''
  return new MemoryGuardError('MODEL_INPUT_INVALID', words + known, { faults })
}

/**
 * Checks what was measured of a person, for no model in particular.
 * @returns the numbers to store.
 * @throws {MemoryGuardError} MODEL_INPUT_INVALID with every fault and its JSON pointer.
 */
export const checkMeasurement = (catalogue: ModelCatalogue, given: GivenMetrics): Readonly<Record<string, number>> => {
  const faults: InputFault[] = []
  const metrics = readMetrics(given, catalogue, faults)
  if (Object.keys(given).length === 0) {
    const known = catalogue.metricNames.join(', ')
    faults.push({ pointer: '/health_metrics', message: `must hold at least one of ${known}` })
  }
  if (faults.length > 0) throw rejection('The health metrics cannot be recorded.', faults, catalogue)
  return metrics
}

/**
 * Checks the metrics of one person against a model's inputs.
 * @returns the numbers to store; known metrics that the model does not use are kept and named in the warnings.
 * @throws {MemoryGuardError} MODEL_INPUT_INVALID with every fault and its JSON pointer.
 */
export const checkMetrics = (
  manifest: RiskManifest,
  catalogue: ModelCatalogue,
  given: GivenMetrics,
): CheckedMetrics => {
  const faults: InputFault[] = []
  const inputs = inputsByName(manifest)
  const metrics = readMetrics(given, catalogue, faults, inputs)
  for (const { name, required, title } of manifest.inputs) {
    if (required && !(name in given)) {
      faults.push({ pointer: pointerTo(name), message: `is needed by ${manifest.name} (${title})` })
    }
  }
  if (faults.length === 0 && !Object.keys(metrics).some((name) => inputs.has(name))) {
    const accepted = manifest.inputs.map(({ name }) => name).join(', ')
    faults.push({ pointer: '/health_metrics', message: `must hold at least one of ${accepted}` })
  }
  if (faults.length > 0) throw rejection('The health metrics do not fit the model.', faults, catalogue)
  return { metrics, warnings: warningsOf(manifest, inputs, metrics) }
}

const warningsOf = (
  manifest: RiskManifest,
  inputs: ReadonlyMap<string, ModelInput>,
  metrics: Readonly<Record<string, number>>,
): readonly string[] => {
  const warnings: string[] = []
  for (const name of Object.keys(metrics)) {
    const input = inputs.get(name)
    const value = metrics[name] ?? NaN
    if (!input) warnings.push(`${name} is stored but not used by ${manifest.name}`)
    else if (input.typical && isExtrapolated(input, value)) {
      const { low, high } = input.typical
      // In range but out of the ordinary: another unit is the likely reason if the manifest knows one.
      const hint = unitHint(input, value)
      warnings.push(`${name} lies outside ${low} to ${high}, where the model was trained: it extrapolates.${hint}`)
    }
  }
  return warnings
}

const inputIndex = new WeakMap<RiskManifest, ReadonlyMap<string, ModelInput>>()

/** The inputs by name; made once for each manifest, because every request needs them. */
const inputsByName = (manifest: RiskManifest): ReadonlyMap<string, ModelInput> => {
  const made = inputIndex.get(manifest) ?? new Map(manifest.inputs.map((input) => [input.name, input]))
  inputIndex.set(manifest, made)
  return made
}

/** The model's inputs that were not given. */
export const missingFeatures = (manifest: RiskManifest, metrics: Readonly<Record<string, number>>): readonly string[] =>
  manifest.inputs.filter(({ name }) => !(name in metrics)).map(({ name }) => name)

/** The model's inputs whose values lie outside what it was trained on: its result extrapolates in them. */
export const extrapolatedFeatures = (
  manifest: RiskManifest,
  metrics: Readonly<Record<string, number>>,
): readonly string[] =>
  manifest.inputs.flatMap((input) => {
    const value = metrics[input.name]
    return value !== undefined && isExtrapolated(input, value) ? [input.name] : []
  })
