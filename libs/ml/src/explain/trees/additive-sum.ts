import { passes, type TreeStructure } from './tree-structure.js'
import { constantValue, type Univariate } from '../tracing/univariate.js'

/** A tree with one number per node of its structure; only those of the leaves count. */
export interface ValuedTree {
  readonly structure: TreeStructure
  readonly values: Float64Array
}

/** A number of the graph that is `bias` + the sum of weighted univariate numbers + the sum of trees. */
export interface AdditiveSum {
  readonly kind: 'sum'
  readonly bias: number
  readonly terms: readonly { readonly weight: number; readonly of: Univariate }[]
  readonly trees: readonly ValuedTree[]
}

/** A univariate number seen as a sum of one term. */
export const sumOf = (scalar: Univariate | AdditiveSum): AdditiveSum => {
  if (scalar.kind === 'sum') return scalar
  if (scalar.source < 0) return { kind: 'sum', bias: constantValue(scalar), terms: [], trees: [] }
  return { kind: 'sum', bias: 0, terms: [{ weight: 1, of: scalar }], trees: [] }
}

/** `factor` times `sum`. */
export const scaleSum = (sum: AdditiveSum, factor: number): AdditiveSum => ({
  kind: 'sum',
  bias: sum.bias * factor,
  terms: sum.terms.map(({ weight, of }) => ({ weight: weight * factor, of })),
  trees: sum.trees.map(({ structure, values }) => ({ structure, values: values.map((value) => value * factor) })),
})

/** The sum of `sums`; trees with the same splits become one, so a difference of two classes costs as much as one. */
export const addSums = (sums: readonly AdditiveSum[]): AdditiveSum => {
  const terms = new Map<Univariate, number>()
  const trees = new Map<TreeStructure, Float64Array>()
  let bias = 0
  for (const sum of sums) {
    bias += sum.bias
    for (const { weight, of } of sum.terms) terms.set(of, (terms.get(of) ?? 0) + weight)
    for (const { structure, values } of sum.trees) {
      const present = trees.get(structure)
      trees.set(structure, present === undefined ? values : present.map((value, i) => value + values[i]!))
    }
  }
  return {
    kind: 'sum',
    bias,
    terms: [...terms].filter(([, weight]) => weight !== 0).map(([of, weight]) => ({ weight, of })),
    trees: [...trees]
      .filter(([, values]) => values.some((value) => value !== 0))
      .map(([structure, values]) => ({ structure, values })),
  }
}

/** Whether `a + b` is 0 for every input. */
export const areOpposite = (a: AdditiveSum, b: AdditiveSum): boolean => {
  const sum = addSums([a, b])
  return sum.bias === 0 && sum.terms.length === 0 && sum.trees.length === 0
}

/** Value of the sum for the inputs at `offset` of `rows`. */
export const evaluateSum = (sum: AdditiveSum, rows: Float64Array, offset: number): number => {
  const valueOf = (of: Univariate): number => of.at(rows[offset + of.source]!)
  let total = sum.bias
  for (const { weight, of } of sum.terms) total += weight * valueOf(of)
  for (const { structure, values } of sum.trees) {
    let node = 0
    for (let column = structure.column[0]!; column >= 0; column = structure.column[node]!) {
      const of = structure.columns[column]
      const next = passes(structure, node, of === undefined ? NaN : valueOf(of)) ? structure.yes : structure.no
      node = next[node]!
    }
    total += values[node]!
  }
  return total
}
