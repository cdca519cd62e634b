import { MemoryGuardError } from '#libs/platform'
import type { Univariate } from '../tracing/univariate.js'

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

const normalise = ({ mode, threshold, members, missingGoesYes }: RawNode): Split => {
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
    case 'MEMBER':
      return { threshold, set: new Set(members ?? [threshold]), missingYes: missingGoesYes, swapped: false }
    case 'NEQ':
      return { threshold, set: new Set([threshold]), missingYes: false, swapped: true }
  }
}

/** Why trees cannot be read as a sum, although the file is sound: they are explained by running the graph. */
export class UnreadableTrees extends Error {
  constructor(readonly because: string) {
    super(because)
    this.name = 'UnreadableTrees'
  }
}

/** Most nodes of a tree whose shared branches have been copied. */
const maxNodes = 20_000

/**
 * Checks and normalises one tree. Nodes may share children, as category tests are often written: a chain of tests that
 * lead to the same child becomes one test of a set, and any other shared branch is copied.
 * @throws {MemoryGuardError} MODEL_INVALID if the nodes form a circle, if a threshold is not a number, or if a node
 * tests a column that is not there.
 * @throws {UnreadableTrees} if there are too many nodes once shared branches are copied.
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
  const isShared = checkNodes(nodes, root, columns, fail)
  const origin: number[] = []
  const splits: NodeSplit[] = []
  const yes: number[] = []
  const no: number[] = []
  const stack = [{ index: root, parent: -1, isYes: false }]
  for (let next = stack.pop(); next !== undefined; next = stack.pop()) {
    const { index, parent, isYes } = next
    const place = origin.length
    if (place >= maxNodes) throw new UnreadableTrees('its trees share too many branches to be separated')
    if (parent >= 0) (isYes ? yes : no)[parent] = place
    const split = splitOf(nodes, index)
    origin.push(index)
    splits.push(split)
    yes.push(-1)
    no.push(-1)
    if (split.yes < 0) continue
    stack.push({ index: split.no, parent: place, isYes: false }, { index: split.yes, parent: place, isYes: true })
  }
  return {
    size: origin.length,
    column: Int32Array.from(origin, (index, place) => (splits[place]!.yes < 0 ? -1 : nodes[index]!.column)),
    threshold: Float64Array.from(splits, (split) => split.threshold),
    sets: splits.map((split) => split.set),
    missingYes: Uint8Array.from(splits, (split) => (split.missingYes ? 1 : 0)),
    yes: Int32Array.from(yes),
    no: Int32Array.from(no),
    // The file does not say how many rows reach a shared node from each of its parents.
    hitRate: Float64Array.from(origin, (index) => (isShared ? 0 : nodes[index]!.hitRate)),
    origin: Int32Array.from(origin),
    columns,
  }
}

/** Checks every node that the root leads to. @returns whether some of them share a child. */
const checkNodes = (
  nodes: readonly RawNode[],
  root: number,
  columns: readonly Univariate[],
  fail: (reason: string) => never,
): boolean => {
  let isShared = false
  const seen = new Map<number, 'above' | 'done'>()
  const stack = [root]
  for (let index = stack.at(-1); index !== undefined; index = stack.at(-1)) {
    const node = nodes[index] ?? fail(`it has no node ${index}`)
    if (seen.has(index)) {
      if (seen.get(index) === 'done') isShared = true
      seen.set(index, 'done')
      stack.pop()
      continue
    }
    seen.set(index, 'above')
    if (node.mode === 'LEAF') continue
    if (Number.isNaN(node.threshold)) fail('a threshold is not a number')
    if (node.column < 0 || node.column >= columns.length) {
      fail(`a node tests column ${node.column} of ${columns.length}`)
    }
    for (const child of [node.no, node.yes]) {
      if (seen.get(child) === 'above') fail('its nodes form a circle')
      if (seen.get(child) === 'done') isShared = true
      else stack.push(child)
    }
    if (node.yes === node.no) isShared = true
  }
  return isShared
}

interface NodeSplit extends Split {
  /** Positions of the children in the file's order; -1 for a leaf. */
  readonly yes: number
  readonly no: number
}

const childrenOf = ({ mode, yes, no }: RawNode, { swapped }: Split): Pick<RawNode, 'yes' | 'no'> => {
  if (mode === 'LEAF') return { yes: -1, no: -1 }
  return swapped ? { yes: no, no: yes } : { yes, no }
}

/** The test of a node, with those below it that ask the same column for other members and lead to the same child. */
const splitOf = (nodes: readonly RawNode[], index: number): NodeSplit => {
  const first = nodes[index]!
  const split = normalise(first)
  const { yes, no: firstNo } = childrenOf(first, split)
  if (split.set === undefined) return { ...split, yes, no: firstNo }
  const set = new Set(split.set)
  let { missingYes } = split
  let no = firstNo
  for (let other = nodes[no]; other !== undefined; other = nodes[no]) {
    const next = normalise(other)
    const children = childrenOf(other, next)
    if (next.set === undefined || other.column !== first.column || children.yes !== yes) break
    for (const member of next.set) set.add(member)
    missingYes ||= next.missingYes
    no = children.no
  }
  return { ...split, set, missingYes, yes, no }
}

/** Whether `value` passes the test of `node`. */
export const passes = (tree: TreeStructure, node: number, value: number): boolean => {
  if (Number.isNaN(value)) return tree.missingYes[node] === 1
  const set = tree.sets[node]
  return set === undefined ? value <= tree.threshold[node]! : set.has(value)
}
