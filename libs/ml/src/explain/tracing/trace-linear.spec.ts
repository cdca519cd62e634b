import { describe, expect, it } from 'vitest'
import type { WrittenModel } from '../../../../../test/support/onnx-writer.js'
import { expectSameOutputs, rowsFor } from '../../../../../test/support/traced-outputs.js'

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

describe('linear graphs compute as the runtime does', () => {
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
    expect(await expectSameOutputs(model, 'Y', rowsFor(3))).toEqual(['logistic', 'logistic'])
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
    expect(await expectSameOutputs(chain(3, [impute, classes], {}), 'Y', rowsFor(3))).toEqual([link, link])
  })

  it('for MatMul, Add and Sigmoid', async () => {
    const steps = [
      impute,
      { operator: 'MatMul', more: ['W'] },
      { operator: 'Add', more: ['b'] },
      { operator: 'Sigmoid' },
    ]
    expect(await expectSameOutputs(chain(3, steps, weights), 'Y', rowsFor(3))).toEqual(['logistic'])
  })

  it('for Gemm and Softmax', async () => {
    const gemm = { operator: 'Gemm', more: ['G', 'c'], attributes: { transB: { int: 1 }, alpha: { float: 0.5 } } }
    const constants = {
      G: { dims: [2, 3], floats: [0.1, -0.2, 0.3, 0.4, 0, -0.6] },
      c: { dims: [2], floats: [0.2, 0.1] },
    }
    const model = chain(3, [impute, gemm, { operator: 'Softmax' }], constants)
    expect(await expectSameOutputs(model, 'Y', rowsFor(3))).toEqual(['logistic', 'logistic'])
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
    expect(await expectSameOutputs(withScalars, 'Y', rowsFor(2))).toEqual(['identity'])
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
    expect(await expectSameOutputs(chain(4, steps, constants), 'Y', rowsFor(4))).toEqual(['identity'])
  })

  it('and says why a network with a hidden layer is not additive', async () => {
    const constants = { W: { dims: [2, 2], floats: [1, 2, 3, 4] }, V: { dims: [2, 1], floats: [1, 2] } }
    const steps = [{ operator: 'MatMul', more: ['W'] }, { operator: 'Relu' }, { operator: 'MatMul', more: ['V'] }]
    const [because] = await expectSameOutputs(chain(2, steps, constants), 'Y', rowsFor(2, 0))
    expect(because).toContain('Relu')
  })
})
