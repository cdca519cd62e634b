import type { AdditiveSum, ValuedTree } from './additive-sum.js'
import type { BackgroundRows } from '../explanation.js'
import { passes, type TreeStructure } from './tree-structure.js'

/** Where path-dependent explanations take the share of people from who go each way at a split. */
export type CoverSource = 'background' | 'hit_rates' | 'even_splits'

/** Value of the tested column for the inputs at `offset` of `rows`. */
export const testedValue = (tree: TreeStructure, node: number, rows: Float64Array, offset: number): number => {
  const of = tree.columns[tree.column[node]!]
  return of === undefined ? NaN : of.at(rows[offset + of.source]!)
}

const countRows = (tree: TreeStructure, background: BackgroundRows, inputs: number): Float64Array => {
  const counts = new Float64Array(tree.size)
  for (let row = 0; row < background.count; row++) {
    let node = 0
    counts[0]! += 1
    while (tree.column[node]! >= 0) {
      const value = testedValue(tree, node, background.rows, row * inputs)
      node = (passes(tree, node, value) ? tree.yes : tree.no)[node]!
      counts[node]! += 1
    }
  }
  return counts
}

/** Whether the hit rates of the file are real: both children of each split add up to it, and some rows came. */
const areHitRatesReal = (tree: TreeStructure): boolean => {
  if (!(tree.hitRate[0]! > 0)) return false
  return tree.column.every((column, node) => {
    if (column < 0) return true
    const children = tree.hitRate[tree.yes[node]!]! + tree.hitRate[tree.no[node]!]!
    const own = tree.hitRate[node]!
    return Math.abs(children - own) <= 1e-5 * own
  })
}

/** Which source of covers there is: background rows, else the file's hit rates, else none. */
export const coverSourceOf = (sum: AdditiveSum, background: BackgroundRows | undefined): CoverSource => {
  if (background !== undefined && background.count > 0) return 'background'
  return sum.trees.every(({ structure }: ValuedTree) => areHitRatesReal(structure)) ? 'hit_rates' : 'even_splits'
}

/**
 * For each node the share of its parent's people who go there (the root: 1). A split that nobody of the background
 * reaches is shared evenly, so that each person meets a defined value wherever they go.
 */
export const sharesOf = (
  tree: TreeStructure,
  source: CoverSource,
  background: BackgroundRows | undefined,
  inputs: number,
): Float64Array => {
  const covers =
    source === 'background' && background !== undefined ? countRows(tree, background, inputs) : tree.hitRate
  const shares = new Float64Array(tree.size).fill(0.5)
  shares[0] = 1
  if (source === 'even_splits') return shares
  tree.column.forEach((column, node) => {
    if (column < 0) return
    const [yes, no] = [tree.yes[node]!, tree.no[node]!]
    const total = covers[yes]! + covers[no]!
    if (total === 0) return
    shares[yes] = covers[yes]! / total
    shares[no] = covers[no]! / total
  })
  return shares
}
