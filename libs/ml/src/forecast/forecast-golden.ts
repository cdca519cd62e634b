import { z } from 'zod'
import { MemoryGuardError } from '#libs/platform'
import type { Forecaster } from './forecaster.js'

const pointSchema = z.strictObject({
  months: z.number(),
  mean: z.number(),
  median: z.number(),
  lower_80: z.number(),
  upper_80: z.number(),
  lower_95: z.number(),
  upper_95: z.number(),
  probability_below_24: z.number(),
  distribution: z.array(z.number()),
})

const caseSchema = z.strictObject({
  history: z.array(z.strictObject({ at: z.string(), value: z.number() })),
  covariates: z.strictObject({
    age: z.number().optional(),
    sex: z.number().optional(),
    education: z.number().optional(),
  }),
  from: z.string(),
  horizons_months: z.array(z.number()),
  forecast: z.strictObject({
    basis: z.enum(['history', 'population']),
    visits_used: z.int().nonnegative(),
    rate_per_year: z.number(),
    points: z.array(pointSchema),
  }),
})

/** `golden.json` of a forecast model: requests and the results of the training code, checked before it may serve. */
export const forecastGoldenSchema = z.strictObject({
  tolerance: z.number().positive().default(1e-6),
  cases: z.array(caseSchema).min(1),
})

export type ForecastGolden = z.infer<typeof forecastGoldenSchema>

/**
 * Runs every golden case.
 * @returns one sentence per number that differs by more than the tolerance; empty if the model computes what it should
 * @throws {MemoryGuardError} MODEL_INVALID if a case itself is not a valid request.
 */
export function findGoldenDifferences(forecaster: Forecaster, golden: ForecastGolden): string[] {
  return golden.cases.flatMap((expected, index) => {
    const { history, covariates, from, horizons_months: horizonsMonths } = expected
    try {
      const actual = forecaster.forecast({ history, covariates, from, horizonsMonths })
      return differences(expected.forecast, actual, `/cases/${index}/forecast`, golden.tolerance)
    } catch (cause) {
      if (!(cause instanceof MemoryGuardError)) throw cause
      throw new MemoryGuardError('MODEL_INVALID', `golden.json /cases/${index}: ${cause.message}`, { cause })
    }
  })
}

function differences(expected: unknown, actual: unknown, pointer: string, tolerance: number): string[] {
  if (typeof expected === 'number' && typeof actual === 'number') {
    return Math.abs(expected - actual) <= tolerance ? [] : [`${pointer}: expected ${expected}, got ${actual}`]
  }
  if (typeof expected !== 'object' || expected === null || typeof actual !== 'object' || actual === null) {
    return expected === actual ? [] : [`${pointer}: expected ${String(expected)}, got ${String(actual)}`]
  }
  const found = new Map<string, unknown>(Object.entries(actual))
  return Object.entries(expected).flatMap(([key, value]) =>
    differences(value, found.get(key), `${pointer}/${key}`, tolerance),
  )
}
