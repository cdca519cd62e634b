import type { OnnxNode } from '../../onnx/index.js'
import { floatOf, floatsOf, intOf, intsOf, stringOf, stringsOf } from './node-attributes.js'
import { linear, notRows, onRows, rows, transpose, type OperatorRule, type Rows } from './operator-rule.js'
import {
  arithmetic,
  elementwise,
  logistic,
  normaliseToOne,
  opaque,
  softmax,
  weightedSum,
  type Opaque,
  type Scalar,
  type TracedValue,
} from './traced-value.js'
import { readTreeEnsemble, readTreeEnsembleV5, type TreeEnsemble } from '../trees/tree-ensemble.js'
import { UnreadableTrees } from '../trees/tree-structure.js'
import { constant, type Univariate } from './univariate.js'

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
  // Here the runtime's output depends on which leaves a row meets, or leaves trees out: nothing to be exact about.
  if (hasBaseValues || !alwaysScored.has(1))
    return sums.map(() => opaque('its two classes have leaves or base values that the runtime treats row by row'))
  return transformScores(sums, postTransform)
}

const readTrees = (node: OnnxNode, columns: readonly Univariate[]): TreeEnsemble | Opaque => {
  try {
    return node.operator === 'TreeEnsemble' ? readTreeEnsembleV5(node, columns) : readTreeEnsemble(node, columns)
  } catch (error) {
    if (error instanceof UnreadableTrees) return opaque(error.because)
    throw error
  }
}

const treeRule: OperatorRule = (node, inputs) => {
  const [first] = inputs
  const isClassifier = node.operator === 'TreeEnsembleClassifier'
  const withLabel = (value: TracedValue): readonly TracedValue[] =>
    isClassifier ? [opaque('it is a class label'), value] : [value]
  if (first?.kind !== 'rows') return withLabel(notRows(node, first))
  const columns = univariateColumns(first)
  if ('kind' in columns) return withLabel(columns)
  const ensemble = readTrees(node, columns)
  if ('kind' in ensemble) return withLabel(ensemble)
  if (isClassifier) return withLabel(rows(classifierColumns(ensemble), 'float32'))
  // For one target the runtime leaves LOGISTIC and SOFTMAX out.
  const isPlain = ensemble.sums.length === 1 && ensemble.postTransform !== 'PROBIT'
  return withLabel(rows(isPlain ? ensemble.sums : transformScores(ensemble.sums, ensemble.postTransform), first.type))
}

/** Operators of ai.onnx.ml that compute, by name. */
export const modelOperators: Readonly<Record<string, OperatorRule>> = {
  Imputer: imputer,
  LinearClassifier: linearClassifier,
  LinearRegressor: linearRegressor,
  Normalizer: normalizer,
  Scaler: scaler,
  TreeEnsemble: treeRule,
  TreeEnsembleClassifier: treeRule,
  TreeEnsembleRegressor: treeRule,
}
