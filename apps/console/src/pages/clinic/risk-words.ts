import type { Schemas } from '../../api/client.ts'

/** How many people a risk is spoken of, and how many of them it means. */
export interface Frequency {
  readonly of: 100 | 1_000
  readonly with: number
  /** `23`, `more than 95`, `fewer than 1`. */
  readonly withWords: string
  readonly withoutWords: string
  /** People in neither of the two counts: the model is not precise enough below 1 of 1,000 and above 95 of 100. */
  readonly open: number
}

const whole = new Intl.NumberFormat('en', { maximumFractionDigits: 0 })

/** From where on percent say no more than "over". */
const surest = 0.95

/** One denominator for everything that is said of one risk. */
const denominatorOf = (risk: number): 100 | 1_000 => (risk < 0.01 ? 1_000 : 100)

/** A risk as a number of people. */
export const frequencyOf = (risk: number): Frequency => {
  const of = denominatorOf(risk)
  if (risk > surest) {
    return { of, with: 95, withWords: 'more than 95', withoutWords: 'fewer than 5', open: 5 }
  }
  if (risk < 0.001) {
    return { of, with: 0, withWords: 'fewer than 1', withoutWords: 'more than 999', open: 1 }
  }
  const people = Math.round(risk * of)
  return { of, with: people, withWords: whole.format(people), withoutWords: whole.format(of - people), open: 0 }
}

/** A risk in whole percent: `23 %`, `under 1 %`, `over 95 %`. */
export const formatRisk = (risk: number): string => {
  if (risk < 0.01) return 'under 1 %'
  if (risk > surest) return 'over 95 %'
  return `${whole.format(risk * 100)} %`
}

/** A bound of a category, as fine as the model gives it: `2.6 %`. */
export const formatBound = (bound: number): string => `${Number((bound * 100).toPrecision(3))} %`

/** A bound of an interval as a number of people, no finer than a risk is given. */
const boundWords = (bound: number, of: number): string => {
  if (bound > surest) return `over ${whole.format(of * surest)}`
  const people = Math.round(bound * of)
  return people === 0 ? 'under 1' : whole.format(people)
}

/** `between 17 and 31 of 100`, `from 90 to over 95 of 100`: with the denominator of the risk itself. */
export const intervalWords = (
  risk: number,
  { lower, upper }: { readonly lower: number; readonly upper: number },
): string => {
  const of = denominatorOf(risk)
  const [low, high] = [boundWords(lower, of), boundWords(upper, of)]
  if (low === high) return `at ${low} of ${whole.format(of)}`
  const isPlain = /^\d/.test(low) && /^\d/.test(high)
  return `${isPlain ? `between ${low} and ${high}` : `from ${low} to ${high}`} of ${whole.format(of)}`
}

/** What an output says of people, in words of its own title. */
export interface Outcome {
  /** `dementia within 5 years`. */
  readonly noun: string
  /** `will have dementia within 5 years; 77 will not`, with the number put in. */
  readonly sentence: (withWords: string, withoutWords: string, of: string) => string
}

/**
 * The words of an output's title and horizon. The horizon is the model's own: one that it does not state is not said.
 * A title that is no "Probability of ..." is quoted.
 */
export const outcomeOf = ({
  title,
  horizon_years: horizon,
}: Pick<Schemas['ModelOutput'], 'title' | 'horizon_years'>): Outcome => {
  const noun = /^(?:probability|risk|chance) of (.+)$/i.exec(title)?.[1]
  const within = horizon === null ? '' : ` within ${horizon} ${horizon === 1 ? 'year' : 'years'}`
  if (noun === undefined) {
    const said = title.includes('within') ? '' : within
    return {
      noun: `"${title}"${said}`,
      sentence: (yes, no, of) =>
        `Of ${of} people with these answers, "${title}"${said} applies to about ${yes}, and not to ${no}.`,
    }
  }
  if (horizon === null) {
    const now = noun.replace(/^present /, '')
    const words = now === noun ? noun : `${now} now`
    return {
      noun,
      sentence: (yes, no, of) => `Of ${of} people with these answers, about ${yes} have ${words}; ${no} do not.`,
    }
  }
  const words = noun.includes('within') ? noun : noun + within
  return {
    noun: words,
    sentence: (yes, no, of) => `Of ${of} people with these answers, about ${yes} will have ${words}; ${no} will not.`,
  }
}

/** The plain sentence that stands first. */
export const riskSentence = (risk: number, outcome: Outcome): string => {
  const { of, withWords, withoutWords } = frequencyOf(risk)
  return outcome.sentence(withWords, withoutWords, whole.format(of)).replace(/about (more|fewer)/, '$1')
}

/** `under 10 %`, `10 % to under 25 %`, `50 % or more`. */
export const categoryRange = ({ from, below }: Schemas['ModelCategory']): string => {
  if (below === null) return `${formatBound(from)} or more`
  return from <= 0 ? `under ${formatBound(below)}` : `${formatBound(from)} to under ${formatBound(below)}`
}
