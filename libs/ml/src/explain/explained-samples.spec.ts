import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { goldenSchema, manifestSchema, type RiskManifest } from '../manifest/index.js'
import { OnnxSession, OnnxTensor } from '../runtime/onnxruntime.js'
import { createExplainer } from './explainer.js'

const logistic = (x: number): number => 1 / (1 + Math.exp(-x))
const sum = (values: ArrayLike<number>): number => Array.from(values).reduce((total, value) => total + value, 0)

const fixtures = new URL('../../../../test/fixtures/models/', import.meta.url)

const read = (name: string, file: string): Buffer => readFileSync(new URL(`${name}/1/${file}`, fixtures))

const backgroundRows = (text: Buffer): readonly (readonly (number | null)[])[] => {
  const { rows } = JSON.parse(text.toString()) as { rows: (number | null)[][] }
  return rows
}

const encode = (manifest: RiskManifest, row: readonly (number | null)[]): number[] =>
  row.map((value, i) => {
    const { missing } = manifest
    return value ?? (missing.rule === 'impute' ? (missing.values[manifest.inputs[i]?.name ?? ''] ?? NaN) : NaN)
  })

describe('a model of a user', () => {
  it.each([
    ['sample-lightgbm', 'tree_interventional', 'log_odds'],
    ['sample-xgboost', 'tree_path_dependent', 'log_odds'],
    ['sample-forest', 'tree_interventional', 'probability'],
    ['sample-logistic', 'linear', 'log_odds'],
    ['sample-network', 'exact', 'probability'],
  ])('%s is explained by %s in %s, as the runtime computes it', async (name, method, space) => {
    const manifest = manifestSchema.parse(JSON.parse(read(name, 'manifest.json').toString()))
    if (manifest.kind !== 'risk') throw new Error('the fixture is no risk model')
    const golden = goldenSchema.parse(JSON.parse(read(name, 'golden.json').toString()))
    const inputs = manifest.inputs.length
    const modelBytes = read(name, manifest.graph.file)
    const session = await OnnxSession.create(modelBytes)
    const outputColumn = { tensor: 'probabilities', column: 1 }
    const predict = async (rows: Float64Array, count: number): Promise<Float64Array> => {
      const feed = new OnnxTensor('float32', Float32Array.from(rows), [count, inputs])
      const { probabilities } = await session.run({ X: feed }, ['probabilities'])
      return Float64Array.from({ length: count }, (_, row) => Number(probabilities?.data[2 * row + 1]))
    }
    const background = backgroundRows(read(name, manifest.explanation.background ?? ''))
    const explainer = await createExplainer({
      modelBytes,
      output: outputColumn,
      inputs,
      background: Float64Array.from(background.flatMap((row) => encode(manifest, row))),
      method: manifest.explanation.method,
      space: manifest.explanation.space,
      predict,
    })
    expect([explainer.method, explainer.space]).toEqual([method, space])
    const people = golden.cases.map((one) => manifest.inputs.map((input) => one.inputs[input.name] ?? null))
    const rows = Float64Array.from(people.flatMap((row) => encode(manifest, row)))
    const { contributions, output: explained } = await explainer.explain(rows, people.length)
    golden.cases.forEach(({ outputs }, person) => {
      const explainedOutput = explained[person] ?? NaN
      const probability = explainer.space === 'log_odds' ? logistic(explainedOutput) : explainedOutput
      expect(Math.abs(probability - (outputs.impairment?.value ?? NaN))).toBeLessThan(golden.tolerance)
      const own = contributions.subarray(person * inputs, (person + 1) * inputs)
      expect(Math.abs(sum(own) + explainer.baseValue - explainedOutput)).toBeLessThan(1e-9)
    })
    const moved = manifest.inputs.map((_, i) =>
      sum(people.map((__, row) => Math.abs(contributions[row * inputs + i] ?? NaN))),
    )
    // The made-up people owe it to their brain volume first, and to their sex not at all.
    const byImportance = manifest.inputs.map((_, i) => i).sort((a, b) => (moved[b] ?? NaN) - (moved[a] ?? NaN))
    expect(byImportance[0]).toBe(4)
    expect(byImportance.at(-1)).toBe(3)
    await session.release()
  })
})
