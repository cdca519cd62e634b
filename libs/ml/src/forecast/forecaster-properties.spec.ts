import { readFileSync } from 'node:fs'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { forecastParametersSchema } from './forecast-parameters.schema.js'
import { createForecaster } from './forecaster.js'
import { filterVisits } from './latent-filter.js'

const file = new URL('../../../../models/mmse-forecast/1/parameters.json', import.meta.url)
const parameters = forecastParametersSchema.parse(JSON.parse(readFileSync(file, 'utf8')))
const forecaster = createForecaster(parameters)

const from = '2026-03-01'
const horizonsMonths = [6, 12, 24]

const person = fc.record({
  covariates: fc.record(
    {
      age: fc.double({ min: 50, max: 105, noNaN: true }),
      sex: fc.constantFrom(0, 1),
      education: fc.constantFrom(0, 1),
    },
    { requiredKeys: [] },
  ),
  history: fc
    .uniqueArray(fc.record({ day: fc.integer({ min: 0, max: 9000 }), value: fc.integer({ min: 0, max: 30 }) }), {
      selector: ({ day }) => day,
      maxLength: 12,
    })
    .map((entries) => entries.map(({ day, value }) => ({ at: new Date(Date.parse(from) - day * 86_400_000), value }))),
})

describe('for any person', () => {
  it('the scores never leave 0 to 30, the bands are nested and the probabilities add up', () => {
    fc.assert(
      fc.property(person, fc.double({ min: 0.1, max: 600, noNaN: true }), ({ history, covariates }, months) => {
        const forecast = forecaster.forecast({ history, covariates, from, horizonsMonths: [months] })
        const point = forecast.points[0]!
        const ordered = [0, point.lower_95, point.lower_80, point.median, point.upper_80, point.upper_95, 30]
        expect(ordered).toEqual([...ordered].sort((one, other) => one - other))
        expect(point.distribution).toHaveLength(31)
        expect(Math.min(...point.distribution)).toBeGreaterThanOrEqual(0)
        expect(point.distribution.reduce((sum, probability) => sum + probability, 0)).toBeCloseTo(1, 9)
        expect(point.mean).toBeGreaterThanOrEqual(0)
        expect(point.mean).toBeLessThanOrEqual(30)
        expect(Math.abs(forecast.rate_per_year)).toBeLessThanOrEqual(30)
      }),
      { numRuns: 500 },
    )
  })

  it('uncertainty on the latent scale widens with the horizon, under each course', () => {
    const years = fc.double({ min: 0, max: 30, noNaN: true })
    fc.assert(
      fc.property(
        fc.array(fc.record({ yearsBefore: years, score: fc.integer({ min: 0, max: 30 }) }), { maxLength: 10 }),
        fc.record({
          ageAtReference: fc.double({ min: 50, max: 105, noNaN: true }),
          sex: fc.constantFrom(0, 1),
          education: fc.constantFrom(0, 1),
        }),
        years,
        fc.double({ min: 0.01, max: 10, noNaN: true }),
        (history, assumed, horizon, later) => {
          const oldestFirst = history.sort((one, other) => other.yearsBefore - one.yearsBefore)
          for (const course of parameters.courses.keys()) {
            const belief = filterVisits(parameters, course, assumed, oldestFirst)
            expect(belief.ahead(0).variance).toBeGreaterThan(0)
            expect(belief.ahead(horizon + later).variance).toBeGreaterThan(belief.ahead(horizon).variance)
          }
        },
      ),
      { numRuns: 500 },
    )
  })

  it('the bands of a forecast never narrow with the horizon, whatever the order asked for', () => {
    const horizons = fc.uniqueArray(fc.integer({ min: 1, max: 240 }), { minLength: 2, maxLength: 6 })
    fc.assert(
      fc.property(person, horizons, ({ history, covariates }, asked) => {
        const { points } = forecaster.forecast({ history, covariates, from, horizonsMonths: asked })
        expect(points.map(({ months }) => months)).toEqual(asked)
        const byTime = points.toSorted((one, other) => one.months - other.months)
        for (const [index, point] of byTime.entries()) {
          const before = byTime[index - 1] ?? point
          expect(point.upper_80 - point.lower_80).toBeGreaterThanOrEqual(before.upper_80 - before.lower_80)
          expect(point.upper_95 - point.lower_95).toBeGreaterThanOrEqual(before.upper_95 - before.lower_95)
          const ordered = [0, point.lower_95, point.lower_80, point.median, point.upper_80, point.upper_95, 30]
          expect(ordered).toEqual([...ordered].sort((one, other) => one - other))
        }
      }),
      { numRuns: 500 },
    )
  })

  it('the order of the history does not matter', () => {
    fc.assert(
      fc.property(person, ({ history, covariates }) => {
        const request = { covariates, from, horizonsMonths }
        expect(forecaster.forecast({ ...request, history: history.toReversed() })).toEqual(
          forecaster.forecast({ ...request, history }),
        )
      }),
      { numRuns: 200 },
    )
  })
})
