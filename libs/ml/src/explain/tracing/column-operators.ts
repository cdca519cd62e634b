import type { OnnxElementType, OnnxNode } from '../../onnx/index.js'
import { elementTypeOf } from '../../onnx/onnx-tensor.js'
import { intOf, intsOf } from './node-attributes.js'
import { constantsOf, isColumnAxis, notRows, onRows, rows, type OperatorRule, type Rows } from './operator-rule.js'
import { elementwise, opaque, rounding, type Scalar, type TracedValue } from './traced-value.js'

const passOn = onRows((_, first) => first)

const pick = (node: OnnxNode, from: Rows, indices: readonly number[]): TracedValue => {
  const columns = indices.map((index) => from.columns.at(index))
  if (columns.some((column) => column === undefined)) return opaque(`${node.operator} takes a column that is not there`)
  return rows(
    columns.filter((column) => column !== undefined),
    from.type,
  )
}

const gather = onRows((node, first, [, indices]) => {
  const chosen = constantsOf(indices)
  if (chosen === undefined || !isColumnAxis(intOf(node, 'axis', 0))) return opaque('it gathers rows, not columns')
  return pick(node, first, chosen)
})

const arrayFeatureExtractor = onRows((node, first, [, indices]) => {
  const chosen = constantsOf(indices)
  return chosen === undefined ? opaque('it chooses columns by the inputs') : pick(node, first, chosen)
})

const slice = onRows((node, first, inputs) => {
  const starts = constantsOf(inputs[1]) ?? intsOf(node, 'starts')
  const ends = constantsOf(inputs[2]) ?? intsOf(node, 'ends')
  const fromAttribute = intsOf(node, 'axes')
  const axes = constantsOf(inputs[3]) ?? (fromAttribute.length > 0 ? fromAttribute : starts.map((_, i) => i))
  const steps = constantsOf(inputs[4]) ?? starts.map(() => 1)
  const width = first.columns.length
  const clamp = (at: number): number => Math.min(Math.max(at < 0 ? at + width : at, 0), width)
  let chosen = Array.from({ length: width }, (_, i) => i)
  for (const [i, axis] of axes.entries()) {
    const [start, end, step] = [starts[i] ?? 0, ends[i] ?? 0, steps[i] ?? 1]
    if (isColumnAxis(axis) && step > 0) {
      chosen = chosen.slice(clamp(start), clamp(end)).filter((_, at) => at % step === 0)
    } else if (!(axis === 0 && start === 0 && end >= 2 ** 31 - 1 && step === 1)) {
      return opaque('it takes a slice of the rows')
    }
  }
  return pick(node, first, chosen)
})

const split: OperatorRule = (node, inputs) => {
  const [first, sizes] = inputs
  if (first?.kind !== 'rows') return node.outputs.map(() => notRows(node, first))
  if (!isColumnAxis(intOf(node, 'axis', 0))) return node.outputs.map(() => opaque('it splits the rows'))
  const parts = node.outputs.length
  const equal = Math.ceil(first.columns.length / parts)
  const attribute = intsOf(node, 'split')
  const stated = constantsOf(sizes) ?? (attribute.length > 0 ? attribute : node.outputs.map(() => equal))
  let start = 0
  return stated.map((size) => rows(first.columns.slice(start, (start += size)), first.type))
}

const concat: OperatorRule = (node, inputs) => {
  if (node.operator === 'Concat' && !isColumnAxis(intOf(node, 'axis', 0))) return [opaque('it stacks rows')]
  const columns: Scalar[] = []
  let type: OnnxElementType = 'float32'
  for (const input of inputs) {
    if (input?.kind !== 'rows') return [notRows(node, input)]
    columns.push(...input.columns)
    type = input.type
  }
  return [rows(columns, type)]
}

/** Reshapes that keep one row per person change nothing that matters here. */
const reshape = onRows((node, first, [, shape]) => {
  const dims = constantsOf(shape) ?? intsOf(node, 'shape')
  const width = first.columns.length
  const keeps = dims.length === 1 ? width === 1 : dims.length === 2 && (dims[1] === width || dims[1] === -1)
  return keeps && (dims[0] === -1 || dims[0] === 0) ? first : opaque('it reshapes the rows')
})

const cast = onRows((node, first) => {
  const type = elementTypeOf(intOf(node, 'to', 1))
  if (type === 'string' || type === 'other') return opaque('it casts numbers to text or to an exotic type')
  const round = rounding(type)
  const columns = first.columns.map((column) =>
    column.kind === 'univariate' || (type !== 'float32' && type !== 'float64')
      ? elementwise('Cast', [column], ([x]) => round(x ?? NaN))
      : column,
  )
  return rows(columns, type)
})

const whole = (keeps: (node: OnnxNode, first: Rows) => boolean): OperatorRule =>
  onRows((node, first) => (keeps(node, first) ? first : opaque(`it changes the shape of the rows by ${node.operator}`)))

/** Operators of ONNX itself that choose, order, join or rename columns, by name. */
export const columnOperators: Readonly<Record<string, OperatorRule>> = {
  Cast: cast,
  Concat: concat,
  Dropout: passOn,
  Flatten: whole((node) => intOf(node, 'axis', 1) === 1),
  Gather: gather,
  Identity: (node, inputs) => [inputs[0] ?? notRows(node, undefined)],
  Reshape: reshape,
  Slice: slice,
  Split: split,
  Squeeze: whole((_, first) => first.columns.length === 1),
  Unsqueeze: whole((_, first) => first.columns.length === 1),
}

/** The same of ai.onnx.ml. */
export const mlColumnOperators: Readonly<Record<string, OperatorRule>> = {
  ArrayFeatureExtractor: arrayFeatureExtractor,
  FeatureVectorizer: concat,
  ZipMap: passOn,
}
