import { describe, expect, it } from 'vitest'
import { forecastSentence, monthsUpTo, statedPoints, type ForecastPoint } from './forecast-words.js'

const point = (months: number): ForecastPoint => ({
  months,
  at: '2026-01-01T00:00:00.000Z',
  mean: 25,
  median: 25,
  lower_80: 21,
  upper_80: 28,
  lower_95: 19,
  upper_95: 29,
  probability_below_24: 0.27,
  distribution: [],
})

describe('the horizons of a forecast', () => {
  it('are each month up to the longest that the model states, at most 60', () => {
    expect(monthsUpTo([6, 12, 24])).toEqual(Array.from({ length: 24 }, (_, index) => index + 1))
    expect(monthsUpTo([6, 120])).toContain(120)
    expect(monthsUpTo([6, 12, 600]).length).toBeLessThanOrEqual(60)
  })

  it('end where the model states no more', () => {
    const months = statedPoints([point(36), point(24), point(6)], [6, 12, 24]).map((each) => each.months)
    expect(months).toEqual([6, 24])
    expect(statedPoints([point(36)], undefined)).toHaveLength(1)
  })
})

it('says a forecast in a sentence', () => {
  expect(forecastSentence({ basis: 'history' }, point(24))).toBe(
    'In 2 years, 8 of 10 people with such a history score between 21 and 28, half of them 25 or less; about 27 of 100 score below 24.',
  )
  expect(forecastSentence({ basis: 'population' }, point(6))).toMatch(/^In 6 months, 8 of 10 people of this age score/)
})
