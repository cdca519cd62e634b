import type { Schemas } from '../../api/client.ts'
import { plainWords } from '../../format/words.ts'

export type ModelInput = Schemas['ModelInput']

/** The control of an input: a choice of words, a number, or none for a kind that this page does not know. */
export type InputKind = 'choice' | 'number' | 'unknown'

/** What somebody has entered for an input. */
export interface Entry {
  readonly text: string
  /** Chosen where a value is not known, so that an empty field is never taken for it. */
  readonly isUnknown: boolean
}

export const emptyEntry: Entry = { text: '', isUnknown: false }

/** What is to be said of an entry. */
export interface EntryCheck {
  /** The number to send; undefined if it is unknown or not valid. */
  readonly value?: number
  /** Why it cannot be sent. */
  readonly fault?: string
  /** What the model does with it, where that is worth a second look. */
  readonly warning?: string
  /** The value as it would be in the input's own unit, if it looks like another. */
  readonly conversion?: { readonly from: string; readonly value: number }
}

const isNumber = (value: unknown): value is number => typeof value === 'number' && Number.isFinite(value)

/** A later API may have inputs that are no numbers; they would say so in a field of their own, or have no range. */
export const kindOf = (input: ModelInput): InputKind => {
  const { min, max, words } = input
  if (!isNumber(min) || !isNumber(max) || 'kind' in input || 'type' in input) return 'unknown'
  if (words === null || words === undefined) return 'number'
  return Object.values(words).every(isNumber) ? 'choice' : 'unknown'
}

const digits = new Intl.NumberFormat('en', { maximumSignificantDigits: 6, useGrouping: false })

const hasUnit = ({ unit, words }: Pick<ModelInput, 'unit' | 'words'>): boolean => !words && unit !== '0 or 1'

/** ` years`, or nothing where the value is a word. */
const unitOf = (input: Pick<ModelInput, 'unit' | 'words'>): string => (hasUnit(input) ? ` ${input.unit}` : '')

/** A value as it is read: `24 points`, `female`. */
export const formatValue = (input: Pick<ModelInput, 'unit' | 'words'>, value: number): string => {
  const word = Object.entries(input.words ?? {}).find(([, number]) => number === value)?.[0]
  return word === undefined ? digits.format(value) + unitOf(input) : plainWords(word)
}

/** `0 to 30, whole numbers; usually 15 to 30`; nothing where any number is accepted. */
export const rangeOf = ({ min, max, integer, typical }: ModelInput): string => {
  if (max === Number.MAX_VALUE) return ''
  const whole = integer ? ', whole numbers' : ''
  const usual = typical ? `; usually ${digits.format(typical.low)} to ${digits.format(typical.high)}` : ''
  return `${digits.format(min)} to ${digits.format(max)}${whole}${usual}.`
}

/** Numbers by which units of one thing differ; the range of a hint only comes close to some of them. */
const factors = [12, 100, 1_000, 38.67, 18.016, 7.50062]

/**
 * Factor from the unit of a hint to that of the input: a hint has the range of the input in the other unit.
 * Undefined if the two ranges are not proportional.
 */
const factorOf = (input: ModelInput, hint: ModelInput['unit_hints'][number]): number | undefined => {
  const upper = input.max / hint.max
  const lower = hint.min === 0 ? upper : input.min / hint.min
  if (!(upper > 0) || Math.abs(lower / upper - 1) > 0.05) return undefined
  const exact = [...factors, ...factors.map((factor) => 1 / factor)].find(
    (factor) => Math.abs(upper / factor - 1) < 0.02,
  )
  return exact ?? upper
}

/** The value in the input's own unit, where it looks like another one. */
const conversionOf = (input: ModelInput, value: number): EntryCheck['conversion'] => {
  const hint = input.unit_hints.find(({ min, max }) => value >= min && value <= max)
  const factor = hint && factorOf(input, hint)
  if (!hint || factor === undefined) return undefined
  const converted = input.integer ? Math.round(value * factor) : Number((value * factor).toPrecision(3))
  return converted >= input.min && converted <= input.max ? { from: hint.unit, value: converted } : undefined
}

const written = /^[+-]?(\d+([.,]\d*)?|[.,]\d+)$/

const checkNumber = (input: ModelInput, value: number): EntryCheck => {
  const conversion = conversionOf(input, value)
  const extra = conversion && { conversion }
  const { min, max, typical, integer } = input
  if (value < min || value > max) {
    const bound = value < min ? `below ${digits.format(min)}` : `above ${digits.format(max)}`
    return { fault: `${digits.format(value)} is ${bound}${unitOf(input)}: the model refuses it.`, ...extra }
  }
  if (integer && !Number.isInteger(value)) return { fault: 'Enter a whole number.' }
  if (typical && (value < typical.low || value > typical.high)) {
    const usual = `${digits.format(typical.low)} to ${digits.format(typical.high)}`
    return {
      value,
      warning: `Outside ${usual}, where the model was trained. It extrapolates, and the result says so.`,
      ...extra,
    }
  }
  return { value, ...extra }
}

/** Checks what was entered by what the model says of the input, before anything is sent. */
export const checkEntry = (input: ModelInput, { text, isUnknown }: Entry): EntryCheck => {
  const kind = kindOf(input)
  if (kind === 'unknown') {
    return input.required ? { fault: 'The model needs this input, and this page cannot ask for it.' } : {}
  }
  if (isUnknown && !input.required) return {}
  const trimmed = text.trim()
  if (trimmed === '') {
    const what = kind === 'choice' ? 'Choose an answer' : 'Enter a number'
    return { fault: input.required ? `${what}: the model needs it.` : `${what}, or "unknown".` }
  }
  if (!written.test(trimmed)) return { fault: 'Enter a number, such as 24 or 5.2.' }
  return checkNumber(input, Number(trimmed.replace(',', '.')))
}

/** What the model does where the value is not known. */
export const absenceOf = (
  { imputed, ...input }: ModelInput,
  missingRule: Schemas['ModelDetail']['missing_rule'],
): string => {
  if (imputed !== null && imputed !== undefined) return `Unknown counts as ${formatValue(input, imputed)}.`
  return missingRule === 'native' ? 'The model can do without it.' : ''
}
