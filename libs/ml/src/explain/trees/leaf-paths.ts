import { MemoryGuardError } from '#libs/platform'
import type { BackgroundRows } from '../explanation.js'
import { constantValue } from '../tracing/univariate.js'
import type { ValuedTree } from './additive-sum.js'
import { InterventionalLeaf, maxPathInputs, PathDependentLeaf, type LeafGame } from './leaf-game.js'
import { testedValue } from './tree-reference.js'
import { passes } from './tree-structure.js'

/** A leaf's game. */
export interface LeafNode {
  readonly kind: 'leaf'
  readonly game: LeafGame
  /** Inputs of the path in the order of their bits. */
  readonly sources: Int32Array
}

/** A test of one input. */
export interface TestNode {
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

/** A node of a tree as the explanation sees it. */
export type PathNode = TestNode | LeafNode

/** Reference people for `InterventionalLeaf`, or shares of each branch for `PathDependentLeaf`. */
export type Reference =
  | { readonly kind: 'interventional'; readonly background: BackgroundRows }
  | { readonly kind: 'path_dependent'; readonly shares: Float64Array }

/** What is known on the way from the root to a node. */
interface Path {
  /** Tested inputs, by their bits. */
  readonly sources: readonly number[]
  /** Path-dependent: people whom all tests of an input let through, by its bit. */
  readonly shares: readonly number[]
  /** Interventional: the bits of the inputs that each reference person fails. */
  readonly patterns: Int32Array
}

const leafOf = (value: number, { sources, shares, patterns }: Path, kind: Reference['kind']): LeafNode => {
  const leaf = { kind: 'leaf', sources: Int32Array.from(sources) } as const
  if (kind === 'path_dependent') return { ...leaf, game: new PathDependentLeaf(value, Float64Array.from(shares)) }
  const counts = new Map<number, number>()
  for (const pattern of patterns) counts.set(pattern, (counts.get(pattern) ?? 0) + 1)
  const distinct = Int32Array.from(counts.keys())
  const partOfPeople = Float64Array.from(counts.values(), (count) => count / patterns.length)
  return { ...leaf, game: new InterventionalLeaf(value, sources.length, distinct, partOfPeople) }
}

const tooManyInputs =
  `A path of a tree tests more than ${maxPathInputs} different inputs; exact tree explanations end there. ` +
  'Choose the method "permutation".'

/**
 * Turns a tree into the games of its leaves. Tests of the same input on one path share one bit; tests of constants are
 * decided here.
 * @throws {MemoryGuardError} MODEL_INVALID for a path through more than `maxPathInputs` different inputs.
 */
export const buildPaths = ({ structure, values }: ValuedTree, reference: Reference, inputs: number): PathNode => {
  /** The paths behind a test, whose input has `bit`. */
  const beyond = (node: number, bit: number, { shares, patterns }: Path, sources: readonly number[]): [Path, Path] => {
    if (reference.kind === 'path_dependent') {
      const pathTo = (child: number): Path => {
        const next = [...shares]
        next[bit] = (next[bit] ?? 1) * reference.shares[child]!
        return { sources, shares: next, patterns }
      }
      return [pathTo(structure.yes[node]!), pathTo(structure.no[node]!)]
    }
    const yes = patterns.slice()
    const no = patterns.slice()
    for (let row = 0; row < patterns.length; row++) {
      const isYes = passes(structure, node, testedValue(structure, node, reference.background.rows, row * inputs))
      const failing = isYes ? no : yes
      failing[row]! |= 1 << bit
    }
    return [
      { sources, shares, patterns: yes },
      { sources, shares, patterns: no },
    ]
  }
  const visit = (node: number, path: Path): PathNode => {
    const tested = structure.columns[structure.column[node]!]
    if (!tested) return leafOf(values[node]!, path, reference.kind)
    const [yes, no] = [structure.yes[node]!, structure.no[node]!]
    const { source } = tested
    if (source < 0) return visit(passes(structure, node, constantValue(tested)) ? yes : no, path)
    const known = path.sources.indexOf(source)
    const bit = known < 0 ? path.sources.length : known
    if (bit >= maxPathInputs) throw new MemoryGuardError('MODEL_INVALID', tooManyInputs)
    const [toYes, toNo] = beyond(node, bit, path, known < 0 ? [...path.sources, source] : path.sources)
    return {
      kind: 'test',
      node,
      bit,
      source,
      shareYes: toYes.shares[bit] ?? 1,
      shareNo: toNo.shares[bit] ?? 1,
      widthAbove: path.sources.length,
      yes: visit(yes, toYes),
      no: visit(no, toNo),
    }
  }
  const people = reference.kind === 'interventional' ? reference.background.count : 0
  return visit(0, { sources: [], shares: [], patterns: new Int32Array(people) })
}
