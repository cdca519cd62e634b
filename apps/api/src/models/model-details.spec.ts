import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { manifestSchema, type Manifest } from '#libs/ml/manifest'
import { describe, expect, it } from 'vitest'
import { detailsOf, inputsOf } from './model-details.js'

const fileOf = (model: string, file: string): string =>
  readFileSync(fileURLToPath(new URL(`../../../../models/${model}/1/${file}`, import.meta.url)), 'utf8')
const manifestOf = (model: string): Manifest => manifestSchema.parse(JSON.parse(fileOf(model, 'manifest.json')))

const shipped = ['impairment-screen', 'dementia-risk', 'ukbdrs', 'caide', 'mmse-forecast']

describe('what a model says of itself', () => {
  it.each(shipped)('%s: has everything that the manifest says of its inputs', (model) => {
    const { inputs } = JSON.parse(fileOf(model, 'manifest.json')) as { inputs: Record<string, unknown>[] }
    expect(inputsOf(manifestOf(model))).toEqual(
      inputs.map((input) => ({
        integer: false,
        required: false,
        words: null,
        typical: null,
        unit_hints: [],
        imputed: null,
        ...input,
      })),
    )
  })

  it('names units that a value may be in, and what an absent value becomes', () => {
    const caide = manifestOf('caide')
    const cholesterol = inputsOf(caide).find(({ name }) => name === 'total_cholesterol')
    expect(cholesterol).toMatchObject({ unit: 'mmol/L', unit_hints: [{ min: 58, max: 620, unit: 'mg/dL' }] })
    const imputing = manifestSchema.parse({ ...caide, missing: { rule: 'impute', values: { bmi: 26.5 } } })
    expect(inputsOf(imputing).map(({ name, imputed }) => [name, imputed])).toContainEqual(['bmi', 26.5])
    expect(detailsOf(imputing).missing_rule).toBe('impute')
  })

  it('has the bounds of the categories and their origin', () => {
    const { categories, categories_origin: origin, primary_output: output } = detailsOf(manifestOf('caide'))
    expect(categories).toEqual([
      { name: 'low', from: 0, below: 0.026 },
      { name: 'moderate', from: 0.026, below: 0.057 },
      { name: 'high', from: 0.057, below: 0.12 },
      { name: 'very_high', from: 0.12, below: null },
    ])
    expect([origin, output]).toEqual([expect.stringContaining('published bands'), 'risk_20y'])
    expect(detailsOf(manifestOf('mmse-forecast'))).toMatchObject({
      categories: [],
      categories_origin: null,
      forecast: { metric: 'mmse_score', horizons_months: [6, 12, 24] },
    })
  })

  it.each(shipped)('%s: has use, data and quality, and no number that the card lacks', (model) => {
    const { evidence } = detailsOf(manifestOf(model))
    const card = fileOf(model, 'card.md')
    expect(evidence?.intended_use).toMatch(/^Decision support for clinicians/)
    expect(evidence?.not_for.length).toBeGreaterThan(0)
    for (const { points } of evidence?.calibration ?? []) {
      expect(points.length).toBeGreaterThan(4)
      for (const { predicted, observed, count } of points) {
        expect(card).toContain(String(count))
        // The card has three digits, rounded from the same figure.
        for (const share of [predicted, observed]) {
          expect([card.includes(share.toFixed(3)), card.includes((share - 1e-4).toFixed(3))]).toContain(true)
        }
      }
    }
    const amounts = evidence?.importance?.values.map(({ value }) => Math.abs(value)) ?? []
    expect(amounts).toEqual(amounts.toSorted((first, second) => second - first))
    for (const { input, value } of evidence?.importance?.values ?? []) {
      const digits = Number.isInteger(value) ? 0 : model === 'ukbdrs' ? 4 : 3
      expect(card).toMatch(new RegExp(`\\| .*${value.toFixed(digits)} \\|`))
      expect(manifestOf(model).inputs.map(({ name }) => name)).toContain(input)
    }
  })

  it('has calibration where it was measured, and nothing where it was not', () => {
    const titles = Object.fromEntries(
      shipped.map((model) => [model, detailsOf(manifestOf(model)).evidence?.calibration.map(({ output }) => output)]),
    )
    expect(titles).toEqual({
      'impairment-screen': ['impairment'],
      'dementia-risk': ['risk_3y', 'risk_5y'],
      ukbdrs: [],
      caide: [],
      'mmse-forecast': [null],
    })
  })
})
