import type { ForecastParameters } from './forecast-parameters.schema.js'
import { scoreProbability } from './score-distribution.js'

/** A person's fixed effects, known or assumed. */
export interface AssumedPerson {
  readonly ageAtReference: number
  readonly sex: number
  readonly education: number
}

/** What follows from the history of a person under one assumed course: a normal belief about the latent walk. */
export interface LatentBelief {
  /** Log of the course's weight times the probability of the scores seen. */
  readonly logEvidence: number
  /** Latent score without noise `years` after the reference date, not before the last visit: its mean and variance. */
  ahead(years: number): { readonly mean: number; readonly variance: number }
}

/** One score that seems impossible must not rule a course out for good. */
const PROBABILITY_FLOOR = 1e-9

/**
 * Closed-form Gaussian-process regression on the person's own visits. A random intercept plus Brownian motion is a
 * random walk, so the exact posterior is a one-dimensional Kalman filter (Rauch, Tung and Striebel 1965; Rasmussen and
 * Williams 2006, section 2.2 gives the same result by a dense solve): linear in the number of visits.
 * @param visits oldest first
 */
export function filterVisits(
  parameters: ForecastParameters,
  courseIndex: number,
  person: AssumedPerson,
  visits: readonly { readonly yearsBefore: number; readonly score: number }[],
): LatentBelief {
  const { age, link, effects } = parameters
  const course = parameters.courses[courseIndex]!
  const noise = parameters.noise_sd ** 2
  const offset = course.level + effects.male * person.sex + effects.education * person.education
  const centred = (years: number) => (person.ageAtReference + years - age.reference_years) / age.scale_years
  const trend = (years: number) => {
    const t = Math.min(centred(years), (age.ceiling_years - age.reference_years) / age.scale_years)
    return offset - course.decline * Math.exp(parameters.decline_age_rate * t)
  }
  const walked = (years: number) => course.walk_sd ** 2 * Math.exp(parameters.walk_age_rate * centred(years))

  const start = -(visits[0]?.yearsBefore ?? 0)
  let time = start
  let mean = 0
  let variance = parameters.intercept_sd ** 2 + walked(start)
  let logEvidence = Math.log(course.weight)
  for (const { yearsBefore, score } of visits) {
    variance += walked(-yearsBefore) - walked(time)
    time = -yearsBefore
    const expected = trend(time) + mean
    const total = variance + noise
    const probability = scoreProbability(score, expected, total, link.thresholds)
    logEvidence += Math.log(probability + PROBABILITY_FLOOR)
    const gain = variance / total
    mean += gain * (link.scores[score]! - expected)
    variance *= 1 - gain
  }
  const last = walked(time)
  return {
    logEvidence,
    ahead: (years) => ({ mean: trend(years) + mean, variance: variance + walked(years) - last }),
  }
}
