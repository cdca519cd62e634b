import { describe, expect, it } from 'vitest'
import { categoryRange, formatRisk, frequencyOf, intervalWords, outcomeOf, riskSentence } from './risk-words.js'

const dementia = outcomeOf({ title: 'Probability of dementia within 5 years', horizon_years: 5 })
const impairment = outcomeOf({ title: 'Probability of present cognitive impairment', horizon_years: null })

describe('the sentence of a risk', () => {
  it.each([
    [0.234, 'Of 100 people with these answers, about 23 will have dementia within 5 years; 77 will not.'],
    [0.004, 'Of 1,000 people with these answers, about 4 will have dementia within 5 years; 996 will not.'],
    [
      0.0004,
      'Of 1,000 people with these answers, fewer than 1 will have dementia within 5 years; more than 999 will not.',
    ],
    [0.951, 'Of 100 people with these answers, more than 95 will have dementia within 5 years; fewer than 5 will not.'],
  ])('of %d keeps one denominator', (risk, words) => {
    expect(riskSentence(risk, dementia)).toBe(words)
  })

  it('speaks of the present where the model states no horizon', () => {
    expect(riskSentence(0.5, impairment)).toBe(
      'Of 100 people with these answers, about 50 have cognitive impairment now; 50 do not.',
    )
  })

  it("takes the horizon from the model where the title lacks it, and quotes a title that is no probability's", () => {
    const falls = outcomeOf({ title: 'Risk of falls', horizon_years: 1 })
    expect(riskSentence(0.1, falls)).toBe(
      'Of 100 people with these answers, about 10 will have falls within 1 year; 90 will not.',
    )
    expect(riskSentence(0.1, outcomeOf({ title: 'One half', horizon_years: null }))).toBe(
      'Of 100 people with these answers, "One half" applies to about 10, and not to 90.',
    )
  })
})

describe('a risk as people', () => {
  it('adds up to the denominator', () => {
    for (let risk = 0; risk <= 1; risk += 0.001) {
      const { of, with: affected, open } = frequencyOf(risk)
      expect(affected + open).toBeLessThanOrEqual(of)
      expect(of).toBe(risk < 0.01 ? 1_000 : 100)
    }
  })

  it('has no finer number than whole percent', () => {
    expect([0.0099, 0.01, 0.235, 0.95, 0.9501].map(formatRisk)).toEqual([
      'under 1 %',
      '1 %',
      '24 %',
      '95 %',
      'over 95 %',
    ])
  })
})

describe('an interval in words', () => {
  it.each([
    [0.22, 0.17, 0.31, 'between 17 and 31 of 100'],
    [0.94, 0.9, 0.966, 'from 90 to over 95 of 100'],
    [0.004, 0.0002, 0.02, 'from under 1 to 20 of 1,000'],
    [0.99, 0.98, 0.999, 'at over 95 of 100'],
  ])('of %d has the denominator of the risk', (risk, lower, upper, words) => {
    expect(intervalWords(risk, { lower, upper })).toBe(words)
  })
})

it('gives the bounds of a category as fine as the model does', () => {
  expect(categoryRange({ name: 'low', from: 0, below: 0.026 })).toBe('under 2.6 %')
  expect(categoryRange({ name: 'moderate', from: 0.026, below: 0.057 })).toBe('2.6 % to under 5.7 %')
  expect(categoryRange({ name: 'high', from: 0.5, below: null })).toBe('50 % or more')
})
