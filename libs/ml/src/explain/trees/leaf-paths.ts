import { MemoryGuardError } from '#libs/platform'
import type { ValuedTree } from './additive-sum.js'
import { InterventionalLeaf, maxPathInputs, PathDependentLeaf, type LeafGame } from './leaf-game.js'
import { testedValue, type BackgroundRows } from './tree-reference.js'
import { passes } from './tree-structure.js'

/** A node of a tree as the explanation sees it: a test of one input, or a leaf's game. */
export type PathNode =
  | {
      readonly kind: 'test'
      readonly node: number
      /** Position of the tested input among those of the path so far: its bit in a person's pattern. */
      readonly bit: number
      /** The tested input. */
      readonly source: number
      /** Path-dependent only: people whom the tests of this input so far let through, on either side. */
      readonly shareYes: number
      readonly shareNo: number
      /** Different inputs tested above this node. */
      readonly widthAbove: number
      readonly yes: PathNode
      readonly no: PathNode
    }
  | {
      readonly kind: 'leaf'
      readonly game: LeafGame
      /** Inputs of the path in the order of their bits. */
      readonly sources: Int32Array
    }

/** Reference people for `InterventionalLeaf`, or shares of each branch for `PathDependentLeaf`. */
export type Reference =
  | { readonly kind: 'interventional'; readonly background: BackgroundRows }
  | { readonly kind: 'path_dependent'; readonly shares: Float64Array }

const distinct = (patterns: Int32Array): { patterns: Int32Array; shares: Float64Array } => {
  const counts = new Map<number, number>()
  for (const pattern of patterns) counts.set(pattern, (counts.get(pattern) ?? 0) + 1)
  return {
    patterns: Int32Array.from(counts.keys()),
    shares: Float64Array.from(counts.values(), (count) => count / patterns.length),
  }
}

/**
 * Turns a tree into the games of its leaves. Tests of the same input on one path share one bit; tests of constants are
 * decided here. Throws `MODEL_INVALID` for a path through more than `maxPathInputs` different inputs.
 */
export const buildPaths = ({ structure, values }: ValuedTree, reference: Reference, inputs: number): PathNode => {
  const visit = (
    node: number,
    sources: readonly number[],
    shares: readonly number[],
    patterns: Int32Array,
  ): PathNode => {
    const column = structure.column[node] ?? -1
    if (column < 0) {
      const value = values[node] ?? 0
      const path = Int32Array.from(sources)
      if (reference.kind === 'path_dependent') {
        return { kind: 'leaf', game: new PathDependentLeaf(value, Float64Array.from(shares)), sources: path }
      }
      const others = distinct(patterns)
      const game = new InterventionalLeaf(value, path.length, others.patterns, others.shares)
      return { kind: 'leaf', game, sources: path }
    }
    const [yes, no] = [structure.yes[node] ?? 0, structure.no[node] ?? 0]
    const source = structure.columns[column]?.source ?? -1
    if (source < 0) {
      const isYes = passes(structure, node, structure.columns[column]?.at(NaN) ?? NaN)
      return visit(isYes ? yes : no, sources, shares, patterns)
    }
    const known = sources.indexOf(source)
    const bit = known < 0 ? sources.length : known
    if (bit >= maxPathInputs) {
      throw new MemoryGuardError(
        'MODEL_INVALID',
        `A path of a tree tests more than ${maxPathInputs} different inputs; exact tree explanations end there. ` +
          'Choose the method "permutation".',
      )
    }
    const below = known < 0 ? [...sources, source] : sources
    const sharesBelow = (child: number): readonly number[] => {
      if (reference.kind !== 'path_dependent') return shares
      const next = [...shares]
      next[bit] = (next[bit] ?? 1) * (reference.shares[child] ?? 0)
      return next
    }
    const yesPatterns = patterns.slice()
    const noPatterns = patterns.slice()
    if (reference.kind === 'interventional') {
      const { rows } = reference.background
      patterns.forEach((_, row) => {
        const isYes = passes(structure, node, testedValue(structure, node, rows, row * inputs))
        const failing = isYes ? noPatterns : yesPatterns
        failing[row] = (failing[row] ?? 0) | (1 << bit)
      })
    }
    const [sharesYes, sharesNo] = [sharesBelow(yes), sharesBelow(no)]
    return {
      kind: 'test',
      node,
      bit,
      source,
      shareYes: sharesYes[bit] ?? 1,
      shareNo: sharesNo[bit] ?? 1,
      widthAbove: sources.length,
      yes: visit(yes, below, sharesYes, yesPatterns),
      no: visit(no, below, sharesNo, noPatterns),
    }
  }
  const people = reference.kind === 'interventional' ? reference.background.count : 0
  return visit(0, [], [], new Int32Array(people))
}
