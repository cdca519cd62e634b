import { MemoryGuardError } from '#libs/platform'
import type { OnnxNode } from '../../onnx/index.js'
import { floatsOf, intOf, intsOf, stringOf, stringsOf } from '../tracing/node-attributes.js'
import type { Univariate } from '../tracing/univariate.js'
import type { AdditiveSum } from './additive-sum.js'
import { buildTree, UnreadableTrees, type NodeMode, type RawNode, type TreeStructure } from './tree-structure.js'

/** What happens to the sums of an ensemble before they leave the operator. */
export type PostTransform = 'NONE' | 'LOGISTIC' | 'SOFTMAX' | 'SOFTMAX_ZERO' | 'PROBIT'

/** A tree-ensemble operator read into sums, one for each target or class. */
export interface TreeEnsemble {
  readonly sums: readonly AdditiveSum[]
  readonly postTransform: PostTransform
  /** Classes that have at least one leaf. */
  readonly scored: ReadonlySet<number>
  /** Classes that have a leaf value wherever a row ends. */
  readonly alwaysScored: ReadonlySet<number>
  readonly hasBaseValues: boolean
  readonly hasNegativeLeaf: boolean
}

/** What a node, by its position among all nodes of the operator, adds to a target. */
interface LeafValue {
  readonly node: number
  readonly target: number
  readonly weight: number
}

const fail = (node: OnnxNode, reason: string): never => {
  throw new MemoryGuardError('MODEL_INVALID', `${node.operator} "${node.name}" of the ONNX file ${reason}.`)
}

const unreadable = (because: string): never => {
  throw new UnreadableTrees(because)
}

// The order of the runtime (measured, onnxruntime 1.30), by which it runs `TreeEnsemble`; the standard has 1 and 2 the other way.
const postTransforms: readonly PostTransform[] = ['NONE', 'LOGISTIC', 'SOFTMAX', 'SOFTMAX_ZERO', 'PROBIT']
const modesByNumber: readonly NodeMode[] = ['LEQ', 'LT', 'GTE', 'GT', 'EQ', 'NEQ', 'MEMBER']
const aggregates = ['AVERAGE', 'SUM', 'MIN', 'MAX'] as const

const modeOf = (node: OnnxNode, name: string): NodeMode => {
  if (name === 'LEAF') return name
  const known = modesByNumber.find((mode) => name === `BRANCH_${mode}`)
  return known === undefined || known === 'MEMBER' ? fail(node, `has a node of the unknown mode "${name}"`) : known
}

/** Factor on every leaf. @throws {UnreadableTrees} for the aggregates that do not add up. */
const scaleOf = (node: OnnxNode, aggregate: string, trees: number): number => {
  if (aggregate === 'SUM') return 1
  if (aggregate === 'AVERAGE') return 1 / trees
  return aggregates.some((known) => known === aggregate)
    ? unreadable(`its trees are aggregated by ${aggregate}, which does not add up`)
    : fail(node, `aggregates trees by the unknown ${aggregate}`)
}

const assertSameLength = (node: OnnxNode, kind: 'node' | 'leaf', lists: readonly (readonly unknown[])[]): void => {
  if (lists.some(({ length }) => length !== lists[0]?.length)) fail(node, `has ${kind} lists of different lengths`)
}

/** Leaf values of one target: for each tree a number for each of its nodes, and the places that have one. */
type ValuesByTree = Map<TreeStructure, { readonly values: Float64Array; readonly places: Set<number> }>

/** Sums for each target from trees, leaf values and base values. */
const collect = (
  node: OnnxNode,
  trees: readonly TreeStructure[],
  leaves: readonly LeafValue[],
  targets: number,
  base: readonly number[],
  scale: number,
): Omit<TreeEnsemble, 'postTransform'> => {
  const leavesOf = new Map<number, LeafValue[]>()
  for (const leaf of leaves) {
    if (!(leaf.target >= 0 && leaf.target < targets)) fail(node, `gives a leaf to target ${leaf.target} of ${targets}`)
    const known = leavesOf.get(leaf.node)
    if (known) known.push(leaf)
    else leavesOf.set(leaf.node, [leaf])
  }
  const byTarget = Array.from({ length: targets }, (): ValuesByTree => new Map())
  for (const tree of trees) {
    // A leaf that several branches share has several places; one that no path reaches has none.
    tree.origin.forEach((origin, place) => {
      for (const { target, weight } of leavesOf.get(origin) ?? []) {
        if (tree.column[place] !== -1) fail(node, 'gives a value to a node that is no leaf')
        const ofTarget = byTarget[target]!
        const found = ofTarget.get(tree) ?? { values: new Float64Array(tree.size), places: new Set() }
        ofTarget.set(tree, found)
        found.values[place]! += weight * scale
        found.places.add(place)
      }
    })
  }
  const targetsWhere = (holds: (byTree: ValuesByTree) => boolean): ReadonlySet<number> =>
    new Set([...byTarget.keys()].filter((target) => holds(byTarget[target]!)))
  return {
    sums: byTarget.map((byTree, target) => ({
      kind: 'sum',
      bias: (base.length === targets || (base.length === 1 && target === 0) ? base[target] : undefined) ?? 0,
      terms: [],
      trees: [...byTree].map(([structure, { values }]) => ({ structure, values })),
    })),
    scored: targetsWhere((byTree) => byTree.size > 0),
    alwaysScored: targetsWhere((byTree) =>
      [...byTree].some(([{ size }, { places }]) => places.size === (size + 1) / 2),
    ),
    hasBaseValues: base.length > 0,
    hasNegativeLeaf: leaves.some(({ weight }) => weight < 0),
  }
}

/** The attributes of nodes that both generations of the operator have. */
const nodeLists = (node: OnnxNode) => ({
  features: intsOf(node, 'nodes_featureids'),
  yes: intsOf(node, 'nodes_truenodeids'),
  no: intsOf(node, 'nodes_falsenodeids'),
  hitRates: floatsOf(node, 'nodes_hitrates'),
  missing: intsOf(node, 'nodes_missing_value_tracks_true'),
})

/** Positions of the nodes by their trees and their numbers in the file. */
type PositionsByTree = ReadonlyMap<number, ReadonlyMap<number, number>>

const positionsOf = (node: OnnxNode, treeIds: readonly number[]): PositionsByTree => {
  const nodeIds = intsOf(node, 'nodes_nodeids')
  assertSameLength(node, 'node', [treeIds, nodeIds])
  const trees = new Map<number, Map<number, number>>()
  for (const [at, tree] of treeIds.entries()) {
    const members = trees.get(tree) ?? new Map<number, number>()
    if (members.has(nodeIds[at]!)) fail(node, `has two nodes of the same number in tree ${tree}`)
    trees.set(tree, members.set(nodeIds[at]!, at))
  }
  return trees
}

const rawNodesOf = (node: OnnxNode, treeIds: readonly number[], trees: PositionsByTree): readonly RawNode[] => {
  const modes = stringsOf(node, 'nodes_modes')
  const thresholds = floatsOf(node, 'nodes_values')
  const { features, yes, no, hitRates, missing } = nodeLists(node)
  assertSameLength(node, 'node', [treeIds, features, modes, yes, no, thresholds])
  return treeIds.map((tree, at) => {
    const mode = modeOf(node, modes[at]!)
    const positionOf = (id: number): number =>
      trees.get(tree)?.get(id) ?? (mode === 'LEAF' ? -1 : fail(node, `lacks a node that tree ${tree} needs`))
    return {
      mode,
      column: features[at]!,
      threshold: thresholds[at]!,
      missingGoesYes: missing[at] === 1,
      yes: positionOf(yes[at]!),
      no: positionOf(no[at]!),
      hitRate: hitRates[at] ?? 0,
    }
  })
}

/**
 * Reads `TreeEnsembleClassifier` and `TreeEnsembleRegressor` of ai.onnx.ml 1 to 4
 * (https://github.com/onnx/onnx/blob/main/docs/Operators-ml.md), double precision attributes included.
 */
export const readTreeEnsemble = (node: OnnxNode, columns: readonly Univariate[]): TreeEnsemble => {
  const isClassifier = node.operator === 'TreeEnsembleClassifier'
  const treeIds = intsOf(node, 'nodes_treeids')
  const trees = positionsOf(node, treeIds)
  const nodes = rawNodesOf(node, treeIds, trees)
  const children = new Set(nodes.flatMap(({ mode, yes, no }) => (mode === 'LEAF' ? [] : [yes, no])))
  const structures = [...trees].map(([tree, members]) => {
    // The runtime starts at the first node of a tree, whatever leads to it.
    const [first] = members.values()
    const root = [...members.values()].find((at) => !children.has(at))
    if (root === undefined) return fail(node, `has a tree ${tree} whose nodes form a circle`)
    if (root !== first) unreadable(`its tree ${tree} does not state its root first`)
    return buildTree(nodes, root, columns, `Tree ${tree}`)
  })
  const kind = isClassifier ? 'class' : 'target'
  const leafTrees = intsOf(node, `${kind}_treeids`)
  const leafNodes = intsOf(node, `${kind}_nodeids`)
  const leafTargets = intsOf(node, `${kind}_ids`)
  const weights = floatsOf(node, `${kind}_weights`)
  assertSameLength(node, 'leaf', [leafTrees, leafNodes, leafTargets, weights])
  const leaves = leafTrees.map((tree, i): LeafValue => {
    const at = trees.get(tree)?.get(leafNodes[i]!) ?? fail(node, 'gives a value to a leaf that is not there')
    return { node: at, target: leafTargets[i]!, weight: weights[i]! }
  })
  const targets = isClassifier
    ? Math.max(intsOf(node, 'classlabels_int64s').length, stringsOf(node, 'classlabels_strings').length)
    : intOf(node, 'n_targets', 1)
  const scale = isClassifier ? 1 : scaleOf(node, stringOf(node, 'aggregate_function', 'SUM'), structures.length)
  const transform = stringOf(node, 'post_transform', 'NONE')
  return {
    ...collect(node, structures, leaves, targets, floatsOf(node, 'base_values'), scale),
    postTransform:
      postTransforms.find((known) => known === transform) ??
      fail(node, `has the unknown post_transform "${transform}"`),
  }
}

/** The nodes that are no leaves. In one list of all nodes, the `leaves` leaves come after them. */
const innerNodesOf = (node: OnnxNode, leaves: number): readonly RawNode[] => {
  const modes = floatsOf(node, 'nodes_modes')
  const splits = floatsOf(node, 'nodes_splits')
  const yesIsLeaf = intsOf(node, 'nodes_trueleafs')
  const noIsLeaf = intsOf(node, 'nodes_falseleafs')
  const { features, yes, no, hitRates, missing } = nodeLists(node)
  assertSameLength(node, 'node', [features, modes, splits, yes, no, yesIsLeaf, noIsLeaf])
  const count = features.length
  const positionOf = (at: number, isLeaf: number): number => {
    if (at < 0 || at >= (isLeaf === 1 ? leaves : count)) fail(node, 'points to a node that is not there')
    return isLeaf === 1 ? count + at : at
  }
  // Sets are listed one after another for the membership nodes, with NaN between them.
  const sets: number[][] = [[]]
  for (const value of floatsOf(node, 'membership_values')) {
    if (Number.isNaN(value)) sets.push([])
    else sets.at(-1)?.push(value)
  }
  return features.map((column, at) => {
    const mode = modesByNumber[modes[at]!] ?? fail(node, 'has a node of an unknown mode')
    const members = mode === 'MEMBER' ? (sets.shift() ?? fail(node, 'lacks a set of members')) : undefined
    return {
      mode,
      ...(members && { members }),
      column,
      threshold: members ? 0 : splits[at]!,
      missingGoesYes: missing[at] === 1,
      yes: positionOf(yes[at]!, yesIsLeaf[at]!),
      no: positionOf(no[at]!, noIsLeaf[at]!),
      hitRate: hitRates[at] ?? 0,
    }
  })
}

/** Reads `TreeEnsemble` of ai.onnx.ml 5, tests of set membership included. */
export const readTreeEnsembleV5 = (node: OnnxNode, columns: readonly Univariate[]): TreeEnsemble => {
  const leafTargets = intsOf(node, 'leaf_targetids')
  const leafWeights = floatsOf(node, 'leaf_weights')
  assertSameLength(node, 'leaf', [leafTargets, leafWeights])
  const inner = innerNodesOf(node, leafWeights.length)
  const leaf: RawNode = { mode: 'LEAF', column: -1, threshold: 0, missingGoesYes: false, yes: -1, no: -1, hitRate: 0 }
  const nodes = [...inner, ...leafWeights.map(() => leaf)]
  const structures = intsOf(node, 'tree_roots').map((root, tree) => {
    const first = nodes[root]
    // A tree of one leaf is stated as a node whose two branches are that leaf.
    const start = first !== undefined && first.yes === first.no && first.yes >= inner.length ? first.yes : root
    return buildTree(nodes, start, columns, `Tree ${tree}`)
  })
  const leaves = leafWeights.map((weight, i): LeafValue => ({
    node: inner.length + i,
    target: leafTargets[i]!,
    weight,
  }))
  const scale = scaleOf(node, aggregates[intOf(node, 'aggregate_function', 1)] ?? 'unknown', structures.length)
  return {
    ...collect(node, structures, leaves, intOf(node, 'n_targets', 1), [], scale),
    postTransform: postTransforms[intOf(node, 'post_transform', 0)] ?? fail(node, 'has an unknown post_transform'),
  }
}
