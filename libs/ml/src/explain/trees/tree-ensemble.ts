import { MemoryGuardError } from '#libs/platform'
import type { OnnxNode } from '../../onnx/index.js'
import { type AdditiveSum } from './additive-sum.js'
import { floatsOf, intOf, intsOf, stringOf, stringsOf } from '../tracing/node-attributes.js'
import { buildTree, UnreadableTrees, type NodeMode, type RawNode, type TreeStructure } from './tree-structure.js'
import type { Univariate } from '../tracing/univariate.js'

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

interface LeafValue {
  readonly tree: number
  readonly node: number
  readonly target: number
  readonly weight: number
}

const fail = (node: OnnxNode, reason: string): never => {
  throw new MemoryGuardError('MODEL_INVALID', `${node.operator} "${node.name}" of the ONNX file ${reason}.`)
}

// The order of the runtime (measured, onnxruntime 1.30), by which it runs `TreeEnsemble`; the standard has 1 and 2 the other way.
const postTransforms: readonly PostTransform[] = ['NONE', 'LOGISTIC', 'SOFTMAX', 'SOFTMAX_ZERO', 'PROBIT']
const modesByNumber: readonly NodeMode[] = ['LEQ', 'LT', 'GTE', 'GT', 'EQ', 'NEQ', 'MEMBER']

const modeOf = (node: OnnxNode, name: string): NodeMode => {
  if (name === 'LEAF') return name
  const known = modesByNumber.find((mode) => name === `BRANCH_${mode}`)
  return known === undefined || known === 'MEMBER' ? fail(node, `has a node of the unknown mode "${name}"`) : known
}

const postTransformOf = (node: OnnxNode, name: string): PostTransform =>
  postTransforms.find((known) => known === name) ?? fail(node, `has the unknown post_transform "${name}"`)

/** Sums per target from trees, leaf values and base values. */
const collect = (
  node: OnnxNode,
  structures: readonly TreeStructure[],
  leaves: readonly LeafValue[],
  targets: number,
  base: readonly number[],
  scale: number,
  postTransform: PostTransform,
): TreeEnsemble => {
  const placeOf = structures.map((structure) => {
    // A leaf that several branches share stands in several places.
    const places = new Map<number, number[]>()
    structure.origin.forEach((origin, place) => {
      const known = places.get(origin)
      if (known) known.push(place)
      else places.set(origin, [place])
    })
    return places
  })
  const values = Array.from({ length: targets }, () => new Map<number, Float64Array>())
  const scoredLeaves = Array.from({ length: targets }, () => new Map<number, Set<number>>())
  for (const leaf of leaves) {
    const structure = structures[leaf.tree]
    const places = placeOf[leaf.tree]?.get(leaf.node)
    const ofTarget = values[leaf.target]
    if (ofTarget === undefined) return fail(node, `gives a leaf to target ${leaf.target} of ${targets}`)
    // A leaf that no path reaches has no say.
    if (structure === undefined || places === undefined) continue
    const perNode = ofTarget.get(leaf.tree) ?? new Float64Array(structure.size)
    ofTarget.set(leaf.tree, perNode)
    const scored = scoredLeaves[leaf.target]?.get(leaf.tree) ?? new Set()
    scoredLeaves[leaf.target]?.set(leaf.tree, scored)
    for (const place of places) {
      if (structure.column[place] !== -1) fail(node, 'gives a value to a node that is no leaf')
      perNode[place] = (perNode[place] ?? 0) + leaf.weight * scale
      scored.add(place)
    }
  }
  const always = scoredLeaves.flatMap((byTree, target) =>
    [...byTree].some(([tree, places]) => places.size === ((structures[tree]?.size ?? 0) + 1) / 2) ? [target] : [],
  )
  return {
    sums: values.map((byTree, target) => ({
      kind: 'sum',
      bias: base.length === targets ? (base[target] ?? 0) : base.length === 1 && target === 0 ? (base[0] ?? 0) : 0,
      terms: [],
      trees: [...byTree].flatMap(([tree, perNode]) => {
        const structure = structures[tree]
        return structure === undefined ? [] : [{ structure, values: perNode }]
      }),
    })),
    postTransform,
    scored: new Set(scoredLeaves.flatMap((byTree, target) => (byTree.size > 0 ? [target] : []))),
    alwaysScored: new Set(always),
    hasBaseValues: base.length > 0,
    hasNegativeLeaf: leaves.some((leaf) => leaf.weight < 0),
  }
}

const unreadable = (because: string): never => {
  throw new UnreadableTrees(because)
}

/** Factor on every leaf. @throws {UnreadableTrees} for the aggregates that do not add up. */
const scaleOf = (node: OnnxNode, aggregate: string, trees: number): number => {
  if (aggregate === 'SUM') return 1
  if (aggregate === 'AVERAGE') return 1 / trees
  return aggregates.some((known) => known === aggregate)
    ? unreadable(`its trees are aggregated by ${aggregate}, which does not add up`)
    : fail(node, `aggregates trees by the unknown ${aggregate}`)
}

/**
 * Reads `TreeEnsembleClassifier` and `TreeEnsembleRegressor` of ai.onnx.ml 1 to 4
 * (https://github.com/onnx/onnx/blob/main/docs/Operators-ml.md), double precision attributes included.
 */
export const readTreeEnsemble = (node: OnnxNode, columns: readonly Univariate[]): TreeEnsemble => {
  const isClassifier = node.operator === 'TreeEnsembleClassifier'
  const kind = isClassifier ? 'class' : 'target'
  const treeIds = intsOf(node, 'nodes_treeids')
  const nodeIds = intsOf(node, 'nodes_nodeids')
  const features = intsOf(node, 'nodes_featureids')
  const modes = stringsOf(node, 'nodes_modes')
  const yes = intsOf(node, 'nodes_truenodeids')
  const no = intsOf(node, 'nodes_falsenodeids')
  const thresholds = floatsOf(node, 'nodes_values')
  const hitRates = floatsOf(node, 'nodes_hitrates')
  const missing = intsOf(node, 'nodes_missing_value_tracks_true')
  const count = treeIds.length
  if ([nodeIds, features, modes, yes, no, thresholds].some((list) => list.length !== count)) {
    fail(node, 'has node lists of different lengths')
  }
  const trees = new Map<number, number[]>()
  treeIds.forEach((tree, i) => {
    const members = trees.get(tree) ?? []
    members.push(i)
    trees.set(tree, members)
  })
  const treeNumber = new Map([...trees.keys()].map((tree, i) => [tree, i]))
  const places = new Map<number, ReadonlyMap<number, number>>()
  const structures = [...trees].map(([tree, members]) => {
    const place = new Map(members.map((member, at) => [nodeIds[member] ?? -1, at]))
    if (place.size !== members.length) fail(node, `has two nodes of the same number in tree ${tree}`)
    places.set(tree, place)
    const isChild = new Uint8Array(members.length)
    const nodes = members.map((i): RawNode => {
      const mode = modeOf(node, modes[i] ?? '')
      const [yesAt, noAt] = [place.get(yes[i] ?? -1) ?? -1, place.get(no[i] ?? -1) ?? -1]
      if (mode !== 'LEAF') {
        if (yesAt < 0 || noAt < 0) fail(node, `lacks a node that tree ${tree} needs`)
        isChild[yesAt] = isChild[noAt] = 1
      }
      return {
        mode,
        column: features[i] ?? -1,
        threshold: thresholds[i] ?? NaN,
        missingGoesYes: missing[i] === 1,
        yes: yesAt,
        no: noAt,
        hitRate: hitRates[i] ?? 0,
      }
    })
    // The runtime starts at the first node of a tree, whatever leads to it.
    const root = isChild.indexOf(0)
    if (root < 0) fail(node, `has a tree ${tree} whose nodes form a circle`)
    if (root > 0) unreadable(`its tree ${tree} does not state its root first`)
    return buildTree(nodes, root, columns, `Tree ${tree}`)
  })
  const targets = isClassifier
    ? Math.max(intsOf(node, 'classlabels_int64s').length, stringsOf(node, 'classlabels_strings').length)
    : intOf(node, 'n_targets', 1)
  const leafTrees = intsOf(node, `${kind}_treeids`)
  const leafNodes = intsOf(node, `${kind}_nodeids`)
  const leafTargets = intsOf(node, `${kind}_ids`)
  const weights = floatsOf(node, `${kind}_weights`)
  if ([leafNodes, leafTargets, weights].some((list) => list.length !== leafTrees.length)) {
    fail(node, 'has leaf lists of different lengths')
  }
  const leaves = leafTrees.map((tree, i): LeafValue => {
    const at = places.get(tree)?.get(leafNodes[i] ?? -1)
    if (at === undefined) return fail(node, 'gives a value to a leaf that is not there')
    return { tree: treeNumber.get(tree) ?? -1, node: at, target: leafTargets[i] ?? -1, weight: weights[i] ?? NaN }
  })
  const scale = isClassifier ? 1 : scaleOf(node, stringOf(node, 'aggregate_function', 'SUM'), structures.length)
  const postTransform = postTransformOf(node, stringOf(node, 'post_transform', 'NONE'))
  return collect(node, structures, leaves, targets, floatsOf(node, 'base_values'), scale, postTransform)
}

const aggregates = ['AVERAGE', 'SUM', 'MIN', 'MAX'] as const

/** Reads `TreeEnsemble` of ai.onnx.ml 5, tests of set membership included. */
export const readTreeEnsembleV5 = (node: OnnxNode, columns: readonly Univariate[]): TreeEnsemble => {
  const roots = intsOf(node, 'tree_roots')
  const features = intsOf(node, 'nodes_featureids')
  const modes = floatsOf(node, 'nodes_modes')
  const splits = floatsOf(node, 'nodes_splits')
  const yes = intsOf(node, 'nodes_truenodeids')
  const no = intsOf(node, 'nodes_falsenodeids')
  const yesIsLeaf = intsOf(node, 'nodes_trueleafs')
  const noIsLeaf = intsOf(node, 'nodes_falseleafs')
  const hitRates = floatsOf(node, 'nodes_hitrates')
  const missing = intsOf(node, 'nodes_missing_value_tracks_true')
  const leafTargets = intsOf(node, 'leaf_targetids')
  const leafWeights = floatsOf(node, 'leaf_weights')
  const count = features.length
  if ([modes, splits, yes, no, yesIsLeaf, noIsLeaf].some((list) => list.length !== count)) {
    fail(node, 'has node lists of different lengths')
  }
  if (leafTargets.length !== leafWeights.length) fail(node, 'has leaf lists of different lengths')

  // Sets are listed one after another for the membership nodes, with NaN between them.
  const sets: number[][] = [[]]
  for (const value of floatsOf(node, 'membership_values')) {
    if (Number.isNaN(value)) sets.push([])
    else sets.at(-1)?.push(value)
  }
  let nextSet = 0
  const inner = Array.from({ length: count }, (_, i): RawNode => {
    const mode = modesByNumber[modes[i] ?? -1] ?? fail(node, 'has a node of an unknown mode')
    const members = mode === 'MEMBER' ? { members: sets[nextSet++] ?? fail(node, 'lacks a set of members') } : {}
    const child = (at: number, isLeaf: number): number => {
      if (at < 0 || at >= (isLeaf === 1 ? leafWeights.length : count)) fail(node, 'points to a node that is not there')
      return isLeaf === 1 ? count + at : at
    }
    return {
      mode,
      ...members,
      column: features[i] ?? -1,
      threshold: mode === 'MEMBER' ? 0 : (splits[i] ?? NaN),
      missingGoesYes: missing[i] === 1,
      yes: child(yes[i] ?? -1, yesIsLeaf[i] ?? 0),
      no: child(no[i] ?? -1, noIsLeaf[i] ?? 0),
      hitRate: hitRates[i] ?? 0,
    }
  })
  const leaf: RawNode = { mode: 'LEAF', column: -1, threshold: 0, missingGoesYes: false, yes: -1, no: -1, hitRate: 0 }
  const nodes = [...inner, ...leafWeights.map(() => leaf)]
  const structures = roots.map((root, tree) => {
    const first = nodes[root]
    // A tree of one leaf is stated as a node whose two branches are that leaf.
    const start = first !== undefined && first.yes === first.no && first.yes >= count ? first.yes : root
    return buildTree(nodes, start, columns, `Tree ${tree}`)
  })
  const leaves = structures.flatMap((structure, tree) =>
    [...new Set(structure.origin)].flatMap((origin): LeafValue[] =>
      origin < count
        ? []
        : [
            {
              tree,
              node: origin,
              target: leafTargets[origin - count] ?? -1,
              weight: leafWeights[origin - count] ?? NaN,
            },
          ],
    ),
  )
  const aggregate = aggregates[intOf(node, 'aggregate_function', 1)] ?? 'unknown'
  const postTransform = postTransforms[intOf(node, 'post_transform', 0)] ?? fail(node, 'has an unknown post_transform')
  const scale = scaleOf(node, aggregate, structures.length)
  return collect(node, structures, leaves, intOf(node, 'n_targets', 1), [], scale, postTransform)
}
