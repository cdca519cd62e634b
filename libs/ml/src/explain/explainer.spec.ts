import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { writeOnnx } from '../../../../test/support/onnx-writer.js'
import { makeRows, makeTree, writeEnsemble, type MadeTree } from '../../../../test/support/random-ensembles.js'
import { createExplainer } from './explainer.js'
import { readOnnxModel } from '../onnx/index.js'
import { seededRandom } from './sampling/seeded-random.js'
import { traceGraph } from './tracing/trace-graph.js'
import { coverSourceOf } from './trees/tree-reference.js'

const output = { tensor: 'Y', column: 0 }

const linear = (weights: readonly number[], bias: number): Uint8Array =>
  writeOnnx({
    inputs: weights.length,
    constants: { W: { dims: [weights.length, 1], floats: weights }, b: { dims: [1], floats: [bias] } },
    nodes: [
      { operator: 'Gemm', inputs: ['X', 'W', 'b'], outputs: ['score'] },
      { operator: 'Sigmoid', inputs: ['score'], outputs: ['Y'] },
    ],
    outputs: { Y: 'float32' },
  })

const madeTrees = (seed: number, inputs: number, depth = 4, count = 3): MadeTree[] => {
  const random = seededRandom(seed)
  return Array.from({ length: count }, () => makeTree(random, { inputs, depth, targets: 1 }))
}

/** The tree with inputs a and b in each other's place. */
const swapped = (tree: MadeTree, a: number, b: number): MadeTree =>
  tree.kind === 'leaf'
    ? tree
    : {
        ...tree,
        input: tree.input === a ? b : tree.input === b ? a : tree.input,
        yes: swapped(tree.yes, a, b),
        no: swapped(tree.no, a, b),
      }

const logistic = (x: number): number => 1 / (1 + Math.exp(-x))
const sum = (values: ArrayLike<number>): number => Array.from(values).reduce((total, value) => total + value, 0)

describe.each(['tree_path_dependent', 'tree_interventional'] as const)('%s', (method) => {
  const seeds = fc.nat()

  it('gives nothing to an input that no tree tests', async () => {
    await fc.assert(
      fc.asyncProperty(seeds, async (seed) => {
        const modelBytes = writeEnsemble(madeTrees(seed, 4), 5)
        const random = seededRandom(seed + 1)
        const background = makeRows(random, 20, 5)
        const explainer = await createExplainer({
          modelBytes,
          output,
          inputs: 5,
          background,
          method,
          space: 'probability',
        })
        const { contributions } = await explainer.explain(makeRows(random, 4, 5), 4)
        expect([4, 9, 14, 19].map((at) => contributions[at])).toEqual([0, 0, 0, 0])
      }),
      { numRuns: 40 },
    )
  })

  it('gives equal shares to inputs that the model and the people do not distinguish', async () => {
    await fc.assert(
      fc.asyncProperty(seeds, async (seed) => {
        const trees = madeTrees(seed, 4)
        const modelBytes = writeEnsemble([...trees, ...trees.map((tree) => swapped(tree, 0, 1))], 4)
        const random = seededRandom(seed + 1)
        const half = makeRows(random, 10, 4)
        const mirrored = half.map((_, at) => half[at % 4 < 2 ? at - (at % 4) + (1 - (at % 4)) : at] ?? NaN)
        const person = makeRows(random, 1, 4)
        person[1] = person[0] ?? NaN
        const explainer = await createExplainer({
          modelBytes,
          output,
          inputs: 4,
          background: Float64Array.from([...half, ...mirrored]),
          method,
          space: 'probability',
        })
        const { contributions } = await explainer.explain(person, 1)
        expect(contributions[0]).toBeCloseTo(contributions[1] ?? NaN, 10)
      }),
      { numRuns: 40 },
    )
  })
})

describe('linear models', () => {
  it('get weight times distance from the mean, in log-odds', async () => {
    const row = fc.array(fc.integer({ min: -50, max: 50 }), { minLength: 3, maxLength: 3 })
    await fc.assert(
      fc.asyncProperty(row, row, fc.array(row, { minLength: 1, maxLength: 9 }), async (weights, person, people) => {
        const modelBytes = linear(weights, 2)
        const background = Float64Array.from(people.flat())
        const explainer = await createExplainer({ modelBytes, output, inputs: 3, background })
        expect([explainer.method, explainer.space]).toEqual(['linear', 'log_odds'])
        const { contributions, output: outputs } = await explainer.explain(Float64Array.from(person), 1)
        weights.forEach((weight, i) => {
          const mean = sum(people.map((other) => other[i] ?? NaN)) / people.length
          expect(contributions[i]).toBeCloseTo(weight * ((person[i] ?? NaN) - mean), 9)
        })
        expect(outputs[0]).toBeCloseTo(2 + sum(weights.map((weight, i) => weight * (person[i] ?? NaN))), 9)
        expect(sum(contributions) + explainer.baseValue).toBeCloseTo(outputs[0] ?? NaN, 9)
      }),
      { numRuns: 60 },
    )
  })
})

describe('any function', () => {
  const inputs = 6
  const modelBytes = writeEnsemble(madeTrees(5, inputs, 6, 5), inputs, 'Sigmoid')
  const background = makeRows(seededRandom(6), 12, inputs)
  const people = makeRows(seededRandom(7), 3, inputs)
  const common = { modelBytes, output, inputs, background }

  it('is explained exactly by all coalitions where the budget allows it', async () => {
    const trees = await createExplainer(common)
    const all = await createExplainer({ ...common, method: 'permutation' })
    expect([trees.method, all.method]).toEqual(['tree_interventional', 'exact'])
    const [expected, found] = [await trees.explain(people, 3), await all.explain(people, 3)]
    found.contributions.forEach((value, i) => expect(value).toBeCloseTo(expected.contributions[i] ?? NaN, 6))
    expect(found.standardError).toBeUndefined()
  })

  it('is explained in probability by all coalitions, which trees alone cannot', async () => {
    const explainer = await createExplainer({ ...common, space: 'probability' })
    const inLogOdds = await createExplainer(common)
    expect([explainer.method, explainer.space]).toEqual(['exact', 'probability'])
    const { contributions, output: outputs } = await explainer.explain(people, 3)
    const { output: logits } = await inLogOdds.explain(people, 3)
    outputs.forEach((output, person) => {
      expect(output).toBeCloseTo(logistic(logits[person] ?? NaN), 12)
      const own = contributions.subarray(person * inputs, (person + 1) * inputs)
      expect(sum(own) + explainer.baseValue).toBeCloseTo(output, 12)
    })
  })

  it('is sampled within its standard error, adds up, and does so again for the same seed', async () => {
    const exact = await (await createExplainer(common)).explain(people, 3)
    const sampled = await createExplainer({ ...common, method: 'permutation', evaluations: 700, seed: 3 })
    const finer = await createExplainer({ ...common, method: 'permutation', evaluations: 760, seed: 3 })
    expect([sampled.method, finer.method]).toEqual(['permutation', 'permutation'])
    const { contributions, output: outputs, standardError } = await sampled.explain(people, 3)
    contributions.forEach((value, i) => {
      const error = Math.abs(value - (exact.contributions[i] ?? NaN))
      expect(error).toBeLessThan(5 * (standardError?.[i] ?? NaN) + 1e-6)
    })
    outputs.forEach((output, person) => {
      const own = contributions.subarray(person * inputs, (person + 1) * inputs)
      expect(sum(own) + sampled.baseValue).toBeCloseTo(output, 9)
    })
    const alone = await sampled.explain(people.subarray(inputs, 2 * inputs), 1)
    expect([...alone.contributions]).toEqual([...contributions.subarray(inputs, 2 * inputs)])
  })

  it('converges to the exact values as the sample grows', async () => {
    const many = 9
    const wide = writeEnsemble(madeTrees(8, many, 7, 5), many)
    const others = makeRows(seededRandom(9), 10, many)
    const person = makeRows(seededRandom(10), 1, many)
    const options = { modelBytes: wide, output, inputs: many, background: others, space: 'probability' as const }
    const exact = await (await createExplainer(options)).explain(person, 1)
    const errorAt = async (evaluations: number): Promise<number> => {
      const explainer = await createExplainer({ ...options, method: 'permutation', evaluations })
      expect(explainer.method).toBe('permutation')
      const { contributions } = await explainer.explain(person, 1)
      return Math.hypot(...contributions.map((value, i) => value - (exact.contributions[i] ?? NaN)))
    }
    const [few, more] = [await errorAt(330), await errorAt(5000)]
    expect(more).toBeLessThan(few)
    expect(more).toBeLessThan(0.3)
  })

  it('refuses an output that is not a number', async () => {
    const explainer = await createExplainer({
      ...common,
      method: 'permutation',
      predict: (rows, count) => Float64Array.from({ length: count }, (_, i) => (rows[i * inputs] === 99 ? NaN : 0.5)),
    })
    await expect(explainer.explain(Float64Array.from([99, 1, 1, 1, 1, 1]), 1)).rejects.toMatchObject({
      code: 'MODEL_OUTPUT_INVALID',
    })
  })
})

describe('what does not fit', () => {
  const modelBytes = writeEnsemble(madeTrees(5, 3), 3, 'Sigmoid')
  const background = makeRows(seededRandom(6), 5, 3)
  const common = { modelBytes, output, inputs: 3 }

  it('is path-dependent on evenly shared splits where nothing is known of the people', async () => {
    const explainer = await createExplainer(common)
    const traced = traceGraph(readOnnxModel(modelBytes), output, 3)
    if (traced.kind !== 'additive') throw new Error('the trees were not read')
    const covers = [undefined, { rows: background, count: 5 }].map((people) => coverSourceOf(traced.sum, people))
    expect([explainer.method, ...covers]).toEqual(['tree_path_dependent', 'even_splits', 'background'])
  })

  it.each([
    ['another number of inputs', { inputs: 4 }, 'has 3 columns, not 4'],
    ['an absent output', { output: { tensor: 'Z', column: 0 } }, 'no tensor "Z"'],
    ['an absent column', { output: { tensor: 'Y', column: 1 } }, 'column 1 is not there'],
    ['a linear method for trees', { method: 'linear' as const, background }, 'a sum of trees'],
    [
      'trees in probability',
      { method: 'tree_interventional' as const, space: 'probability' as const, background },
      'set explanation.space',
    ],
    ['people of another width', { background: new Float64Array(4) }, 'whole rows of 3 inputs'],
    ['no people to compare with', { method: 'tree_interventional' as const }, 'name a background file'],
    ['no people for sampling', { method: 'permutation' as const }, 'name a background file'],
    [
      'a graph with other outputs',
      {
        method: 'tree_interventional' as const,
        background,
        predict: (_: Float64Array, count: number) => new Float64Array(count),
      },
      'other outputs',
    ],
  ])('refuses %s', async (_, change, message) => {
    await expect(createExplainer({ ...common, ...change })).rejects.toMatchObject({
      code: 'MODEL_INVALID',
      message: expect.stringContaining(message) as string,
    })
  })
})
