import { describe, expect, it } from 'vitest'
import { writeOnnx, type WrittenModel } from '../../../../../test/support/onnx-writer.js'
import { ensembleAttributes, makeRows, makeTree, type MadeShape } from '../../../../../test/support/random-ensembles.js'
import { readOnnxModel } from '../../onnx/index.js'
import { evaluateSum } from '../trees/additive-sum.js'
import { seededRandom } from '../sampling/seeded-random.js'
import { traceGraph } from './trace-graph.js'
import { OnnxSession, OnnxTensor } from '../../runtime/onnxruntime.js'

const people = 300

/** Answers of the runtime for made-up people, [rows][columns] of `tensor`. */
const run = async (
  bytes: Uint8Array,
  rows: Float64Array,
  inputs: number,
  tensor: string,
  dtype: 'float32' | 'float64',
) => {
  const session = await OnnxSession.create(bytes, { intraOpNumThreads: 1 })
  const feed =
    dtype === 'float32'
      ? new OnnxTensor('float32', Float32Array.from(rows), [people, inputs])
      : new OnnxTensor('float64', rows, [people, inputs])
  const answer = (await session.run({ X: feed }, [tensor]))[tensor]
  await session.release()
  return { data: Array.from(answer?.data ?? [], Number), width: answer?.dims[1] ?? 1 }
}

const logistic = (x: number): number => 1 / (1 + Math.exp(-x))

/** Checks that each column of `tensor`, read as additive, answers as the runtime does. */
const expectSameAnswers = async (model: WrittenModel, tensor: string, rows: Float64Array): Promise<string[]> => {
  const bytes = writeOnnx(model)
  const answers = await run(bytes, rows, model.inputs, tensor, model.dtype ?? 'float32')
  const links: string[] = []
  for (let column = 0; column < answers.width; column++) {
    const traced = traceGraph(readOnnxModel(bytes), { tensor, column }, model.inputs)
    if (traced.kind === 'opaque') {
      links.push(traced.because)
      continue
    }
    links.push(traced.link)
    for (let person = 0; person < people; person++) {
      const value = evaluateSum(traced.sum, rows, person * model.inputs)
      const expected = answers.data[person * answers.width + column] ?? NaN
      if (traced.link === 'softmax') continue
      const found = traced.link === 'logistic' ? logistic(value) : value
      expect(Math.abs(found - expected), `column ${column}, person ${person}`).toBeLessThan(
        2e-6 * (1 + Math.abs(expected)),
      )
    }
  }
  return links
}

const trees = (seed: number, shape: MadeShape, count = 4) => {
  const random = seededRandom(seed)
  return Array.from({ length: count }, () => makeTree(random, shape))
}

const rowsFor = (inputs: number, missing = 0.15): Float64Array => makeRows(seededRandom(99), people, inputs, missing)

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

describe('tree ensembles answer as the runtime does', () => {
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
    expect(await expectSameAnswers(model, 'Y', rowsFor(4))).toEqual(['identity'])
  })

  it('for mixed modes in one tree', async () => {
    const modes = ['BRANCH_LEQ', 'BRANCH_LT', 'BRANCH_GTE', 'BRANCH_GT']
    const attributes = ensembleAttributes(trees(5, { inputs: 4, depth: 5, targets: 3, modes }), 'class')
    const model = classifier({
      ...attributes,
      classlabels_int64s: { ints: [0, 1, 2] },
      base_values: { floats: [0.1, 0, -0.2] },
    })
    expect(await expectSameAnswers(model, 'scores', rowsFor(4))).toEqual(['identity', 'identity', 'identity'])
  })

  it.each([
    ['NONE', 'identity'],
    ['LOGISTIC', 'logistic'],
    ['SOFTMAX', 'identity'],
  ])('for two classes with one score and %s', async (postTransform, link) => {
    const attributes = ensembleAttributes(trees(7, { inputs: 4, depth: 4, targets: 1 }), 'class')
    const model = classifier({ ...attributes, post_transform: { text: postTransform }, base_values: { floats: [0.3] } })
    expect(await expectSameAnswers(model, 'scores', rowsFor(4))).toEqual([link, link])
  })

  it.each([
    ['NONE', 'identity'],
    ['LOGISTIC', 'logistic'],
    ['SOFTMAX', 'logistic'],
  ])('for two classes with two scores and %s', async (postTransform, link) => {
    const attributes = ensembleAttributes(trees(8, { inputs: 4, depth: 4, targets: 2 }), 'class')
    const model = classifier({ ...attributes, post_transform: { text: postTransform } })
    expect(await expectSameAnswers(model, 'scores', rowsFor(4))).toEqual([link, link])
  })

  it('and refuses to guess where the runtime decides row by row', async () => {
    const attributes = ensembleAttributes(trees(8, { inputs: 4, depth: 4, targets: 2 }), 'class')
    const model = classifier({ ...attributes, base_values: { floats: [0.1, 0.2] } })
    const [because] = await expectSameAnswers(model, 'scores', rowsFor(4))
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
    expect(await expectSameAnswers(model, 'Y', rowsFor(4))).toEqual(['identity'])
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
    expect(await expectSameAnswers(model, 'Y', rowsFor(2))).toEqual([link, link])
  })
})

/** A graph of operators in a row, each fed by the one before and by constants. */
const chain = (
  inputs: number,
  steps: readonly {
    readonly operator: string
    readonly domain?: string
    readonly more?: readonly string[]
    readonly attributes?: WrittenModel['nodes'][number]['attributes']
    readonly output?: number
  }[],
  constants: NonNullable<WrittenModel['constants']>,
  outputType: 'float32' | 'float64' = 'float32',
): WrittenModel => ({
  inputs,
  constants,
  nodes: steps.map(({ operator, domain = '', more = [], attributes = {}, output = 0 }, i) => ({
    operator,
    domain,
    inputs: [i === 0 ? 'X' : `t${i - 1}`, ...more],
    outputs: [...Array.from({ length: output }, (_, k) => `t${i}_${k}`), i === steps.length - 1 ? 'Y' : `t${i}`],
    attributes,
  })),
  outputs: { Y: outputType },
})

const ml = 'ai.onnx.ml'

describe('linear graphs answer as the runtime does', () => {
  const impute = {
    operator: 'Imputer',
    domain: ml,
    attributes: { imputed_value_floats: { floats: [5, 4, 6] }, replaced_value_float: { float: NaN } },
  }
  const scale = {
    operator: 'Scaler',
    domain: ml,
    attributes: { offset: { floats: [5, 5.5, 4.1] }, scale: { floats: [0.3, 0.31, 0.29] } },
  }
  const weights = { W: { dims: [3, 1], floats: [0.7, -1.2, 0.4] }, b: { dims: [1], floats: [-0.3] } }

  it('for Imputer, Scaler and LinearClassifier of two classes', async () => {
    const classes = {
      operator: 'LinearClassifier',
      domain: ml,
      output: 1,
      attributes: {
        coefficients: { floats: [-0.7, 1.2, -0.4, 0.7, -1.2, 0.4] },
        intercepts: { floats: [0.3, -0.3] },
        classlabels_ints: { ints: [0, 1] },
        post_transform: { text: 'LOGISTIC' },
      },
    }
    const normalise = { operator: 'Normalizer', domain: ml, attributes: { norm: { text: 'L1' } } }
    const model = chain(3, [impute, scale, classes, normalise], {})
    expect(await expectSameAnswers(model, 'Y', rowsFor(3))).toEqual(['logistic', 'logistic'])
  })

  it.each([
    ['NONE', 'identity'],
    ['LOGISTIC', 'logistic'],
    ['SOFTMAX', 'identity'],
  ])('for LinearClassifier with one stored score and %s', async (postTransform, link) => {
    const classes = {
      operator: 'LinearClassifier',
      domain: ml,
      output: 1,
      attributes: {
        coefficients: { floats: [0.7, -1.2, 0.4] },
        intercepts: { floats: [0.3] },
        classlabels_ints: { ints: [0, 1] },
        post_transform: { text: postTransform },
      },
    }
    expect(await expectSameAnswers(chain(3, [impute, classes], {}), 'Y', rowsFor(3))).toEqual([link, link])
  })

  it('for MatMul, Add and Sigmoid', async () => {
    const steps = [
      impute,
      { operator: 'MatMul', more: ['W'] },
      { operator: 'Add', more: ['b'] },
      { operator: 'Sigmoid' },
    ]
    expect(await expectSameAnswers(chain(3, steps, weights), 'Y', rowsFor(3))).toEqual(['logistic'])
  })

  it('for Gemm and Softmax', async () => {
    const gemm = { operator: 'Gemm', more: ['G', 'c'], attributes: { transB: { int: 1 }, alpha: { float: 0.5 } } }
    const constants = {
      G: { dims: [2, 3], floats: [0.1, -0.2, 0.3, 0.4, 0, -0.6] },
      c: { dims: [2], floats: [0.2, 0.1] },
    }
    const model = chain(3, [impute, gemm, { operator: 'Softmax' }], constants)
    expect(await expectSameAnswers(model, 'Y', rowsFor(3))).toEqual(['logistic', 'logistic'])
  })

  it('for functions of single inputs: logarithms, squares, missing indicators, clipping and choices', async () => {
    const model: WrittenModel = {
      inputs: 2,
      constants: {
        first: { dims: [1], ints: [0] },
        second: { dims: [1], ints: [1] },
        one: { dims: [1], floats: [1] },
        two: { dims: [1], floats: [2] },
        five: { dims: [1], floats: [5] },
        W: { dims: [4, 1], floats: [0.5, -0.01, 0.8, 0.25] },
      },
      nodes: [
        { operator: 'Gather', inputs: ['X', 'first'], outputs: ['a'], attributes: { axis: { int: 1 } } },
        { operator: 'ArrayFeatureExtractor', domain: ml, inputs: ['X', 'second'], outputs: ['b'] },
        { operator: 'IsNaN', inputs: ['a'], outputs: ['noA'] },
        { operator: 'Where', inputs: ['noA', 'five', 'a'], outputs: ['fullA'] },
        { operator: 'Add', inputs: ['fullA', 'one'], outputs: ['a1'] },
        { operator: 'Log', inputs: ['a1'], outputs: ['logA'] },
        {
          operator: 'Imputer',
          domain: ml,
          inputs: ['b'],
          outputs: ['fullB'],
          attributes: { imputed_value_floats: { floats: [3] }, replaced_value_float: { float: NaN } },
        },
        { operator: 'Pow', inputs: ['fullB', 'two'], outputs: ['squareB'] },
        { operator: 'Cast', inputs: ['noA'], outputs: ['isMissingA'], attributes: { to: { int: 1 } } },
        { operator: 'Clip', inputs: ['fullB', 'two1', 'five1'], outputs: ['clippedB'] },
        {
          operator: 'Concat',
          inputs: ['logA', 'squareB', 'isMissingA', 'clippedB'],
          outputs: ['all'],
          attributes: { axis: { int: 1 } },
        },
        { operator: 'MatMul', inputs: ['all', 'W'], outputs: ['Y'] },
      ],
      outputs: { Y: 'float32' },
    }
    const withScalars: WrittenModel = {
      ...model,
      constants: { ...model.constants, two1: { dims: [], floats: [2] }, five1: { dims: [], floats: [5] } },
    }
    expect(await expectSameAnswers(withScalars, 'Y', rowsFor(2))).toEqual(['identity'])
  })

  it('for a slice, a mean and a reshape of columns', async () => {
    const constants = {
      from: { dims: [1], ints: [1] },
      to: { dims: [1], ints: [3] },
      axis: { dims: [1], ints: [1] },
      shape: { dims: [1], ints: [-1] },
    }
    const steps = [
      {
        operator: 'Imputer',
        domain: ml,
        attributes: { imputed_value_floats: { floats: [2] }, replaced_value_float: { float: NaN } },
      },
      { operator: 'Slice', more: ['from', 'to', 'axis'] },
      { operator: 'ReduceMean', attributes: { axes: { ints: [1] } } },
      { operator: 'Reshape', more: ['shape'] },
    ]
    expect(await expectSameAnswers(chain(4, steps, constants), 'Y', rowsFor(4))).toEqual(['identity'])
  })

  it('and says why a network with a hidden layer is not additive', async () => {
    const constants = { W: { dims: [2, 2], floats: [1, 2, 3, 4] }, V: { dims: [2, 1], floats: [1, 2] } }
    const steps = [{ operator: 'MatMul', more: ['W'] }, { operator: 'Relu' }, { operator: 'MatMul', more: ['V'] }]
    const [because] = await expectSameAnswers(chain(2, steps, constants), 'Y', rowsFor(2, 0))
    expect(because).toContain('Relu')
  })
})
