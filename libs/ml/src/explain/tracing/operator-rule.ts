import type { OnnxElementType, OnnxNode } from '../../onnx/index.js'
import { opaque, weightedSum, type Opaque, type Scalar, type TracedValue } from './traced-value.js'

/** Values of a node's outputs from those of its inputs; absent optional inputs are undefined. */
export type OperatorRule = (node: OnnxNode, inputs: readonly (TracedValue | undefined)[]) => readonly TracedValue[]

/** A matrix with one row per person. */
export type Rows = Extract<TracedValue, { kind: 'rows' }>

/** A matrix of these columns. */
export const rows = (columns: readonly Scalar[], type: OnnxElementType): Rows => ({ kind: 'rows', columns, type })

/** Why an operator cannot be followed that works on rows. */
export const notRows = (node: OnnxNode, value: TracedValue | undefined): Opaque =>
  value?.kind === 'opaque' ? value : opaque(`${node.operator} has an input that is not a matrix of the people's rows`)

/** A rule for an operator whose first input is a matrix of the people's rows. */
export const onRows =
  (rule: (node: OnnxNode, first: Rows, inputs: readonly (TracedValue | undefined)[]) => TracedValue): OperatorRule =>
  (node, inputs) => {
    const [first] = inputs
    return [first?.kind === 'rows' ? rule(node, first, inputs) : notRows(node, first)]
  }

/** Elements of a constant; undefined for anything else. */
export const constantsOf = (value: TracedValue | undefined): readonly number[] | undefined =>
  value?.kind === 'constant' ? [...value.tensor.numbers()] : undefined

/** Only the column axis may be worked on: 1, or -1 in a matrix. */
export const isColumnAxis = (axis: number): boolean => axis === 1 || axis === -1

/** [rows, inputs] x [inputs, outputs], plus a bias for each output. */
export const linear = (
  first: Rows,
  weights: readonly number[],
  outputs: number,
  bias: readonly number[],
): TracedValue => {
  const inputs = first.columns.length
  if (weights.length !== inputs * outputs) return opaque('a matrix product has another shape')
  const columns = Array.from({ length: outputs }, (_, output) =>
    weightedSum(
      first.columns,
      first.columns.map((_, input) => weights[input * outputs + output] ?? 0),
      (bias.length === 1 ? bias[0] : bias[output]) ?? 0,
    ),
  )
  return rows(columns, first.type)
}

/** A row-major matrix of `from` rows with its rows and columns in each other's place. */
export const transpose = (values: readonly number[], from: number): readonly number[] =>
  values.map((_, i) => {
    const to = values.length / from
    return values[(i % from) * to + Math.floor(i / from)] ?? NaN
  })
