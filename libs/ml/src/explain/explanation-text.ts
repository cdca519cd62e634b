/** One input of an explained output, in the words of the model's manifest. */
export interface ExplainedInput {
  readonly title: string
  /** Absent where the value is a word. */
  readonly unit?: string
  /** `null`: missing. */
  readonly value: number | null
  /** The value in words, e.g. `female`. */
  readonly word?: string
  readonly contribution: number
}

/** Inputs named at most. */
const named = 4
/** An input below this part of all contributions is left out. */
const negligible = 0.02

/**
 * "the age", but "the MMSE score" and "the Isaacs Set Test": an acronym keeps its capitals, and so does a name, which
 * has a capital at its second word.
 */
const lowerFirst = (text: string): string =>
  /^\p{Lu}[^\p{Lu}\s]*(?!\S)(?!\s+\p{Lu}\p{Ll})/u.test(text) ? text.charAt(0).toLowerCase() + text.slice(1) : text

const upperFirst = (text: string): string => text.charAt(0).toUpperCase() + text.slice(1)

const list = (items: readonly string[]): string =>
  items.length < 2 ? items.join('') : `${items.slice(0, -1).join(', ')} and ${items.at(-1) ?? ''}`

const numberFormat = new Intl.NumberFormat('en', { maximumSignificantDigits: 6, useGrouping: false })

const describe = ({ title, unit, value, word }: ExplainedInput): string => {
  const name = lowerFirst(title)
  if (value === null) return `the missing ${name}`
  if (word !== undefined) return `the ${name} "${word}"`
  return `the ${name} of ${numberFormat.format(value)}${unit === undefined ? '' : ` ${unit}`}`
}

const clause = (inputs: readonly ExplainedInput[], verb: string, object: string): string => {
  const [first, ...others] = inputs.map(describe)
  if (first === undefined) return ''
  const most = others.length > 0 ? ' most' : ''
  const then = others.length > 0 ? `, followed by ${list(others)}` : ''
  return `${first} ${verb} ${object}${most}${then}`
}

/**
 * Says in plain words which inputs moved the output and where: no numbers but the person's own. Ends with the
 * disclaimer of the model.
 */
export const explanationText = (
  inputs: readonly ExplainedInput[],
  disclaimer = 'Decision support, not diagnosis.',
): string => {
  const total = inputs.reduce((sum, { contribution }) => sum + Math.abs(contribution), 0)
  const ranked = inputs
    .filter(({ contribution }) => Math.abs(contribution) > negligible * total)
    .sort((a, b) => Math.abs(b.contribution) - Math.abs(a.contribution))
    .slice(0, named)
  const [strongest] = ranked
  if (strongest === undefined) {
    return `No input moved the estimate away from that of the reference people. ${disclaimer}`
  }
  const isRaised = strongest.contribution > 0
  const along = ranked.filter(({ contribution }) => contribution > 0 === isRaised)
  const against = ranked.filter(({ contribution }) => contribution > 0 !== isRaised)
  const [verb, opposite] = isRaised ? ['raised', 'lowered'] : ['lowered', 'raised']
  const first = upperFirst(clause(along, verb, 'the estimate'))
  const second = against.length > 0 ? `; ${clause(against, opposite, 'it')}` : ''
  const missing = inputs.filter(({ value }) => value === null).map(({ title }) => lowerFirst(title))
  const absent = missing.length > 0 ? ` Not given: ${list(missing)}.` : ''
  return `${first}${second}.${absent} ${disclaimer}`
}
