import { MemoryGuardError } from '#libs/platform'
import { describe, expect, it } from 'vitest'
import { checkMetrics, extrapolatedFeatures } from './check-metrics.js'
import type { RiskManifest } from './manifest.schema.js'
import { manifestSchema } from './manifest.schema.js'
import { ModelCatalogue } from './model-catalogue.js'

const manifest = manifestSchema.parse({
  manifest_version: 1,
  kind: 'risk',
  name: 'guarded',
  version: '1',
  title: 'Guarded',
  summary: 'A model with units.',
  disclaimer: 'Decision support, not diagnosis.',
  inputs: [
    {
      name: 'total_cholesterol',
      title: 'Cholesterol',
      unit: 'mmol/L',
      min: 1,
      max: 20,
      typical: { low: 3, high: 9 },
      unit_hints: [{ min: 40, max: 770, unit: 'mg/dL' }],
    },
    {
      name: 'height',
      title: 'Height',
      unit: 'cm',
      min: 20,
      max: 250,
      typical: { low: 140, high: 200 },
      // In range, and yet nobody is this short: the manifest says what it looks like.
      unit_hints: [{ min: 50, max: 85, unit: 'inches' }],
    },
  ],
  graph: { file: 'model.onnx', input: 'X' },
  missing: { rule: 'native' },
  outputs: [{ name: 'risk', title: 'Risk', value: { tensor: 'p' } }],
  primary_output: 'risk',
  categories: [{ name: 'any' }],
  files: {},
}) as RiskManifest
const catalogue = new ModelCatalogue([], 'guarded')
const faultsOf = (given: Record<string, number | string>) => {
  try {
    checkMetrics(manifest, catalogue, given)
  } catch (error) {
    if (error instanceof MemoryGuardError) return error.faults
    throw error
  }
  return []
}

describe('the input guard', () => {
  it('says which unit a refused value looks like, and never the value', () => {
    const faults = faultsOf({ total_cholesterol: 203.5 })
    expect(faults).toEqual([
      {
        pointer: '/health_metrics/total_cholesterol',
        message: 'must be a number from 1 to 20, in mmol/L. It looks like mg/dL, expected mmol/L.',
      },
    ])
  })

  it('says so too for a metric that the model does not use', () => {
    expect(faultsOf({ height: 170, glucose: 180.25 })).toEqual([
      {
        pointer: '/health_metrics/glucose',
        message: 'must be a number from 1 to 60, in mmol/L. It looks like mg/dL, expected mmol/L.',
      },
    ])
  })

  it('accepts what is in range but implausible, and warns with the feature and the likely unit', () => {
    const { metrics, warnings } = checkMetrics(manifest, catalogue, { total_cholesterol: 5, height: 70 })
    expect(metrics).toEqual({ total_cholesterol: 5, height: 70 })
    expect(warnings).toEqual([
      'height lies outside 140 to 200, where the model was trained: it extrapolates. It looks like inches, expected cm.',
    ])
  })

  it('flags the features outside what the model was trained on, the bounds not among them', () => {
    expect(extrapolatedFeatures(manifest, { total_cholesterol: 12, height: 140 })).toEqual(['total_cholesterol'])
    expect(extrapolatedFeatures(manifest, { height: 200.1 })).toEqual(['height'])
    expect(extrapolatedFeatures(manifest, {})).toEqual([])
  })
})
