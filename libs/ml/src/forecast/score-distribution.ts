import { MAXIMUM_SCORE } from './forecast-parameters.schema.js'
import { normalCdf } from './normal-cdf.js'

/** Adds `weight` times the probabilities of the scores 0 to 30 of one latent normal to `distribution`. */
export function addScores(
  distribution: number[],
  weight: number,
  mean: number,
  variance: number,
  thresholds: readonly number[],
): void {
  const scale = 1 / Math.sqrt(variance)
  let below = 0
  for (let score = 0; score < MAXIMUM_SCORE; score++) {
    const upTo = normalCdf((thresholds[score]! - mean) * scale)
    distribution[score]! += weight * (upTo - below)
    below = upTo
  }
  distribution[MAXIMUM_SCORE]! += weight * (1 - below)
}

/** Probability of one score under a latent normal. */
export function scoreProbability(score: number, mean: number, variance: number, thresholds: readonly number[]): number {
  const sd = Math.sqrt(variance)
  const upTo = score === MAXIMUM_SCORE ? 1 : normalCdf((thresholds[score]! - mean) / sd)
  return upTo - (score === 0 ? 0 : normalCdf((thresholds[score - 1]! - mean) / sd))
}

/** Expected score of the probabilities of 0 to 30. */
export function meanScore(distribution: readonly number[]): number {
  return distribution.reduce((sum, probability, score) => sum + probability * score, 0)
}

/** Probability of a score below `score`. */
export function probabilityBelow(distribution: readonly number[], score: number): number {
  return distribution.slice(0, score).reduce((sum, probability) => sum + probability, 0)
}

/** Smallest score whose cumulative probability reaches `level`; 1e-12 absorbs the rounding of the sum. */
export function scoreQuantile(distribution: readonly number[], level: number): number {
  let sum = 0
  for (const [score, probability] of distribution.entries()) {
    sum += probability
    if (sum >= level - 1e-12) return score
  }
  return MAXIMUM_SCORE
}
