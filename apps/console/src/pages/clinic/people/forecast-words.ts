import type { Schemas } from '../../../api/client.ts'

export type Forecast = Schemas['Forecast']
export type ForecastPoint = NonNullable<Forecast['points']>[number]

/** Months to ask for: each one up to the longest that the model states, and those that it names itself. */
export const monthsUpTo = (stated: readonly number[]): number[] => {
  const longest = Math.max(0, ...stated)
  const step = Math.max(1, Math.ceil(longest / 40))
  const steady = Array.from({ length: Math.floor(longest / step) }, (_, index) => (index + 1) * step)
  return [...new Set([...steady, ...stated])].toSorted((left, right) => left - right)
}

/** The points within the longest horizon that the model states, soonest first. */
export const statedPoints = (
  points: readonly ForecastPoint[],
  stated: readonly number[] | undefined,
): readonly ForecastPoint[] => {
  const longest = stated === undefined ? Infinity : Math.max(0, ...stated)
  return points.filter(({ months }) => months <= longest).toSorted((left, right) => left.months - right.months)
}

const score = new Intl.NumberFormat('en', { maximumFractionDigits: 0 })

/** A score as whole points; the test has no others. */
export const formatScore = (value: number): string => score.format(value)

/** `6 months`, `1 year`, `2 years`. */
export const formatMonths = (months: number): string => {
  const [count, unit] = months >= 12 && months % 12 === 0 ? [months / 12, 'year'] : [months, 'month']
  return `${count} ${unit}${count === 1 ? '' : 's'}`
}

/** What the bands hold, as a number of people. */
export const bandWords = { inner: '8 of 10', outer: '19 of 20' } as const

/** Whom the bands speak of. */
export const peopleWords = (basis: Forecast['basis']): string =>
  basis === 'population' ? 'people of this age' : 'people with such a history'

/** The forecast in a sentence, of its last point. */
export const forecastSentence = ({ basis }: Pick<Forecast, 'basis'>, { months, ...point }: ForecastPoint): string => {
  const below = Math.round(point.probability_below_24 * 100)
  const part = below < 1 ? 'fewer than 1' : below > 95 ? 'more than 95' : `about ${below}`
  return (
    `In ${formatMonths(months)}, ${bandWords.inner} ${peopleWords(basis)} score between ` +
    `${formatScore(point.lower_80)} and ${formatScore(point.upper_80)}, half of them ${formatScore(point.median)} or ` +
    `less; ${part} of 100 score below 24.`
  )
}
