import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { makeRows, makeTree, writeEnsemble, type MadeTree } from '../../../../../test/support/random-ensembles.js'
import { createExplainer } from '../explainer.js'
import { seededRandom } from '../sampling/seeded-random.js'

/** The test of a made-up split, as ONNX defines it. */
const passes = (tree: Extract<MadeTree, { kind: 'split' }>, x: number): boolean => {
  if (Number.isNaN(x) && tree.missingGoesYes) return true
  switch (tree.mode) {
    case 'BRANCH_LEQ':
      return x <= tree.threshold
    case 'BRANCH_LT':
      return x < tree.threshold
    case 'BRANCH_GTE':
      return x >= tree.threshold
    case 'BRANCH_GT':
      return x > tree.threshold
    case 'BRANCH_EQ':
      return x === tree.threshold
    default:
      return x !== tree.threshold
  }
}

const evaluate = (tree: MadeTree, row: readonly number[]): number =>
  tree.kind === 'leaf'
    ? (tree.weights[0] ?? 0)
    : evaluate(passes(tree, row[tree.input] ?? NaN) ? tree.yes : tree.no, row)

/** Expected value when only the inputs of the coalition are known, by the rows that come to each node. */
const expectation = (tree: MadeTree, row: readonly number[], coalition: number, rows: readonly number[][]): number => {
  if (tree.kind === 'leaf') return tree.weights[0] ?? 0
  const yes = rows.filter((other) => passes(tree, other[tree.input] ?? NaN))
  const no = rows.filter((other) => !yes.includes(other))
  if ((coalition >>> tree.input) & 1) {
    const isYes = passes(tree, row[tree.input] ?? NaN)
    return expectation(isYes ? tree.yes : tree.no, row, coalition, isYes ? yes : no)
  }
  const share = rows.length === 0 ? 0.5 : yes.length / rows.length
  return share * expectation(tree.yes, row, coalition, yes) + (1 - share) * expectation(tree.no, row, coalition, no)
}

type Game = (coalition: number) => number

const popCount = (x: number): number => x.toString(2).replaceAll('0', '').length
const factorial = (n: number): number => (n < 2 ? 1 : n * factorial(n - 1))

/** Shapley values by their definition. */
const shapley = (game: Game, inputs: number): number[] =>
  Array.from({ length: inputs }, (_, i) => {
    let value = 0
    for (let s = 0; s < 2 ** inputs; s++) {
      if ((s >>> i) & 1) continue
      const weight = (factorial(popCount(s)) * factorial(inputs - popCount(s) - 1)) / factorial(inputs)
      value += weight * (game(s | (1 << i)) - game(s))
    }
    return value
  })

const rowsOf = (flat: Float64Array, inputs: number): number[][] =>
  Array.from({ length: flat.length / inputs }, (_, row) => [...flat.subarray(row * inputs, (row + 1) * inputs)])

const allModes = ['LEQ', 'LT', 'GTE', 'GT', 'EQ', 'NEQ'].map((mode) => `BRANCH_${mode}`)

interface Made {
  readonly inputs: number
  readonly trees: readonly MadeTree[]
  readonly background: Float64Array
  readonly people: Float64Array
}

const made = fc
  .record({
    seed: fc.nat(),
    inputs: fc.integer({ min: 1, max: 6 }),
    depth: fc.integer({ min: 0, max: 6 }),
    trees: fc.integer({ min: 1, max: 3 }),
    people: fc.integer({ min: 1, max: 12 }),
  })
  .map(({ seed, inputs, depth, trees, people }): Made => {
    const random = seededRandom(seed)
    return {
      inputs,
      trees: Array.from({ length: trees }, () => makeTree(random, { inputs, depth, targets: 1, modes: allModes })),
      background: makeRows(random, people, inputs),
      people: makeRows(random, 3, inputs),
    }
  })

const output = { tensor: 'Y', column: 0 }
const space = 'probability'

const expectClose = (found: ArrayLike<number>, expected: readonly number[]): void => {
  expect(found.length).toBe(expected.length)
  expected.forEach((value, i) => expect(Math.abs((found[i] ?? NaN) - value)).toBeLessThan(1e-9))
}

const games = ({ trees, background, inputs }: Made, row: readonly number[], method: string): Game => {
  const people = rowsOf(background, inputs)
  const sum = (value: (tree: MadeTree) => number): number => trees.reduce((total, tree) => total + value(tree), 0)
  if (method === 'tree_path_dependent') return (s) => sum((tree) => expectation(tree, row, s, people))
  return (s) =>
    people.reduce((total, other) => {
      const mixed = row.map((x, i) => ((s >>> i) & 1 ? x : (other[i] ?? NaN)))
      return total + sum((tree) => evaluate(tree, mixed)) / people.length
    }, 0)
}

describe.each(['tree_path_dependent', 'tree_interventional'] as const)('%s', (method) => {
  it('equals Shapley values by their definition, adds up, and keeps missing values missing', async () => {
    await fc.assert(
      fc.asyncProperty(made, async (example) => {
        const { inputs, trees, background, people } = example
        const explainer = await createExplainer({
          modelBytes: writeEnsemble(trees, inputs),
          output,
          inputs,
          background,
          method,
          space,
        })
        const { contributions, output: outputs } = await explainer.explain(people, 3)
        for (const [person, row] of rowsOf(people, inputs).entries()) {
          const own = contributions.subarray(person * inputs, (person + 1) * inputs)
          expectClose(own, shapley(games(example, row, method), inputs))
          const output = trees.reduce((sum, tree) => sum + evaluate(tree, row), 0)
          const total = own.reduce((sum, part) => sum + part, explainer.baseValue)
          expectClose([outputs[person] ?? NaN, total], [output, output])
        }
      }),
      { numRuns: 150 },
    )
  })
})
