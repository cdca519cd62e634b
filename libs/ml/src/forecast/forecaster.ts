import type { ForecastParameters } from './forecast-parameters.schema.js'
import { addMonths, type CheckedRequest, checkRequest, type ForecastRequest } from './forecast-request.js'
import { type AssumedPerson, filterVisits, type LatentBelief } from './latent-filter.js'
import { type ScoreBands, widenBands } from './score-bands.js'
import { addScores, meanScore, probabilityBelow, scoreQuantile } from './score-distribution.js'

/** The forecast for one horizon. Scores are points, 0 to 30; bands are central, hold at least their share and never narrow with time. */
export interface ForecastPoint extends ScoreBands {
  readonly months: number
  /** ISO time of the point, months of 30.4375 days after the reference date. */
  readonly at: string
  readonly mean: number
  readonly median: number
  readonly probability_below_24: number
  /** Probability of each score, 0 to 30. */
  readonly distribution: readonly number[]
}

/** A progression forecast. Decision support, not diagnosis. */
export interface Forecast {
  /** In the order of the horizons asked for. */
  readonly points: readonly ForecastPoint[]
  /** Expected change of the score over the year after the reference date, points per year; negative is decline. */
  readonly rate_per_year: number
  /** `population`: no visit of the person was given. */
  readonly basis: 'history' | 'population'
  readonly visits_used: number
  /** Sentences: what was assumed or extrapolated. */
  readonly warnings: readonly string[]
}

/** Forecasts a person's score from their own dated history. Pure and without state between calls. */
export interface Forecaster {
  /** @throws {MemoryGuardError} MODEL_INPUT_INVALID with every fault of the request and its JSON pointer. */
  forecast(request: ForecastRequest): Forecast
}

export function createForecaster(parameters: ForecastParameters): Forecaster {
  return { forecast: (request) => forecast(parameters, checkRequest(request)) }
}

function forecast(parameters: ForecastParameters, request: CheckedRequest): Forecast {
  const beliefs = weighBeliefs(parameters, request)
  const scoresAfter = (years: number) => scoresAt(parameters, beliefs, years)
  return {
    points: describe(request, scoresAfter),
    rate_per_year: meanScore(scoresAfter(1)) - meanScore(scoresAfter(0)),
    basis: request.visits.length > 0 ? 'history' : 'population',
    visits_used: request.visits.length,
    warnings: warningsOf(parameters, request),
  }
}

interface WeighedBelief {
  readonly belief: LatentBelief
  readonly weight: number
}

/** Probability of each score `years` after the reference date, not before the last visit. */
function scoresAt(parameters: ForecastParameters, beliefs: readonly WeighedBelief[], years: number): readonly number[] {
  const distribution = parameters.link.scores.map(() => 0)
  for (const { belief, weight } of beliefs) {
    const { mean, variance } = belief.ahead(years)
    addScores(distribution, weight, mean, variance + parameters.noise_sd ** 2, parameters.link.thresholds)
  }
  return distribution
}

/** Every course under every person the request may speak of, weighed by how well it explains the visits. */
function weighBeliefs(parameters: ForecastParameters, request: CheckedRequest): WeighedBelief[] {
  const weighed: { belief: LatentBelief; logWeight: number }[] = []
  for (const { person, share } of assumedPeople(parameters, request)) {
    for (const course of parameters.courses.keys()) {
      const belief = filterVisits(parameters, course, person, request.visits)
      weighed.push({ belief, logWeight: belief.logEvidence + Math.log(share) })
    }
  }
  const highest = weighed.reduce((most, { logWeight }) => Math.max(most, logWeight), -Infinity)
  const total = weighed.reduce((sum, { logWeight }) => sum + Math.exp(logWeight - highest), 0)
  return weighed.map(({ belief, logWeight }) => ({ belief, weight: Math.exp(logWeight - highest) / total }))
}

/** The person as known; a missing covariate becomes the training population's values with their shares. */
function assumedPeople(parameters: ForecastParameters, { age, sex, education }: CheckedRequest) {
  const { population } = parameters
  const ages = age === null ? population.ages : [age]
  const people: { person: AssumedPerson; share: number }[] = []
  for (const ageAtReference of ages) {
    for (const [sexValue, sexShare] of binary(sex, population.male)) {
      for (const [educationValue, educationShare] of binary(education, population.education)) {
        people.push({
          person: { ageAtReference, sex: sexValue, education: educationValue },
          share: (sexShare * educationShare) / ages.length,
        })
      }
    }
  }
  return people
}

function binary(known: number | null, shareOfOne: number): readonly (readonly [value: number, share: number])[] {
  if (known !== null) return [[known, 1]]
  return [
    [0, 1 - shareOfOne],
    [1, shareOfOne],
  ]
}

function describe(
  { horizonsMonths, fromMs }: CheckedRequest,
  scoresAfter: (years: number) => readonly number[],
): ForecastPoint[] {
  const distributions = horizonsMonths.map((months) => scoresAfter(months / 12))
  const bands = widenBands(horizonsMonths, distributions)
  return distributions.map((distribution, index) => ({
    months: horizonsMonths[index]!,
    at: addMonths(fromMs, horizonsMonths[index]!).toISOString(),
    mean: meanScore(distribution),
    median: scoreQuantile(distribution, 0.5),
    ...bands[index]!,
    probability_below_24: probabilityBelow(distribution, 24),
    distribution,
  }))
}

/** A last score with a smaller chance, given those before it, gets a warning. */
const SURPRISING_CHANCE = 0.01

/** Whether so low a last score was hardly to be expected from the scores before it. */
function isSurprisingFall(parameters: ForecastParameters, request: CheckedRequest): boolean {
  const last = request.visits.at(-1)
  if (last === undefined || request.visits.length < 2) return false
  const before = weighBeliefs(parameters, { ...request, visits: request.visits.slice(0, -1) })
  const expected = scoresAt(parameters, before, -last.yearsBefore)
  return probabilityBelow(expected, last.score + 1) < SURPRISING_CHANCE
}

/** Where the scores themselves leave what the training people showed. */
function historyWarnings(parameters: ForecastParameters, request: CheckedRequest): string[] {
  const { lowest_score: lowest, shortest_gap_months: shortestGap } = parameters.trained
  const [beforeLast, last] = [request.visits.at(-2), request.visits.at(-1)]
  const warnings: string[] = []
  if (last !== undefined && last.score < lowest) {
    warnings.push(
      `Extrapolates: hardly any training person was followed on from a score below ${lowest}; ` +
        'the forecast may be too hopeful.',
    )
  }
  if (isSurprisingFall(parameters, request)) {
    warnings.push(
      'The last score fell far more than those before it let expect (chance below 1 %): ' +
        'the forecast takes part of the fall for a bad day. Confirm the score.',
    )
  }
  if (last && beforeLast && (beforeLast.yearsBefore - last.yearsBefore) * 12 < shortestGap) {
    warnings.push(
      `Extrapolates: hardly any training person had two scores less than ${shortestGap} months apart, as the last two are.`,
    )
  }
  return warnings
}

function warningsOf(parameters: ForecastParameters, request: CheckedRequest): string[] {
  const warnings: string[] = []
  if (request.visits.length === 0) {
    warnings.push('No score of this person is known: this is the forecast for the population, not for the person.')
  }
  const missing = (['age', 'sex', 'education'] as const).filter((name) => request[name] === null)
  if (missing.length > 0) warnings.push(`Not known and averaged over the training population: ${missing.join(', ')}.`)
  const [youngest, oldest] = parameters.age.trained_years
  const horizonYears = Math.max(...request.horizonsMonths) / 12
  if (request.age !== null && (request.age < youngest || request.age + horizonYears > oldest)) {
    warnings.push(`Extrapolates: training people were ${youngest} to ${oldest} years old.`)
  }
  const sinceLastVisit = request.visits.at(-1)?.yearsBefore ?? 0
  if ((horizonYears + sinceLastVisit) * 12 > parameters.checked_months) {
    warnings.push(`Extrapolates: checked up to ${parameters.checked_months} months after the last score.`)
  }
  return [...warnings, ...historyWarnings(parameters, request)]
}
