import { MemoryGuardError, type InputFault } from '#libs/platform'
import type { ModelInput, RiskManifest } from './manifest.schema.js'
import type { ModelCatalogue } from './model-catalogue.js'

/** Metrics as they are stored: numbers by name, and what the caller should know of them. */
export interface CheckedMetrics {
  readonly metrics: Readonly<Record<string, number>>
  readonly warnings: readonly string[]
}

/** JSON pointer of a member (RFC 6901). */
const pointerTo = (name: string): string => `/health_metrics/${name.replaceAll('~', '~0').replaceAll('/', '~1')}`

const rangeOf = (input: ModelInput): string => {
  const words = input.words ? ` (or ${Object.keys(input.words).join(', ')})` : ''
  return `${input.integer ? 'a whole number' : 'a number'} from ${input.min} to ${input.max}${words}, in ${input.unit}`
}

/** The value as a number, or what is wrong with it. The value itself never stands in the message. */
const checkInput = (input: ModelInput, raw: number | string): number | { readonly message: string } => {
  const value = typeof raw === 'string' ? input.words?.[raw.toLowerCase()] : raw
  if (value === undefined || !Number.isFinite(value)) return { message: `must be ${rangeOf(input)}` }
  if (value < input.min || value > input.max) {
    const hint = input.unit_hints.find(({ min, max }) => value >= min && value <= max)
    const looksLike = hint ? ` It looks like ${hint.unit}, expected ${input.unit}.` : ''
    const why = input.description ? ` ${input.description}` : ''
    return { message: `must be ${rangeOf(input)}.${looksLike}${why}` }
  }
  if (input.integer && !Number.isInteger(value)) return { message: `must be ${rangeOf(input)}` }
  return value
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
  for (const [name, raw] of Object.entries(given)) {
    const input = inputs.get(name)
    if (input) {
      const value = checkInput(input, raw)
      if (typeof value === 'number') {
        metrics[name] = value
        used += 1
        const { typical } = input
        if (typical && (value < typical.low || value > typical.high)) {
          warnings.push(
            `${name} lies outside ${typical.low} to ${typical.high}, where the model was trained: it extrapolates`,
          )
        }
      } else faults.push({ pointer: pointerTo(name), message: value.message })
      continue
    }
    const known = catalogue.findMetric(name)
    if (!known) {
      const accepted = catalogue.metricNames.join(', ')
      faults.push({ pointer: pointerTo(name), message: `is no known metric. Known are: ${accepted}` })
    } else if (typeof raw !== 'number' || !(raw >= known.min && raw <= known.max)) {
      const message = `must be a number from ${known.min} to ${known.max}, in ${known.unit}`
      faults.push({ pointer: pointerTo(name), message })
    } else {
      metrics[name] = raw
      warnings.push(`${name} is stored but not used by ${manifest.name}`)
    }
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
  if (faults.length > 0) {
    throw new MemoryGuardError('MODEL_INPUT_INVALID', 'The health metrics do not fit the model.', { faults })
  }
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
