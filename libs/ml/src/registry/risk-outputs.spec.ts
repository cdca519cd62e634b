import { MemoryGuardError } from '#libs/platform'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { manifestSchema, type RiskManifest } from '../manifest/manifest.schema.js'
import { goldenFaults, toRisk } from './risk-outputs.js'

const column = (at: number) => ({ tensor: 'p', column: at })
const manifest = manifestSchema.parse({
  manifest_version: 1,
  kind: 'risk',
  name: 'horizons',
  version: '1',
  title: 'Horizons',
  summary: 'Two horizons, one with an interval.',
  disclaimer: 'Decision support, not diagnosis.',
  inputs: [{ name: 'age', title: 'Age', unit: 'years', min: 18, max: 120 }],
  graph: { file: 'model.onnx', input: 'X' },
  missing: { rule: 'native' },
  outputs: [
    { name: 'five', title: '5 years', value: column(0), lower: column(1), upper: column(2), horizon_years: 5 },
    { name: 'three', title: '3 years', value: column(3), horizon_years: 3 },
  ],
  primary_output: 'five',
  categories: [{ name: 'low', below: 0.5 }, { name: 'high' }],
  interval: { level: 0.9, method: 'none' },
  files: {},
}) as RiskManifest

/** What is said of one person by these numbers: 5-year value, lower, upper, 3-year value. */
const risk = (...numbers: readonly number[]) =>
  toRisk(manifest, { p: { data: Float64Array.from(numbers), columns: 4 } }, 0)

describe('D1: rounding errors of float32 sums', () => {
  it('never fail a person: a value beside a bound is the bound', () => {
    expect(risk(1.0000001, 0.9, 1.000009, 1.0000001)).toMatchObject({
      score: 1,
      category: 'high',
      outputs: { five: { value: 1, lower: 0.9, upper: 1 }, three: { value: 1 } },
    })
    expect(risk(-1e-9, -1e-6, 0.2, -1e-9)).toMatchObject({
      score: 0,
      category: 'low',
      outputs: { five: { value: 0, lower: 0, upper: 0.2 }, three: { value: 0 } },
    })
  })

  it('leave an interval around its value, and the longer horizon no less likely', () => {
    expect(risk(0.4, 0.4000001, 0.3999999, 0.4000001)).toMatchObject({
      outputs: { five: { value: 0.4000001, lower: 0.4, upper: 0.4000001 }, three: { value: 0.4000001 } },
    })
  })

  it('are no excuse for numbers that are no probabilities', () => {
    for (const wrong of [1.00002, -1.1e-5, NaN, Infinity]) {
      const result = risk(wrong, 0, 1, 0)
      expect(result).toBeInstanceOf(MemoryGuardError)
      expect(result).toMatchObject({ code: 'MODEL_OUTPUT_INVALID', retryable: false })
    }
  })

  it('change no number that needs no change', () => {
    const probability = fc.double({ min: 0, max: 1, noNaN: true })
    fc.assert(
      fc.property(fc.array(probability, { minLength: 4, maxLength: 4 }), (numbers) => {
        const [three = 0, lower = 0, five = 0, upper = 0] = numbers.sort((a, b) => a - b)
        expect(risk(five, lower, upper, three)).toMatchObject({
          outputs: { five: { value: five, lower, upper }, three: { value: three } },
        })
      }),
    )
  })

  it('pass the golden file', () => {
    const golden = { tolerance: 1e-5, cases: [{ inputs: {}, outputs: { five: { value: 1 }, three: { value: 1 } } }] }
    const tensors = { p: { data: Float32Array.of(1.0000001, 0.5, 1.0000001, 1.0000001), columns: 4 } }
    expect(goldenFaults(manifest, golden, tensors)).toEqual([])
  })
})
