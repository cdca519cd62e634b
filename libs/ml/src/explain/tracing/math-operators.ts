import type { OnnxElementType, OnnxNode } from '../../onnx/index.js'
import { floatOf, intOf, intsOf } from './node-attributes.js'
import {
  constantsOf,
  isColumnAxis,
  linear,
  notRows,
  onRows,
  rows,
  transpose,
  type OperatorRule,
} from './operator-rule.js'
import {
  arithmetic,
  elementwise,
  logistic,
  opaque,
  rounding,
  softmax,
  weightedSum,
  type Opaque,
  type Scalar,
  type TracedValue,
} from './traced-value.js'
import { constant } from './univariate.js'

/** Columns of a value next to a matrix of `width` columns: a constant is repeated down the rows. */
const columnsBeside = (value: TracedValue, width: number): readonly Scalar[] | Opaque => {
  if (value.kind === 'opaque') return value
  if (value.kind === 'rows') return value.columns
  const { size, dims } = value.tensor
  const isRow = size === 1 || (dims.at(-1) === size && dims.length <= 2)
  if (!isRow || (width > 0 && size !== 1 && width !== 1 && size !== width)) {
    return opaque('it combines the rows with a constant of another shape')
  }
  return [...value.tensor.numbers()].map(constant)
}

const typeOf = (value: TracedValue): OnnxElementType => {
  if (value.kind === 'rows') return value.type
  return value.kind === 'constant' ? value.tensor.type : 'other'
}

/** Applies `each` column by column with broadcasting. */
const broadcast =
  (
    each: (node: OnnxNode, operands: readonly Scalar[], type: OnnxElementType) => Scalar,
    resultType?: OnnxElementType,
  ): OperatorRule =>
  (node, inputs) => {
    const present = inputs.filter((input) => input !== undefined)
    const width = Math.max(0, ...present.map((input) => (input.kind === 'rows' ? input.columns.length : 0)))
    if (width === 0) {
      const unknown = present.find(({ kind }) => kind === 'opaque')
      return [notRows(node, unknown)]
    }
    // The first input of Where is the condition.
    const typed = present[node.operator === 'Where' && present.length === 3 ? 1 : 0]
    const type = typed ? typeOf(typed) : 'other'
    const operands: (readonly Scalar[])[] = []
    let widest = width
    for (const input of present) {
      const columns = columnsBeside(input, width)
      if ('kind' in columns) return [columns]
      operands.push(columns)
      widest = Math.max(widest, columns.length)
    }
    if (operands.some((columns) => columns.length !== 1 && columns.length !== widest)) {
      return [opaque(`${node.operator} combines matrices of different widths`)]
    }
    const columns = Array.from({ length: widest }, (_, i) =>
      each(
        node,
        operands.map((operand) => operand[operand.length === 1 ? 0 : i]!),
        type,
      ),
    )
    return [rows(columns, resultType ?? type)]
  }

const absent = opaque('an input is absent')

const arithmeticRule = (operator: 'Add' | 'Sub' | 'Mul' | 'Div'): OperatorRule =>
  broadcast((_, [a = absent, b = absent], type) => arithmetic(operator, a, b, rounding(type)))

const elementwiseRule = (
  operation: (values: readonly number[]) => number,
  resultType?: OnnxElementType,
): OperatorRule =>
  broadcast(
    (node, operands, type) =>
      elementwise(node.operator, operands, (values) => rounding(resultType ?? type)(operation(values))),
    resultType,
  )

const sumOrMean = (columns: readonly Scalar[], isMean: boolean): Scalar => {
  const weight = isMean ? 1 / columns.length : 1
  return weightedSum(
    columns,
    columns.map(() => weight),
  )
}

const gemm = onRows((node, first, [, matrix, bias]) => {
  if (matrix?.kind !== 'constant' || matrix.tensor.dims.length !== 2 || intOf(node, 'transA', 0) !== 0) {
    return opaque('it multiplies two variable matrices')
  }
  const [alpha, beta] = [floatOf(node, 'alpha', 1), floatOf(node, 'beta', 1)]
  const [height, width] = matrix.tensor.dims
  const isTransposed = intOf(node, 'transB', 0) === 1
  const plain = [...matrix.tensor.numbers()].map((value) => value * alpha)
  const outputs = (isTransposed ? height : width) ?? 0
  const added = bias === undefined ? [] : constantsOf(bias)
  if (added === undefined) return opaque('it adds a variable matrix')
  return linear(
    first,
    isTransposed ? transpose(plain, outputs) : plain,
    outputs,
    added.map((value) => value * beta),
  )
})

const matMul = onRows((_, first, [, matrix]) => {
  if (matrix?.kind !== 'constant') return opaque('it multiplies two variable matrices')
  const outputs = matrix.tensor.dims.length === 1 ? 1 : (matrix.tensor.dims.at(-1) ?? 0)
  return matrix.tensor.dims.length > 2
    ? opaque('it multiplies by a tensor')
    : linear(first, [...matrix.tensor.numbers()], outputs, [])
})

const reduce = (isMean: boolean): OperatorRule =>
  onRows((node, first, [, given]) => {
    const axes = constantsOf(given) ?? intsOf(node, 'axes')
    if (axes.length !== 1 || !isColumnAxis(axes[0]!)) return opaque('it sums over people')
    return rows([sumOrMean(first.columns, isMean)], first.type)
  })

const truth = (condition: boolean): number => (condition ? 1 : 0)
const compare = (test: (a: number, b: number) => boolean): OperatorRule =>
  elementwiseRule(([a = NaN, b = NaN]) => truth(test(a, b)), 'bool')

const clip: OperatorRule = (node, inputs) => {
  const low = constantsOf(inputs[1])?.[0] ?? floatOf(node, 'min', -Infinity)
  const high = constantsOf(inputs[2])?.[0] ?? floatOf(node, 'max', Infinity)
  return elementwiseRule(([x = NaN]) => (x < low ? low : x > high ? high : x))(node, inputs.slice(0, 1))
}

const softmaxRule = onRows((node, first) =>
  isColumnAxis(intOf(node, 'axis', -1)) ? rows(softmax(first.columns), first.type) : opaque('it compares people'),
)

/** Operators of ONNX itself that compute, by name. */
export const mathOperators: Readonly<Record<string, OperatorRule>> = {
  Add: arithmeticRule('Add'),
  Sub: arithmeticRule('Sub'),
  Mul: arithmeticRule('Mul'),
  Div: arithmeticRule('Div'),
  Sum: broadcast((_, operands) => sumOrMean(operands, false)),
  Mean: broadcast((_, operands) => sumOrMean(operands, true)),
  ReduceSum: reduce(false),
  ReduceMean: reduce(true),
  MatMul: matMul,
  Gemm: gemm,
  Sigmoid: broadcast((_, [scalar = absent]) => logistic(scalar)),
  Softmax: softmaxRule,
  Neg: broadcast((_, [scalar = absent], type) => arithmetic('Mul', scalar, constant(-1), rounding(type))),
  Abs: elementwiseRule(([x = NaN]) => Math.abs(x)),
  Sqrt: elementwiseRule(([x = NaN]) => Math.sqrt(x)),
  Exp: elementwiseRule(([x = NaN]) => Math.exp(x)),
  Log: elementwiseRule(([x = NaN]) => Math.log(x)),
  Pow: elementwiseRule(([x = NaN, y = NaN]) => x ** y),
  Relu: elementwiseRule(([x = NaN]) => (x < 0 ? 0 : x)),
  Min: elementwiseRule((values) => Math.min(...values)),
  Max: elementwiseRule((values) => Math.max(...values)),
  Clip: clip,
  IsNaN: elementwiseRule(([x = NaN]) => truth(Number.isNaN(x)), 'bool'),
  Not: elementwiseRule(([x = NaN]) => truth(x === 0), 'bool'),
  And: compare((a, b) => a !== 0 && b !== 0),
  Or: compare((a, b) => a !== 0 || b !== 0),
  Equal: compare((a, b) => a === b),
  Less: compare((a, b) => a < b),
  LessOrEqual: compare((a, b) => a <= b),
  Greater: compare((a, b) => a > b),
  GreaterOrEqual: compare((a, b) => a >= b),
  Where: elementwiseRule(([condition = NaN, yes = NaN, no = NaN]) => (condition !== 0 ? yes : no)),
}
