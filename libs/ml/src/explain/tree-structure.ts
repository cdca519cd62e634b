import { MemoryGuardError } from '#libs/platform'
import type { Univariate } from './univariate.js'

/** How a node of an ONNX tree ensemble compares the input with its threshold. */
export type NodeMode = 'LEQ' | 'LT' | 'GTE' | 'GT' | 'EQ' | 'NEQ' | 'MEMBER' | 'LEAF'

/** One node as an ONNX file states it; `yes` and `no` are positions in the list of its tree. */
export interface RawNode {
  readonly mode: NodeMode
  readonly column: number
  readonly threshold: number
  /** Members of the set of a `MEMBER` node. */
  readonly members?: readonly number[]
  /** A missing value goes the way of `yes`; else it is compared, which fails but for NEQ. */
  readonly missingGoesYes: boolean
  readonly yes: number
  readonly no: number
  readonly hitRate: number
}

/**
 * The splits of one tree in preorder (the root is 0, children follow their parent), normalised so that there are two
 * kinds of test only: `x <= threshold`, and `x in set`. Thresholds compare as the runtime does, on the exact values
 * of its float32 or float64 numbers.
 */
export interface TreeStructure {
  readonly size: number
  /** Column of `columns` that the node tests; -1 for a leaf. */
  readonly column: Int32Array
  readonly threshold: Float64Array
  /** Sets of the nodes that test membership; undefined where the node compares. */
  readonly sets: readonly (ReadonlySet<number> | undefined)[]
  /** 1 where a missing value goes to `yes`. */
  readonly missingYes: Uint8Array
  readonly yes: Int32Array
  readonly no: Int32Array
  /** Share of the training rows that came here, as the file states it; 0 where it does not. */
  readonly hitRate: Float64Array
  /** For each node its position in the list it was made from. */
  readonly origin: Int32Array
  readonly columns: readonly Univariate[]
}

const doubleBits = new DataView(new ArrayBuffer(8))

/** The largest double below `x`; so `y < x` is `y <= below(x)` for all numbers. NaN for -Infinity: never true. */
export const below = (x: number): number => {
  if (x === -Infinity) return NaN
  if (x === 0) return -Number.MIN_VALUE
  doubleBits.setFloat64(0, x)
  doubleBits.setBigInt64(0, doubleBits.getBigInt64(0) + (x > 0 ? -1n : 1n))
  return doubleBits.getFloat64(0)
}

interface Split {
  readonly threshold: number
  readonly set?: ReadonlySet<number>
  readonly missingYes: boolean
  /** The test is the opposite of the file's: its branches change places. */
  readonly swapped: boolean
}

const normalise = (node: RawNode): Split => {
  const { mode, threshold, missingGoesYes } = node
  switch (mode) {
    case 'LEAF':
    case 'LEQ':
      return { threshold, missingYes: missingGoesYes, swapped: false }
    case 'LT':
      return { threshold: below(threshold), missingYes: missingGoesYes, swapped: false }
    case 'GT':
      return { threshold, missingYes: !missingGoesYes, swapped: true }
    case 'GTE':
      return { threshold: below(threshold), missingYes: !missingGoesYes, swapped: true }
    case 'EQ':
      return { threshold, set: new Set([threshold]), missingYes: missingGoesYes, swapped: false }
    case 'NEQ':
      return { threshold, set: new Set([threshold]), missingYes: false, swapped: true }
    case 'MEMBER':
      return { threshold, set: new Set(node.members), missingYes: missingGoesYes, swapped: false }
  }
}

/**
 * Checks and normalises one tree. Throws `MODEL_INVALID` if the nodes do not form a tree below `root`, if a threshold
 * is not a number, or if a node tests a column that is not there.
 */
export const buildTree = (
  nodes: readonly RawNode[],
  root: number,
  columns: readonly Univariate[],
  label: string,
): TreeStructure => {
  const fail = (reason: string): never => {
    throw new MemoryGuardError('MODEL_INVALID', `${label} of the ONNX file is corrupt: ${reason}.`)
  }
  const visited = new Uint8Array(nodes.length)
  const origin: number[] = []
  const splits: Split[] = []
  const position = new Int32Array(nodes.length)
  const stack = [root]
  for (let index = stack.pop(); index !== undefined; index = stack.pop()) {
    const node = nodes[index] ?? fail(`it has no node ${index}`)
    if (visited[index] === 1) fail('two nodes have the same child')
    visited[index] = 1
    const split = normalise(node)
    position[index] = origin.length
    origin.push(index)
    splits.push(split)
    if (node.mode === 'LEAF') continue
    if (Number.isNaN(node.threshold)) fail('a threshold is not a number')
    if (node.column < 0 || node.column >= columns.length) {
      fail(`a node tests column ${node.column} of ${columns.length}`)
    }
    const [yes, no] = split.swapped ? [node.no, node.yes] : [node.yes, node.no]
    stack.push(no, yes)
  }
  const raw = origin.map((index) => nodes[index] ?? fail(`it has no node ${index}`))
  const child = (node: RawNode, split: Split | undefined, wanted: 'yes' | 'no'): number => {
    if (node.mode === 'LEAF') return -1
    const isYes = (wanted === 'yes') !== (split?.swapped === true)
    return position[isYes ? node.yes : node.no] ?? -1
  }
  return {
    size: origin.length,
    column: Int32Array.from(raw, (node) => (node.mode === 'LEAF' ? -1 : node.column)),
    threshold: Float64Array.from(splits, (split) => split.threshold),
    sets: splits.map((split) => split.set),
    missingYes: Uint8Array.from(splits, (split) => (split.missingYes ? 1 : 0)),
    yes: Int32Array.from(raw, (node, i) => child(node, splits[i], 'yes')),
    no: Int32Array.from(raw, (node, i) => child(node, splits[i], 'no')),
    hitRate: Float64Array.from(raw, (node) => node.hitRate),
    origin: Int32Array.from(origin),
    columns,
  }
}

/** Whether `value` passes the test of `node`. */
export const passes = (tree: TreeStructure, node: number, value: number): boolean => {
  if (Number.isNaN(value)) return tree.missingYes[node] === 1
  const set = tree.sets[node]
  return set === undefined ? value <= (tree.threshold[node] ?? NaN) : set.has(value)
}
