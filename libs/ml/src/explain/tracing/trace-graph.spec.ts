import { describe, expect, it } from 'vitest'
import type { WrittenModel } from '../../../../../test/support/onnx-writer.js'
import { ensembleAttributes, makeTree, type MadeShape } from '../../../../../test/support/random-ensembles.js'
import { expectSameOutputs, rowsFor } from '../../../../../test/support/traced-outputs.js'
import { seededRandom } from '../sampling/seeded-random.js'

const trees = (seed: number, shape: MadeShape, count = 4) => {
  const random = seededRandom(seed)
  return Array.from({ length: count }, () => makeTree(random, shape))
}

const classifier = (attributes: WrittenModel['nodes'][number]['attributes']): WrittenModel => ({
  inputs: 4,
  nodes: [
    {
      operator: 'TreeEnsembleClassifier',
      domain: 'ai.onnx.ml',
      inputs: ['X'],
      outputs: ['label', 'scores'],
      attributes: { classlabels_int64s: { ints: [0, 1] }, ...attributes },
    },
  ],
  outputs: { label: 'int64', scores: 'float32' },
})

describe('tree ensembles compute as the runtime does', () => {
  it.each(['LEQ', 'LT', 'GTE', 'GT', 'EQ', 'NEQ'])('for splits of mode %s, missing values included', async (mode) => {
    const shape = { inputs: 4, depth: 5, targets: 1, modes: [`BRANCH_${mode}`] }
    const model: WrittenModel = {
      inputs: 4,
      nodes: [
        {
          operator: 'TreeEnsembleRegressor',
          domain: 'ai.onnx.ml',
          inputs: ['X'],
          outputs: ['Y'],
          attributes: {
            ...ensembleAttributes(trees(3, shape), 'target'),
            n_targets: { int: 1 },
            base_values: { floats: [0.5] },
            aggregate_function: { text: 'AVERAGE' },
            post_transform: { text: 'LOGISTIC' },
          },
        },
      ],
      outputs: { Y: 'float32' },
    }
    expect(await expectSameOutputs(model, 'Y', rowsFor(4))).toEqual(['identity'])
  })

  it('for mixed modes in one tree', async () => {
    const modes = ['BRANCH_LEQ', 'BRANCH_LT', 'BRANCH_GTE', 'BRANCH_GT']
    const attributes = ensembleAttributes(trees(5, { inputs: 4, depth: 5, targets: 3, modes }), 'class')
    const model = classifier({
      ...attributes,
      classlabels_int64s: { ints: [0, 1, 2] },
      base_values: { floats: [0.1, 0, -0.2] },
    })
    expect(await expectSameOutputs(model, 'scores', rowsFor(4))).toEqual(['identity', 'identity', 'identity'])
  })

  it.each([
    ['NONE', 'identity'],
    ['LOGISTIC', 'logistic'],
    ['SOFTMAX', 'identity'],
  ])('for two classes with one score and %s', async (postTransform, link) => {
    const attributes = ensembleAttributes(trees(7, { inputs: 4, depth: 4, targets: 1 }), 'class')
    const model = classifier({ ...attributes, post_transform: { text: postTransform }, base_values: { floats: [0.3] } })
    expect(await expectSameOutputs(model, 'scores', rowsFor(4))).toEqual([link, link])
  })

  it.each([
    ['NONE', 'identity'],
    ['LOGISTIC', 'logistic'],
    ['SOFTMAX', 'logistic'],
  ])('for two classes with two scores and %s', async (postTransform, link) => {
    const attributes = ensembleAttributes(trees(8, { inputs: 4, depth: 4, targets: 2 }), 'class')
    const model = classifier({ ...attributes, post_transform: { text: postTransform } })
    expect(await expectSameOutputs(model, 'scores', rowsFor(4))).toEqual([link, link])
  })

  it('and refuses to guess where the runtime decides row by row', async () => {
    const attributes = ensembleAttributes(trees(8, { inputs: 4, depth: 4, targets: 2 }), 'class')
    const model = classifier({ ...attributes, base_values: { floats: [0.1, 0.2] } })
    const [because] = await expectSameOutputs(model, 'scores', rowsFor(4))
    expect(because).toContain('row by row')
  })

  it('for double precision thresholds and leaves', async () => {
    const attributes = ensembleAttributes(trees(9, { inputs: 4, depth: 4, targets: 1 }), 'target')
    const shifted = { ...attributes }
    const values = attributes.nodes_values
    const weights = attributes.target_weights
    delete shifted.nodes_values
    delete shifted.target_weights
    const model: WrittenModel = {
      inputs: 4,
      dtype: 'float64',
      nodes: [
        {
          operator: 'TreeEnsembleRegressor',
          domain: 'ai.onnx.ml',
          inputs: ['X'],
          outputs: ['Y'],
          attributes: {
            ...shifted,
            nodes_values_as_tensor: {
              doubles: values !== undefined && 'floats' in values ? values.floats.map((x) => x + 1e-12) : [],
            },
            target_weights_as_tensor: { doubles: weights !== undefined && 'floats' in weights ? weights.floats : [] },
            n_targets: { int: 1 },
          },
        },
      ],
      outputs: { Y: 'float32' },
    }
    expect(await expectSameOutputs(model, 'Y', rowsFor(4))).toEqual(['identity'])
  })

  it.each([
    [0, 'identity'],
    [1, 'logistic'],
    [2, 'logistic'],
  ])('for TreeEnsemble of ai.onnx.ml 5 with set membership and post_transform %s', async (postTransform, link) => {
    const model: WrittenModel = {
      inputs: 2,
      mlOpset: 5,
      nodes: [
        {
          operator: 'TreeEnsemble',
          domain: 'ai.onnx.ml',
          inputs: ['X'],
          outputs: ['Y'],
          attributes: {
            aggregate_function: { int: 1 },
            post_transform: { int: postTransform },
            n_targets: { int: 2 },
            tree_roots: { ints: [0, 3] },
            nodes_featureids: { ints: [0, 1, 0, 1] },
            nodes_modes: { bytes: [0, 6, 4, 6] },
            nodes_splits: { singles: [4, 0, 2, 0] },
            nodes_truenodeids: { ints: [1, 0, 2, 0] },
            nodes_falsenodeids: { ints: [2, 1, 3, 4] },
            nodes_trueleafs: { ints: [0, 1, 1, 1] },
            nodes_falseleafs: { ints: [0, 1, 1, 1] },
            nodes_missing_value_tracks_true: { ints: [1, 0, 0, 1] },
            membership_values: { singles: [1, 5, 7, NaN, 2, 3] },
            leaf_targetids: { ints: [0, 1, 0, 1, 1] },
            leaf_weights: { singles: [1.5, -2, 0.25, 3, 5] },
          },
        },
      ],
      outputs: { Y: 'float32' },
    }
    expect(await expectSameOutputs(model, 'Y', rowsFor(2))).toEqual([link, link])
  })
})
