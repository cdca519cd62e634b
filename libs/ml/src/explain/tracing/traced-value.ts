import type { OnnxElementType, OnnxTensor } from '../../onnx/index.js'
import { addSums, areOpposite, scaleSum, sumOf, type AdditiveSum } from '../trees/additive-sum.js'
import { combine, constant, constantValue, type Univariate } from './univariate.js'

/** A probability of the graph: the logistic function of an additive sum. */
export interface Probability {
  readonly kind: 'probability'
  readonly logit: AdditiveSum
}

/** One class of a softmax over three classes or more; `score` is what goes into it. */
export interface SoftmaxClass {
  readonly kind: 'softmax'
  readonly score: AdditiveSum
}

/** A number whose dependence on the inputs is not additive in any known space, and why. */
export interface Opaque {
  readonly kind: 'opaque'
  readonly because: string
}

/** What is known of one number per row. */
export type Scalar = Univariate | AdditiveSum | Probability | SoftmaxClass | Opaque

/** What is known of a tensor: a matrix with one row per person, or a constant. */
export type TracedValue =
  | { readonly kind: 'rows'; readonly columns: readonly Scalar[]; readonly type: OnnxElementType }
  | { readonly kind: 'constant'; readonly tensor: Pick<OnnxTensor, 'dims' | 'numbers' | 'type' | 'size'> }
  | Opaque

export const opaque = (because: string): Opaque => ({ kind: 'opaque', because })

/** Rounds to what the element type can hold, as the runtime does after each operator. */
export const rounding = (type: OnnxElementType): ((x: number) => number) => {
  switch (type) {
    case 'float32':
      return Math.fround
    case 'int64':
    case 'int32':
      return Math.trunc
    case 'bool':
      return (x) => (x !== 0 ? 1 : 0)
    default:
      return (x) => x
  }
}

const asSum = (scalar: Scalar): AdditiveSum | undefined =>
  scalar.kind === 'univariate' || scalar.kind === 'sum' ? sumOf(scalar) : undefined

const isConstant = (scalar: Scalar, value?: number): scalar is Univariate =>
  scalar.kind === 'univariate' && scalar.source < 0 && (value === undefined || constantValue(scalar) === value)

/** Weighted sum of scalars, or the reason why it is not additive. */
export const weightedSum = (scalars: readonly Scalar[], weights: readonly number[], bias = 0): Scalar => {
  const sums: AdditiveSum[] = [sumOf(constant(bias))]
  for (const [i, scalar] of scalars.entries()) {
    const weight = weights[i] ?? 0
    if (weight === 0) continue
    const sum = asSum(scalar)
    if (sum === undefined) {
      return scalar.kind === 'opaque'
        ? scalar
        : opaque('it adds up probabilities, which are not additive in the inputs')
    }
    sums.push(scaleSum(sum, weight))
  }
  return addSums(sums)
}

/** `operation` on single numbers of any kind, where the additive rules do not apply. */
export const elementwise = (
  operator: string,
  operands: readonly Scalar[],
  operation: (values: readonly number[]) => number,
): Scalar => {
  const univariates: Univariate[] = []
  for (const operand of operands) {
    if (operand.kind === 'opaque') return operand
    if (operand.kind !== 'univariate')
      return opaque(`it applies ${operator} to a number that depends on several inputs`)
    univariates.push(operand)
  }
  return combine(univariates, operation) ?? opaque(`it applies ${operator} to two different inputs`)
}

const number = (value: number | undefined): number => value ?? NaN

/** a + b, a - b, a * b, a / b by the additive rules, each rounded as `round` does. */
export const arithmetic = (
  operator: 'Add' | 'Sub' | 'Mul' | 'Div',
  a: Scalar,
  b: Scalar,
  round: (x: number) => number,
): Scalar => {
  if (a.kind === 'opaque') return a
  if (b.kind === 'opaque') return b
  if (operator === 'Sub' && isConstant(a, 1) && b.kind === 'probability') return complement(b)
  const compute = ([x, y]: readonly number[]): number => {
    if (operator === 'Add') return round(number(x) + number(y))
    if (operator === 'Sub') return round(number(x) - number(y))
    return round(operator === 'Mul' ? number(x) * number(y) : number(x) / number(y))
  }
  if (a.kind === 'univariate' && b.kind === 'univariate') {
    const combined = combine([a, b], compute)
    if (combined !== undefined) return combined
  }
  switch (operator) {
    case 'Add':
      if (isConstant(a, 0)) return b
      return isConstant(b, 0) ? a : weightedSum([a, b], [1, 1])
    case 'Sub':
      return isConstant(b, 0) ? a : weightedSum([a, b], [1, -1])
    case 'Mul':
      if (isConstant(a)) return constantValue(a) === 1 ? b : weightedSum([b], [constantValue(a)])
      if (isConstant(b)) return constantValue(b) === 1 ? a : weightedSum([a], [constantValue(b)])
      return opaque('it multiplies numbers of two inputs')
    case 'Div':
      if (isConstant(b)) return constantValue(b) === 1 ? a : weightedSum([a], [1 / constantValue(b)])
      return opaque('it divides by a number that depends on the inputs')
  }
}

/** The probability of the other of two classes. */
const complement = (probability: Probability): Probability => ({
  kind: 'probability',
  logit: scaleSum(probability.logit, -1),
})

/** The logistic function of a scalar. */
export const logistic = (scalar: Scalar): Scalar => {
  const logit = asSum(scalar)
  if (logit !== undefined) return { kind: 'probability', logit }
  return scalar.kind === 'opaque' ? scalar : opaque('it takes a probability for a score')
}

/** Softmax over the classes; for two of them each is the logistic function of a difference. */
export const softmax = (scalars: readonly Scalar[]): readonly Scalar[] => {
  const [first, second] = scalars
  if (first !== undefined && second !== undefined && scalars.length === 2) {
    return [logistic(weightedSum([first, second], [1, -1])), logistic(weightedSum([second, first], [1, -1]))]
  }
  const sums = scalars.map(asSum)
  return scalars.map((scalar, i): Scalar => {
    const score = sums[i]
    if (score === undefined || sums.includes(undefined)) {
      return scalar.kind === 'opaque' ? scalar : opaque('it takes probabilities for scores')
    }
    return { kind: 'softmax', score }
  })
}

/** Division by the sum over the classes, which changes nothing where they add up to 1 already. */
export const normaliseToOne = (scalars: readonly Scalar[]): readonly Scalar[] => {
  const [first, second] = scalars
  const isPair =
    scalars.length === 2 &&
    first?.kind === 'probability' &&
    second?.kind === 'probability' &&
    areOpposite(first.logit, second.logit)
  if (isPair || scalars.every((scalar) => scalar.kind === 'softmax')) return scalars
  return scalars.map(() => opaque('it divides each class by the sum of all'))
}
