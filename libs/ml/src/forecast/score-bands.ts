import { scoreQuantile } from './score-distribution.js'

/** Whole scores between which 80 and 95 % of the distribution lie, at least. */
export interface ScoreBands {
  readonly lower_80: number
  readonly upper_80: number
  readonly lower_95: number
  readonly upper_95: number
}

interface Band {
  readonly lower: number
  readonly upper: number
}

/**
 * Bands of one forecast, in the order of `horizons`. Uncertainty grows with time, but the floor at 0 and rounding to
 * whole scores can make a later band narrower: it then keeps as much of the earlier band as it needs to be as wide,
 * the upper end first.
 */
export function widenBands(horizons: readonly number[], distributions: readonly (readonly number[])[]): ScoreBands[] {
  const bands: ScoreBands[] = []
  let before: { readonly inner: Band; readonly outer: Band } | undefined
  const byTime = [...horizons.keys()].sort((one, other) => horizons[one]! - horizons[other]!)
  for (const index of byTime) {
    const distribution = distributions[index]!
    const inner = asWideAs(before?.inner, quantiles(distribution, 0.1, 0.9))
    const plain = quantiles(distribution, 0.025, 0.975)
    const outer = asWideAs(before?.outer, {
      lower: Math.min(plain.lower, inner.lower),
      upper: Math.max(plain.upper, inner.upper),
    })
    bands[index] = { lower_80: inner.lower, upper_80: inner.upper, lower_95: outer.lower, upper_95: outer.upper }
    before = { inner, outer }
  }
  return bands
}

function quantiles(distribution: readonly number[], low: number, high: number): Band {
  return { lower: scoreQuantile(distribution, low), upper: scoreQuantile(distribution, high) }
}

function asWideAs(before: Band | undefined, { lower, upper }: Band): Band {
  if (before === undefined) return { lower, upper }
  const lacking = Math.max(0, before.upper - before.lower - (upper - lower))
  const raised = Math.min(lacking, Math.max(0, before.upper - upper))
  return { lower: lower - (lacking - raised), upper: upper + raised }
}
