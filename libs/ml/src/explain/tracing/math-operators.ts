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
  type Constant,
  type OperatorRule,
  type Rows,
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
  if (value.kind === 'rows') {
    return value.columns
  }
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
    const matrix = present.filter((input): input is Rows => input.kind === 'rows')
    const width = Math.max(0, ...matrix.map((input) => input.columns.length))
    if (width === 0)
      return [
        notRows(
          node,
          present.find((input) => input.kind === 'opaque'),
        ),
      ]
    const type =
      present.length === 3 && node.operator === 'Where'
        ? typeOf(present[1] ?? opaque(''))
        : typeOf(present[0] ?? opaque(''))
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
        operands.map((operand) => operand[operand.length === 1 ? 0 : i] ?? opaque('a column is absent')),
        type,
      ),
    )
    return [rows(columns, resultType ?? type)]
  }

const arithmeticRule = (operator: 'Add' | 'Sub' | 'Mul' | 'Div'): OperatorRule =>
  broadcast((_, [a, b], type) =>
    arithmetic(operator, a ?? opaque('an input is absent'), b ?? opaque('an input is absent'), rounding(type)),
  )

const elementwiseRule = (
  operation: (values: readonly number[]) => number,
  resultType?: OnnxElementType,
): OperatorRule =>
  broadcast(
    (node, operands, type) =>
      elementwise(node.operator, operands, (values) => rounding(resultType ?? type)(operation(values))),
    resultType,
  )

const sumRule = (mean: boolean): OperatorRule =>
  broadcast((_, operands) =>
    weightedSum(
      operands,
      operands.map(() => (mean ? 1 / operands.length : 1)),
    ),
  )
const asConstant = (value: TracedValue | undefined): Constant | undefined =>
  value?.kind === 'constant' ? value : undefined

const gemm = onRows((node, first, [, matrix, bias]) => {
  const weights = asConstant(matrix)
  if (weights?.tensor.dims.length !== 2 || intOf(node, 'transA', 0) !== 0)
    return opaque('it multiplies two variable matrices')
  const [alpha, beta] = [floatOf(node, 'alpha', 1), floatOf(node, 'beta', 1)]
  const [height, width] = weights.tensor.dims
  const isTransposed = intOf(node, 'transB', 0) === 1
  const plain = [...weights.tensor.numbers()].map((value) => value * alpha)
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
  const weights = asConstant(matrix)
  if (weights === undefined) return opaque('it multiplies two variable matrices')
  const outputs = weights.tensor.dims.length === 1 ? 1 : (weights.tensor.dims.at(-1) ?? 0)
  return weights.tensor.dims.length > 2
    ? opaque('it multiplies by a tensor')
    : linear(first, [...weights.tensor.numbers()], outputs, [])
})

const reduce = (mean: boolean): OperatorRule =>
  onRows((node, first, [, given]) => {
    const axes = constantsOf(given) ?? intsOf(node, 'axes')
    if (axes.length !== 1 || !isColumnAxis(axes[0] ?? 0)) return opaque('it sums over people')
    const weight = mean ? 1 / first.columns.length : 1
    return rows(
      [
        weightedSum(
          first.columns,
          first.columns.map(() => weight),
        ),
      ],
      first.type,
    )
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
  Sum: sumRule(false),
  Mean: sumRule(true),
  ReduceSum: reduce(false),
  ReduceMean: reduce(true),
  MatMul: matMul,
  Gemm: gemm,
  Sigmoid: broadcast((_, [scalar]) => logistic(scalar ?? opaque('an input is absent'))),
  Softmax: softmaxRule,
  Neg: broadcast((_, [scalar], type) =>
    arithmetic('Mul', scalar ?? opaque('an input is absent'), constant(-1), rounding(type)),
  ),
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
