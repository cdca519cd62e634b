import { MemoryGuardError } from '#libs/platform'
import { describe, expect, it } from 'vitest'
import { checkMetrics, missingFeatures } from './check-metrics.js'
import { manifestSchema, type RiskManifest } from './manifest.schema.js'
import { ModelCatalogue } from './model-catalogue.js'
import { categoryOf } from './model-outputs.js'

const parsed = manifestSchema.parse({
  manifest_version: 1,
  kind: 'risk',
  name: 'test-model',
  version: '1',
  title: 'Test',
  summary: 'Test',
  disclaimer: 'Decision support, not diagnosis.',
  inputs: [
    {
      name: 'mmse_score',
      title: 'MMSE',
      unit: 'points',
      min: 0,
      max: 30,
      integer: true,
      typical: { low: 15, high: 30 },
    },
    {
      name: 'age',
      title: 'Age',
      unit: 'years',
      min: 18,
      max: 120,
      required: true,
      unit_hints: [{ min: 216, max: 1440, unit: 'months' }],
    },
    { name: 'sex', title: 'Sex', unit: '0 or 1', min: 0, max: 1, integer: true, words: { female: 0, male: 1 } },
  ],
  graph: { file: 'model.onnx', input: 'features' },
  missing: { rule: 'native' },
  outputs: [{ name: 'risk', title: 'Risk', value: { tensor: 'p' } }],
  primary_output: 'risk',
  categories: [{ name: 'low', below: 0.3 }, { name: 'high' }],
  files: {},
})
if (parsed.kind !== 'risk') throw new Error('not a risk model')
const manifest: RiskManifest = parsed
const catalogue = new ModelCatalogue([{ path: '', manifest, golden: null, background: null }], 'test-model')

const check = (given: Record<string, number | string>) => checkMetrics(manifest, catalogue, given)
const faultsOf = (given: Record<string, number | string>) => {
  try {
    check(given)
  } catch (error) {
    if (error instanceof MemoryGuardError && error.code === 'MODEL_INPUT_INVALID') return error.faults
    throw error
  }
  throw new Error('The metrics were accepted')
}

describe('the metrics of a person', () => {
  it('are given back as numbers, words among them', () => {
    expect(check({ mmse_score: 24, age: 72.5, sex: 'FEMALE' })).toEqual({
      metrics: { mmse_score: 24, age: 72.5, sex: 0 },
      warnings: [],
    })
    expect(check({ age: 18, sex: 1 }).metrics).toEqual({ age: 18, sex: 1 })
  })

  it('may lie on the bounds', () => {
    for (const mmse_score of [0, 30]) expect(check({ age: 120, mmse_score }).metrics).toEqual({ age: 120, mmse_score })
  })

  it.each([
    ['too large', { mmse_score: 31 }, 'must be a whole number from 0 to 30, in points.'],
    ['too small', { mmse_score: -1 }, 'must be a whole number from 0 to 30, in points.'],
    ['between whole numbers', { mmse_score: 24.5 }, 'must be a whole number from 0 to 30, in points'],
    ['not finite', { mmse_score: Infinity }, 'must be a whole number from 0 to 30, in points'],
    ['not a number', { mmse_score: NaN }, 'must be a whole number from 0 to 30, in points'],
    ['text', { mmse_score: 'twenty' }, 'must be a whole number from 0 to 30, in points'],
    ['a number as text', { mmse_score: '24' }, 'must be a whole number from 0 to 30, in points'],
    ['an unknown word', { sex: 'x' }, 'must be a whole number from 0 to 1 (or female, male), in 0 or 1'],
    [
      'a name of the prototype',
      { sex: 'constructor' },
      'must be a whole number from 0 to 1 (or female, male), in 0 or 1',
    ],
  ])('that are %s are refused with what is accepted', (_, given, message) => {
    const [name] = Object.keys(given)
    expect(faultsOf({ age: 72, ...given })).toEqual([{ pointer: `/health_metrics/${name}`, message }])
  })

  it('that look like another unit say so', () => {
    expect(faultsOf({ age: 864 })).toEqual([
      {
        pointer: '/health_metrics/age',
        message: 'must be a number from 18 to 120, in years. It looks like months, expected years.',
      },
    ])
    expect(faultsOf({ age: 150 })[0]?.message).not.toContain('looks like')
  })

  it('are refused with every fault at once, pointers escaped, and no value shown', () => {
    const faults = faultsOf({ mmse_score: 77.7, age: 777.7, 'a/b~c': 7.77, bmi: 7777 })
    expect(faults.map(({ pointer }) => pointer)).toEqual([
      '/health_metrics/mmse_score',
      '/health_metrics/age',
      '/health_metrics/a~1b~0c',
      '/health_metrics/bmi',
    ])
    expect(JSON.stringify(faults)).not.toMatch(/7\.?7/)
    expect(faults[2]?.message).toBe('is no known metric')
    expect(faults[3]?.message).toBe('must be a number from 8 to 100, in kg/m2.')
  })

  it('are refused unseen if there are more than 200, and what is known is reported once', () => {
    const unknown = (count: number) => Object.fromEntries(Array.from({ length: count }, (_, index) => [`x${index}`, 1]))
    expect(faultsOf(unknown(201))).toEqual([{ pointer: '/health_metrics', message: 'must have at most 200 members' }])
    expect(faultsOf(unknown(200))).toHaveLength(201)
    expect(() => checkMetrics(manifest, catalogue, { age: 72, ...unknown(2) })).toThrow(
      expect.objectContaining({ message: expect.stringMatching(/^[^:]*Known metrics are: [^:]*mmse_score[^:]*$/) }),
    )
  })

  it('must hold what the model needs, and anything it uses', () => {
    expect(faultsOf({ mmse_score: 24 })).toEqual([
      { pointer: '/health_metrics/age', message: 'is needed by test-model (Age)' },
    ])
    expect(faultsOf({})).toEqual([{ pointer: '/health_metrics/age', message: 'is needed by test-model (Age)' }])
    const optional = { ...manifest, inputs: manifest.inputs.map((input) => ({ ...input, required: false })) }
    expect(() => checkMetrics(optional, catalogue, { bmi: 24 })).toThrow(
      expect.objectContaining({
        faults: [{ pointer: '/health_metrics', message: 'must hold at least one of mmse_score, age, sex' }],
      }),
    )
  })

  it('that the model does not use are stored and named', () => {
    expect(check({ age: 72, bmi: 24 })).toEqual({
      metrics: { age: 72, bmi: 24 },
      warnings: ['bmi is stored but not used by test-model'],
    })
  })

  it('may be words also where the model does not use them', () => {
    const without: RiskManifest = { ...manifest, inputs: manifest.inputs.filter(({ name }) => name !== 'sex') }
    expect(checkMetrics(without, catalogue, { age: 72, sex: 'male' }).metrics).toEqual({ age: 72, sex: 1 })
    const alone = new ModelCatalogue([{ path: '', manifest: without, golden: null, background: null }], 'test-model')
    expect(checkMetrics(without, alone, { age: 72, sex: 'female' }).metrics).toEqual({ age: 72, sex: 0 })
  })

  it('outside what the model was trained on are taken with a warning', () => {
    expect(check({ age: 72, mmse_score: 14 }).warnings).toEqual([
      'mmse_score lies outside 15 to 30, where the model was trained: it extrapolates.',
    ])
    expect(check({ age: 72, mmse_score: 15 }).warnings).toEqual([])
  })

  it('that are missing are reported in the order of the inputs', () => {
    expect(missingFeatures(manifest, { age: 72 })).toEqual(['mmse_score', 'sex'])
  })
})

describe('the category of a risk', () => {
  it('ends below its bound', () => {
    expect([0, 0.2999, 0.3, 1].map((value) => categoryOf(manifest, value))).toEqual(['low', 'low', 'high', 'high'])
  })
})
