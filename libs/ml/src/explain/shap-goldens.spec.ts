import { readdirSync, readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { createExplainer } from './explainer.js'
import type { RequestedMethod } from './explanation.js'

const folder = new URL('../../../../test/fixtures/shap/', import.meta.url)

const aboutSchema = z.object({
  inputs: z.int(),
  rows: z.int(),
  background_rows: z.int(),
  output: z.object({ tensor: z.string(), column: z.int() }),
  base_value: z.object({ path_dependent: z.number(), path_dependent_all_rows: z.number(), interventional: z.number() }),
})

const bytesOf = (name: string, file: string): Buffer => readFileSync(new URL(`${name}/${file}`, folder))

const doubles = (name: string, file: string): Float64Array =>
  new Float64Array(new Uint8Array(bytesOf(name, file)).buffer)

const load = (name: string) => {
  const about = aboutSchema.parse(JSON.parse(bytesOf(name, 'about.json').toString()))
  const rows = Float64Array.from(new Float32Array(new Uint8Array(bytesOf(name, 'rows.f32')).buffer))
  const background = rows.slice(0, about.background_rows * about.inputs)
  return { about, rows, background }
}

const largestDifference = (found: Float64Array, expected: Float64Array): number => {
  expect(found.length).toBe(expected.length)
  return found.reduce((worst, value, i) => Math.max(worst, Math.abs(value - (expected[i] ?? NaN))), 0)
}

const explainerFor = (name: string, method: RequestedMethod, background: Float64Array, file = 'model.onnx') => {
  const { about } = load(name)
  const isAverage = name === 'random-forest' || name === 'extra-trees-deep'
  return createExplainer({
    modelBytes: bytesOf(name, file),
    output: about.output,
    inputs: about.inputs,
    background,
    method,
    space: isAverage ? 'probability' : 'log_odds',
  })
}

const cases = [
  ['path-dependent.f64', 'path_dependent', 'tree_path_dependent'],
  ['path-dependent-all-rows.f64', 'path_dependent_all_rows', 'tree_path_dependent'],
  ['interventional.f64', 'interventional', 'tree_interventional'],
] as const

describe.each(readdirSync(folder))('%s equals the shap package on 1,000 people', (name) => {
  it.each(cases)('for %s', async (file, base, method) => {
    const { about, rows, background } = load(name)
    const explainer = await explainerFor(name, method, base === 'path_dependent_all_rows' ? rows : background)
    const { contributions, output } = await explainer.explain(rows, about.rows)
    expect(largestDifference(contributions, doubles(name, file))).toBeLessThan(1e-6)
    expect(Math.abs(explainer.baseValue - about.base_value[base])).toBeLessThan(1e-6)
    const totals = output.map((_, person) =>
      contributions
        .subarray(person * about.inputs, (person + 1) * about.inputs)
        .reduce((sum, part) => sum + part, explainer.baseValue),
    )
    expect(largestDifference(totals, output)).toBeLessThan(1e-9)
  })
})

describe('TreeEnsemble of ai.onnx.ml 5', () => {
  it('is explained as the same trees in the older operator', async () => {
    const { about, rows, background } = load('histogram-boosting')
    const explainer = await explainerFor('histogram-boosting', 'tree_path_dependent', background, 'model-v5.onnx')
    const { contributions } = await explainer.explain(rows, about.rows)
    expect(largestDifference(contributions, doubles('histogram-boosting', 'path-dependent.f64'))).toBeLessThan(1e-6)
  })
})
