import { writeOnnx, type WrittenNode } from './onnx-writer.js'

/** A node of a made-up tree. */
export type MadeTree =
  | { readonly kind: 'leaf'; readonly weights: readonly number[] }
  | {
      readonly kind: 'split'
      readonly input: number
      readonly threshold: number
      readonly mode: string
      readonly missingGoesYes: boolean
      readonly yes: MadeTree
      readonly no: MadeTree
    }

export interface MadeShape {
  readonly inputs: number
  readonly depth: number
  readonly targets: number
  readonly modes?: readonly string[]
}

/** A tree whose thresholds are whole numbers 0 to 9, so that made-up rows meet them. */
export const makeTree = (random: () => number, shape: MadeShape, depth = shape.depth): MadeTree => {
  const { inputs, targets, modes = ['BRANCH_LEQ'] } = shape
  if (depth === 0 || (depth < shape.depth && random() < 0.15)) {
    return { kind: 'leaf', weights: Array.from({ length: targets }, () => Math.fround(random() * 4 - 2)) }
  }
  return {
    kind: 'split',
    input: Math.floor(random() * inputs),
    threshold: Math.floor(random() * 10),
    mode: modes[Math.floor(random() * modes.length)] ?? 'BRANCH_LEQ',
    missingGoesYes: random() < 0.5,
    yes: makeTree(random, shape, depth - 1),
    no: makeTree(random, shape, depth - 1),
  }
}

/** Rows of whole numbers 0 to 10 with some missing. */
export const makeRows = (random: () => number, count: number, inputs: number, missing = 0.15): Float64Array =>
  Float64Array.from({ length: count * inputs }, () => (random() < missing ? NaN : Math.floor(random() * 11)))

/** The trees as attributes of `TreeEnsembleRegressor` or `TreeEnsembleClassifier` (leaf lists named `kind`). */
export const ensembleAttributes = (
  trees: readonly MadeTree[],
  kind: 'target' | 'class',
): NonNullable<WrittenNode['attributes']> => {
  const nodes = { tree: [0], id: [0], feature: [0], value: [0], yes: [0], no: [0], missing: [0] }
  for (const list of Object.values(nodes)) list.length = 0
  const modes: string[] = []
  const leaves = { tree: [0], node: [0], id: [0], weight: [0] }
  for (const list of Object.values(leaves)) list.length = 0
  trees.forEach((tree, t) => {
    let next = 0
    const add = (made: MadeTree): number => {
      const id = next++
      const at = nodes.tree.push(t) - 1
      nodes.id.push(id)
      nodes.feature.push(made.kind === 'split' ? made.input : 0)
      nodes.value.push(made.kind === 'split' ? made.threshold : 0)
      nodes.missing.push(made.kind === 'split' && made.missingGoesYes ? 1 : 0)
      nodes.yes.push(0)
      nodes.no.push(0)
      modes.push(made.kind === 'split' ? made.mode : 'LEAF')
      if (made.kind === 'split') {
        nodes.yes[at] = add(made.yes)
        nodes.no[at] = add(made.no)
      } else {
        made.weights.forEach((weight, target) => {
          leaves.tree.push(t)
          leaves.node.push(id)
          leaves.id.push(target)
          leaves.weight.push(weight)
        })
      }
      return id
    }
    add(tree)
  })
  return {
    nodes_treeids: { ints: nodes.tree },
    nodes_nodeids: { ints: nodes.id },
    nodes_featureids: { ints: nodes.feature },
    nodes_values: { floats: nodes.value },
    nodes_truenodeids: { ints: nodes.yes },
    nodes_falsenodeids: { ints: nodes.no },
    nodes_missing_value_tracks_true: { ints: nodes.missing },
    nodes_modes: { texts: modes },
    [`${kind}_treeids`]: { ints: leaves.tree },
    [`${kind}_nodeids`]: { ints: leaves.node },
    [`${kind}_ids`]: { ints: leaves.id },
    [`${kind}_weights`]: { floats: leaves.weight },
  }
}

/** A graph `X` -> `Y` that adds trees up, and puts the sum through `link`. */
export const writeEnsemble = (trees: readonly MadeTree[], inputs: number, link?: 'Sigmoid'): Uint8Array =>
  writeOnnx({
    inputs,
    nodes: [
      {
        operator: 'TreeEnsembleRegressor',
        domain: 'ai.onnx.ml',
        inputs: ['X'],
        outputs: [link === undefined ? 'Y' : 'score'],
        attributes: { ...ensembleAttributes(trees, 'target'), n_targets: { int: 1 } },
      },
      ...(link === undefined ? [] : [{ operator: link, inputs: ['score'], outputs: ['Y'] }]),
    ],
    outputs: { Y: 'float32' },
  })
