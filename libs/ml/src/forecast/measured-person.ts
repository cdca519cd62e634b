import type { ForecastCovariates, ForecastRequest, ForecastVisit } from './forecast-request.js'

/** What was measured of a person at one time, by the metrics' names. */
export interface DatedMetrics {
  readonly at: Date
  readonly metrics: Readonly<Record<string, number>>
}

/** A request with what had to be assumed to make it. */
export interface MeasuredRequest {
  readonly request: ForecastRequest
  readonly warnings: readonly string[]
}

const YEAR_MS = 365.25 * 86_400_000
/** The oldest that a forecast accepts; a measured age grows with the years since. */
const OLDEST_YEARS = 120
/**
 * Years of school from which the primary-school diploma follows: nobody had it before the fifth year, and whoever went
 * on beyond the seventh had it. In between some had it and others not, so it stays unknown.
 */
const YEARS_WITHOUT_DIPLOMA = 5
const YEARS_WITH_DIPLOMA = 8

/** Metrics of the person that a forecast reads beside the score itself. */
const covariateMetrics = ['age', 'sex', 'education', 'education_years'] as const

/** The metrics that a forecast of `metric` reads. */
export const metricsOfForecast = (metric: string): readonly string[] => [metric, ...covariateMetrics]

/**
 * Turns a person's measurements, in any order, into a request: each that holds the score is a visit, and age, sex and
 * education come from the newest that holds them; the age has grown since.
 */
export function requestFromMeasurements(
  measurements: readonly DatedMetrics[],
  metric: string,
  from: Date,
  horizonsMonths: readonly number[],
): MeasuredRequest {
  const oldestFirst = [...measurements].sort((one, other) => one.at.getTime() - other.at.getTime())
  const history = oldestFirst.flatMap(({ at, metrics }): ForecastVisit[] => {
    const value = metrics[metric]
    return value === undefined ? [] : [{ at, value }]
  })
  const newest = (name: string) => {
    const holder = oldestFirst.findLast(({ metrics }) => metrics[name] !== undefined)
    const value = holder?.metrics[name]
    return holder && value !== undefined ? { at: holder.at, value } : undefined
  }
  const age = newest('age')
  const { education, warnings } = educationOf(newest('education')?.value, newest('education_years')?.value)
  const covariates: ForecastCovariates = {
    age: age && Math.min(OLDEST_YEARS, age.value + (from.getTime() - age.at.getTime()) / YEAR_MS),
    sex: newest('sex')?.value,
    education,
  }
  return { request: { history, covariates, from, horizonsMonths }, warnings }
}

function educationOf(education: number | undefined, years: number | undefined) {
  if (education !== undefined || years === undefined) return { education, warnings: [] }
  if (years >= YEARS_WITH_DIPLOMA) {
    return { education: 1, warnings: [`education is taken from education_years: ${YEARS_WITH_DIPLOMA} or more.`] }
  }
  if (years < YEARS_WITHOUT_DIPLOMA) {
    return { education: 0, warnings: [`education is taken from education_years: fewer than ${YEARS_WITHOUT_DIPLOMA}.`] }
  }
  return {
    education: undefined,
    warnings: ['education_years does not show whether there is a primary-school diploma.'],
  }
}
