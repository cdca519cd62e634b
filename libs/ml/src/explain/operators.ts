import type { OnnxElementType, OnnxNode } from '../onnx/index.js'
import { elementTypeOf } from '../onnx/onnx-tensor.js'
import { floatOf, floatsOf, intOf, intsOf, stringOf, stringsOf } from './node-attributes.js'
import {
  arithmetic,
  elementwise,
  logistic,
  normaliseToOne,
  opaque,
  rounding,
  softmax,
  weightedSum,
  type Opaque,
  type Scalar,
  type TracedValue,
} from './traced-value.js'
import { readTreeEnsemble, readTreeEnsembleV5, type TreeEnsemble } from './tree-ensemble.js'
import { constant, type Univariate } from './univariate.js'

/** Values of a node's outputs from those of its inputs; absent optional inputs are undefined. */
export type OperatorRule = (node: OnnxNode, inputs: readonly (TracedValue | undefined)[]) => readonly TracedValue[]

type Rows = Extract<TracedValue, { kind: 'rows' }>
type Constant = Extract<TracedValue, { kind: 'constant' }>

const rows = (columns: readonly Scalar[], type: OnnxElementType): Rows => ({ kind: 'rows', columns, type })

const notRows = (node: OnnxNode, value: TracedValue | undefined): Opaque =>
  value?.kind === 'opaque' ? value : opaque(`${node.operator} has an input that is not a matrix of the people's rows`)

/** A rule for an operator whose first input is a matrix of the people's rows. */
const onRows =
  (rule: (node: OnnxNode, first: Rows, inputs: readonly (TracedValue | undefined)[]) => TracedValue): OperatorRule =>
  (node, inputs) => {
    const [first] = inputs
    return [first?.kind === 'rows' ? rule(node, first, inputs) : notRows(node, first)]
  }

const constantsOf = (value: TracedValue | undefined): readonly number[] | undefined =>
  value?.kind === 'constant' ? [...value.tensor.numbers()] : undefined

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

const passOn = onRows((_, first) => first)

/** Only the column axis may be worked on: 1, or -1 in a matrix. */
const isColumnAxis = (axis: number): boolean => axis === 1 || axis === -1

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

/** [rows, inputs] x [inputs, outputs], plus a bias for each output. */
const linear = (first: Rows, weights: readonly number[], outputs: number, bias: readonly number[]): TracedValue => {
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

const transpose = (values: readonly number[], from: number): readonly number[] =>
  values.map((_, i) => {
    const to = values.length / from
    return values[(i % from) * to + Math.floor(i / from)] ?? NaN
  })

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

/** The scores of a model operator after its `post_transform`, for several classes or targets. */
const transformScores = (scores: readonly Scalar[], postTransform: string): readonly Scalar[] => {
  if (postTransform === 'NONE') return scores
  if (postTransform === 'LOGISTIC') return scores.map(logistic)
  if (postTransform === 'SOFTMAX') return softmax(scores)
  return scores.map(() => opaque(`its scores pass through ${postTransform}`))
}

const one = constant(1)
const exact = (x: number): number => x

/**
 * Two classes of which one score is stored, as the runtime writes them: with LOGISTIC each gets its probability, else
 * the score is taken for a probability if no leaf (or always, for linear models) is negative, else for a margin.
 */
const twoFromOne = (score: Scalar, postTransform: string, isProbability: boolean): readonly Scalar[] => {
  if (postTransform === 'LOGISTIC') return [logistic(weightedSum([score], [-1])), logistic(score)]
  if (postTransform === 'PROBIT')
    return [opaque('its score passes through PROBIT'), opaque('its score passes through PROBIT')]
  return [isProbability ? arithmetic('Sub', one, score, exact) : weightedSum([score], [-1]), score]
}

const linearClassifier: OperatorRule = (node, inputs) => {
  const [first] = inputs
  const labels = opaque('it is a class label')
  if (first?.kind !== 'rows') return [labels, notRows(node, first)]
  const intercepts = floatsOf(node, 'intercepts')
  const classes = intercepts.length
  const coefficients = floatsOf(node, 'coefficients')
  const scores = linear({ ...first, type: 'float32' }, transpose(coefficients, classes), classes, intercepts)
  if (scores.kind !== 'rows') return [labels, scores]
  const postTransform = stringOf(node, 'post_transform', 'NONE')
  const names = Math.max(intsOf(node, 'classlabels_ints').length, stringsOf(node, 'classlabels_strings').length)
  const [only] = scores.columns
  const columns =
    classes === 1 && names === 2 && only !== undefined
      ? twoFromOne(only, postTransform, true)
      : transformScores(scores.columns, postTransform)
  return [labels, rows(columns, 'float32')]
}

const linearRegressor = onRows((node, first) => {
  const targets = intOf(node, 'targets', 1)
  const scores = linear(
    first,
    transpose(floatsOf(node, 'coefficients'), targets),
    targets,
    floatsOf(node, 'intercepts'),
  )
  const postTransform = stringOf(node, 'post_transform', 'NONE')
  return scores.kind === 'rows' ? rows(transformScores(scores.columns, postTransform), 'float32') : scores
})

const scaler = onRows((node, first) => {
  const offset = floatsOf(node, 'offset')
  const scale = floatsOf(node, 'scale')
  const columns = first.columns.map((column, i) => {
    const [shift, factor] = [
      (offset.length === 1 ? offset[0] : offset[i]) ?? 0,
      (scale.length === 1 ? scale[0] : scale[i]) ?? 1,
    ]
    return arithmetic('Mul', arithmetic('Sub', column, constant(shift), Math.fround), constant(factor), Math.fround)
  })
  return rows(columns, 'float32')
})

const imputer = onRows((node, first) => {
  const values = floatsOf(node, 'imputed_value_floats')
  const replaced = floatOf(node, 'replaced_value_float', 0)
  if (values.length === 0) return opaque('it imputes whole numbers')
  const columns = first.columns.map((column, i) => {
    const value = (values.length === 1 ? values[0] : values[i]) ?? NaN
    return elementwise('Imputer', [column], ([x = NaN]) => (Object.is(x, replaced) || x === replaced ? value : x))
  })
  return rows(columns, first.type)
})

const normalizer = onRows((node, first) =>
  stringOf(node, 'norm', 'MAX') === 'L1'
    ? rows(normaliseToOne(first.columns), 'float32')
    : opaque('it divides the columns by their norm'),
)

const univariateColumns = (first: Rows): readonly Univariate[] | Opaque => {
  const columns: Univariate[] = []
  for (const column of first.columns) {
    if (column.kind === 'opaque') return column
    if (column.kind !== 'univariate') return opaque('its trees split on numbers that depend on several inputs')
    columns.push(column)
  }
  return columns
}

/** Columns of a tree classifier, with the runtime's rules for two classes. */
const classifierColumns = (ensemble: TreeEnsemble): readonly Scalar[] => {
  const { sums, postTransform, scored, alwaysScored, hasBaseValues, hasNegativeLeaf } = ensemble
  const [first] = sums
  if (sums.length === 1) return postTransform === 'NONE' ? sums : [opaque('it has one class')]
  if (sums.length !== 2 || first === undefined) return transformScores(sums, postTransform)
  if (!scored.has(1)) return twoFromOne(first, postTransform, !hasNegativeLeaf)
  // Here the runtime's answer depends on which leaves a row meets, or leaves trees out: nothing to be exact about.
  if (hasBaseValues || !alwaysScored.has(1))
    return sums.map(() => opaque('its two classes have leaves or base values that the runtime treats row by row'))
  return transformScores(sums, postTransform)
}

const treeRule: OperatorRule = (node, inputs) => {
  const [first] = inputs
  const isClassifier = node.operator === 'TreeEnsembleClassifier'
  const answer = (value: TracedValue): readonly TracedValue[] =>
    isClassifier ? [opaque('it is a class label'), value] : [value]
  if (first?.kind !== 'rows') return answer(notRows(node, first))
  const columns = univariateColumns(first)
  if ('kind' in columns) return answer(columns)
  const ensemble =
    node.operator === 'TreeEnsemble' ? readTreeEnsembleV5(node, columns) : readTreeEnsemble(node, columns)
  if (isClassifier) return answer(rows(classifierColumns(ensemble), 'float32'))
  // For one target the runtime leaves LOGISTIC and SOFTMAX out.
  const isPlain = ensemble.sums.length === 1 && ensemble.postTransform !== 'PROBIT'
  return answer(rows(isPlain ? ensemble.sums : transformScores(ensemble.sums, ensemble.postTransform), first.type))
}

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

const constantRule: OperatorRule = (node) => {
  const value = node.attributes.get('value')
  if (value?.kind === 'tensor') return [{ kind: 'constant', tensor: value.tensor }]
  const floats = node.attributes.get('value_float') ?? node.attributes.get('value_int')
  const list = floats?.kind === 'float' || floats?.kind === 'int' ? [floats.value] : undefined
  const values = list ?? [...floatsOf(node, 'value_floats'), ...intsOf(node, 'value_ints')]
  if (values.length === 0) return [opaque('it has a constant that is not made of numbers')]
  const dims = list === undefined ? [values.length] : []
  const numbers = Float64Array.from(values)
  return [{ kind: 'constant', tensor: { type: 'float32', dims, size: values.length, numbers: () => numbers } }]
}

/** Operators of ONNX itself. */
const core: Readonly<Record<string, OperatorRule>> = {
  Identity: (node, inputs) => [inputs[0] ?? notRows(node, undefined)],
  Dropout: passOn,
  Constant: constantRule,
  Cast: cast,
  Reshape: reshape,
  Flatten: passOn,
  Squeeze: passOn,
  Unsqueeze: passOn,
  Gather: gather,
  Slice: slice,
  Split: split,
  Concat: concat,
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

/** Operators of ai.onnx.ml. */
const ml: Readonly<Record<string, OperatorRule>> = {
  ArrayFeatureExtractor: arrayFeatureExtractor,
  FeatureVectorizer: concat,
  Imputer: imputer,
  LinearClassifier: linearClassifier,
  LinearRegressor: linearRegressor,
  Normalizer: normalizer,
  Scaler: scaler,
  TreeEnsemble: treeRule,
  TreeEnsembleClassifier: treeRule,
  TreeEnsembleRegressor: treeRule,
  ZipMap: passOn,
}

/** The rule of an operator, or undefined if none is known. */
export const findRule = (node: OnnxNode): OperatorRule | undefined => {
  if (node.domain === '') return core[node.operator]
  return node.domain === 'ai.onnx.ml' ? ml[node.operator] : undefined
}
