import type { Schemas } from '../../../api/client.ts'

type Explanation = Schemas['Explanation']
export type Contribution = NonNullable<Explanation['contributions']>[number]

/** A bar of the waterfall, from where the sum of those before it stands. */
export interface WaterfallBar {
  /** Undefined: the inputs that have no bar of their own, together. */
  readonly of: Contribution | undefined
  readonly count: number
  readonly amount: number
  readonly from: number
  readonly to: number
}

/** Bars of their own at most. */
const mostBars = 8

/** Bars by size, the largest first; those beyond the eighth are one. They add up from the base value to the output. */
export const waterfallBars = (base: number, contributions: readonly Contribution[]): readonly WaterfallBar[] => {
  const sorted = contributions.toSorted((left, right) => Math.abs(right.contribution) - Math.abs(left.contribution))
  const rest = sorted.slice(mostBars)
  const parts = [
    ...sorted.slice(0, mostBars).map((of) => ({ of, count: 1, amount: of.contribution })),
    ...(rest.length === 0
      ? []
      : [{ of: undefined, count: rest.length, amount: rest.reduce((sum, { contribution }) => sum + contribution, 0) }]),
  ]
  let at = base
  return parts.map((part) => {
    const from = at
    at += part.amount
    return { ...part, from, to: at }
  })
}

export const logistic = (logOdds: number): number => 1 / (1 + Math.exp(-logOdds))

/** How the contributions of one explanation are counted. */
export interface ContributionScale {
  /** `log-odds`, `percentage points`. */
  readonly unit: string
  /** What the unit means, in a sentence. */
  readonly note: string
  /** `+0.82`, `-12`. */
  readonly format: (amount: number) => string
  /** What a sum stands for as a part of 1, where it stands for a probability. */
  readonly probabilityOf: ((sum: number) => number) | undefined
}

const signed = (digits: number) =>
  new Intl.NumberFormat('en', {
    maximumFractionDigits: digits,
    minimumFractionDigits: digits,
    signDisplay: 'exceptZero',
  })
const points = signed(0)
const hundredths = signed(2)

export const scaleOf = (space: string | null): ContributionScale => {
  if (space === 'probability') {
    return {
      unit: 'percentage points',
      note: 'Bars are percentage points of the estimate.',
      format: (amount) => points.format(amount * 100),
      probabilityOf: (sum) => sum,
    }
  }
  if (space === 'log_odds') {
    return {
      unit: 'log-odds',
      note: 'Bars are log-odds, in which this model adds up: +0.69 doubles the odds, -0.69 halves them.',
      format: (amount) => hundredths.format(amount),
      probabilityOf: logistic,
    }
  }
  return {
    unit: "points of the model's score",
    note: "Bars are points of the model's own score, which is no probability.",
    format: (amount) => hundredths.format(amount),
    probabilityOf: undefined,
  }
}
