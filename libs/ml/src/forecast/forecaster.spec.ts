import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { MemoryGuardError } from '#libs/platform'
import { manifestSchema } from '../manifest/manifest.schema.js'
import { findGoldenDifferences, forecastGoldenSchema } from './forecast-golden.js'
import { forecastParametersSchema } from './forecast-parameters.schema.js'
import type { ForecastRequest } from './forecast-request.js'
import { createForecaster } from './forecaster.js'

const read = (name: string): unknown =>
  JSON.parse(readFileSync(new URL(`../../../../models/mmse-forecast/1/${name}`, import.meta.url), 'utf8'))

const parameters = forecastParametersSchema.parse(read('parameters.json'))
const golden = forecastGoldenSchema.parse(read('golden.json'))
const forecaster = createForecaster(parameters)

const known = { age: 78, sex: 0, education: 1 }
const from = '2026-03-01'
const horizonsMonths = [6, 12, 24]
const visits = [
  { at: '2021-03-01', value: 29 },
  { at: '2023-03-01', value: 27 },
  { at: '2025-03-01', value: 26 },
]

function faultsOf(request: Partial<ForecastRequest>): MemoryGuardError {
  try {
    forecaster.forecast({ history: visits, covariates: known, from, horizonsMonths, ...request })
  } catch (error) {
    if (error instanceof MemoryGuardError) return error
    throw error
  }
  throw new Error('the request was accepted')
}

describe('mmse-forecast', () => {
  it('has a manifest of the forecast kind', () => {
    expect(manifestSchema.parse(read('manifest.json'))).toMatchObject({ kind: 'forecast', metric: 'mmse_score' })
  })

  it('equals the Python reference (dense Gaussian-process solves) to 1e-6 on every golden case', () => {
    expect(golden.tolerance).toBe(1e-6)
    expect(golden.cases.length).toBeGreaterThanOrEqual(10)
    expect(findGoldenDifferences(forecaster, golden)).toEqual([])
  })

  it('names the number that differs from the golden file', () => {
    const altered = structuredClone(golden)
    altered.cases[2]!.forecast.points[1]!.mean += 1e-5
    expect(findGoldenDifferences(forecaster, altered)).toEqual([
      expect.stringMatching(/^\/cases\/2\/forecast\/points\/1\/mean: expected /),
    ])
  })

  it('forecasts the population, and says so, when no score is known', () => {
    const forecast = forecaster.forecast({ history: [], covariates: known, from, horizonsMonths })
    expect(forecast).toMatchObject({ basis: 'population', visits_used: 0 })
    expect(forecast.warnings).toEqual([expect.stringContaining('not for the person')])
  })

  it('follows the person: a falling history forecasts lower and falls faster than a steady one', () => {
    const steady = forecaster.forecast({ history: visits, covariates: known, from, horizonsMonths })
    const falling = forecaster.forecast({
      history: [
        { at: '2021-03-01', value: 27 },
        { at: '2023-03-01', value: 23 },
        { at: '2025-03-01', value: 17 },
      ],
      covariates: known,
      from,
      horizonsMonths,
    })
    expect(falling.points[2]!.mean).toBeLessThan(steady.points[2]!.mean - 4)
    expect(falling.rate_per_year).toBeLessThan(steady.rate_per_year - 0.2)
    expect(falling.points[2]!.probability_below_24).toBeGreaterThan(0.8)
    expect(steady.points[2]!.probability_below_24).toBeLessThan(0.5)
  })

  it('leaves room below a ceiling score and none above it', () => {
    const [point] = forecaster.forecast({
      history: [{ at: '2026-03-01', value: 30 }],
      covariates: known,
      from,
      horizonsMonths: [12],
    }).points
    expect(point!.median).toBeGreaterThanOrEqual(28)
    expect(point!.upper_95).toBe(30)
    expect(point!.lower_80).toBeLessThan(29)
  })

  it('averages a missing covariate over the population and names it', () => {
    const at = (covariates: object) => forecaster.forecast({ history: visits, covariates, from, horizonsMonths: [24] })
    const unknown = at({ age: 78, sex: null })
    expect(unknown.warnings).toEqual(['Not known and averaged over the training population: sex, education.'])
    const means = [0, 1].flatMap((sex) => [0, 1].map((education) => at({ age: 78, sex, education }).points[0]!.mean))
    expect(unknown.points[0]!.mean).toBeGreaterThan(Math.min(...means))
    expect(unknown.points[0]!.mean).toBeLessThan(Math.max(...means))
  })

  it('warns when age or time ahead leaves what training has seen', () => {
    const young = forecaster.forecast({
      history: visits,
      covariates: { ...known, age: 50 },
      from,
      horizonsMonths: [12],
    })
    expect(young.warnings).toEqual([expect.stringMatching(/^Extrapolates: training people were \d+ to/)])
    const far = forecaster.forecast({ history: visits, covariates: { ...known, age: 70 }, from, horizonsMonths: [300] })
    expect(far.warnings).toEqual([expect.stringMatching(/^Extrapolates: checked up to/)])
  })

  it('warns after a low score and after a fall that the scores before it did not let expect', () => {
    const warningsAfter = (...scores: number[]) => {
      const days = ['2022-02-10', '2024-02-10', '2026-02-08']
      const history = scores.map((value, index) => ({ at: days[index]!, value }))
      return forecaster.forecast({ history, covariates: known, from, horizonsMonths }).warnings
    }
    const [low, surprising] = [
      /^Extrapolates: .* from a score below 18; .* too hopeful\.$/,
      /^The last score fell .* below 1 %/,
    ]
    expect(warningsAfter(28, 28, 0)).toEqual([expect.stringMatching(low), expect.stringMatching(surprising)])
    expect(warningsAfter(28, 28, 18)).toEqual([expect.stringMatching(surprising)])
    expect(warningsAfter(22, 20, 17)).toEqual([expect.stringMatching(low)])
    expect(warningsAfter(17)).toEqual([expect.stringMatching(low)])
    expect(warningsAfter(18)).toEqual([])
    // Only a fall surprises, and only at the last visit.
    expect(warningsAfter(20, 20, 30)).toEqual([])
    expect(warningsAfter(28, 28, 26)).toEqual([])
  })

  it('warns when the last two scores stand closer than training has seen', () => {
    const warningsFrom = (first: string) =>
      forecaster.forecast({
        history: [
          { at: first, value: 28 },
          { at: '2026-02-08', value: 28 },
        ],
        covariates: known,
        from,
        horizonsMonths,
      }).warnings
    expect(warningsFrom('2024-08-20')).toEqual([expect.stringMatching(/^Extrapolates: .* less than 18 months apart/)])
    expect(warningsFrom('2024-08-01')).toEqual([])
  })

  it('dates each point after the reference date', () => {
    const { points } = forecaster.forecast({ history: visits, covariates: known, from, horizonsMonths: [12, 24] })
    expect(points.map(({ at }) => at)).toEqual(['2027-03-01T06:00:00.000Z', '2028-02-29T12:00:00.000Z'])
  })
})

describe('a bad request', () => {
  it('names a visit in the future by its place and date', () => {
    const error = faultsOf({ history: [...visits, { at: '2026-03-02', value: 25 }] })
    expect(error.code).toBe('MODEL_INPUT_INVALID')
    expect(error.retryable).toBe(false)
    expect(error.faults).toEqual([
      { pointer: '/history/3/at', message: 'is in the future: 2026-03-02 is after the reference date' },
    ])
    expect(error.message).toContain('/history/3/at is in the future')
  })

  it('names two values of one day', () => {
    const error = faultsOf({
      history: [
        { at: '2025-03-01T08:00:00Z', value: 25 },
        { at: new Date('2025-03-01T17:00:00Z'), value: 27 },
      ],
    })
    expect(error.faults).toEqual([
      { pointer: '/history/1/at', message: 'is a second value for 2025-03-01, after /history/0' },
    ])
  })

  it('reports every fault at once', () => {
    const error = faultsOf({
      history: [
        { at: 'yesterday', value: 31 },
        { at: '2025-02-31', value: 20.5 },
      ],
      covariates: { age: 780, sex: 2, education: 12 },
      horizonsMonths: [0, Number.NaN, 12],
      from: new Date(Number.NaN),
    })
    expect(error.faults.map(({ pointer }) => pointer)).toEqual([
      '/from',
      '/history/0/value',
      '/history/0/at',
      '/history/1/value',
      '/history/1/at',
      '/horizons_months/0',
      '/horizons_months/1',
      '/covariates/age',
      '/covariates/sex',
      '/covariates/education',
    ])
    expect(error.message).toMatch(/; and 7 more\.$/)
    expect(faultsOf({ horizonsMonths: [] }).faults[0]!.pointer).toBe('/horizons_months')
  })
})

describe('the parameters', () => {
  it('are rejected where they are not a model, each fault by its place', () => {
    const broken = { ...structuredClone(parameters), noise_sd: -1 }
    broken.link.thresholds[3] = 0
    const { error } = forecastParametersSchema.safeParse(broken)
    expect(error?.issues.map(({ path }) => path.join('/'))).toEqual(['link/thresholds', 'noise_sd'])
  })
})
