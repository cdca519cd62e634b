import { MemoryGuardError } from '#libs/platform'
import { readOnnxModel } from '../onnx/index.js'
import { AdditiveExplainer, naturalSpace, roundRows } from './additive-explainer.js'
import { evaluateSum } from './trees/additive-sum.js'
import type { Explainer, ExplainerOptions } from './explanation.js'
import { FunctionExplainer } from './sampling/function-explainer.js'
import type { Predict } from './sampling/function-shap.js'
import { traceGraph, type TracedOutput } from './tracing/trace-graph.js'
import type { BackgroundRows } from './trees/tree-reference.js'

type Additive = Extract<TracedOutput, { kind: 'additive' }>

const invalid = (message: string): never => {
  throw new MemoryGuardError('MODEL_INVALID', message)
}

const logistic = (x: number): number => 1 / (1 + Math.exp(-x))

/** The graph's answers from what was read of it; undefined where other classes have a say. */
const ownPredict = (traced: Additive, inputs: number): Predict | undefined => {
  const { sum, link, roundsInputs } = traced
  if (link === 'softmax') return undefined
  return (rows, count) => {
    const own = roundRows(rows, roundsInputs)
    return Float64Array.from({ length: count }, (_, row) => {
      const value = evaluateSum(sum, own, row * inputs)
      return link === 'logistic' ? logistic(value) : value
    })
  }
}

/** Background people whose answers are compared with the graph's before an exact explainer may speak for it. */
const comparedRows = 32
/** Float32 sums of many trees differ from ours by much less. */
const comparedTolerance = 1e-4

/** Whether the graph answers as what was read of it. */
const agreesWithGraph = async (
  traced: Additive,
  inputs: number,
  background: BackgroundRows,
  predict: Predict,
): Promise<boolean> => {
  const own = ownPredict(traced, inputs)
  if (own === undefined) return true
  const count = Math.min(comparedRows, background.count)
  const rows = background.rows.subarray(0, count * inputs)
  const [expected, found] = [await predict(rows, count), await own(rows, count)]
  return found.every((value, i) => Math.abs(value - (expected[i] ?? NaN)) <= comparedTolerance * (1 + Math.abs(value)))
}

const differs = 'the graph, read as trees or as linear, answers otherwise than it does when run'

/**
 * Makes the explainer of one output of an ONNX graph. `auto` takes, in this order: interventional Tree SHAP (path-
 * dependent if there is no background) or linear SHAP where the output is a sum of trees or of functions of single
 * inputs, in log-odds or as it is; all coalitions of inputs, if the budget allows it; sampled permutations. It changes
 * the space asked for only where this makes the explanation exact, and the explainer says which it took.
 * Throws `MODEL_INVALID` for a broken file, an absent output, or a method, space or background that does not fit.
 */
export const createExplainer = async (options: ExplainerOptions): Promise<Explainer> => {
  const {
    inputs,
    output,
    method = 'auto',
    space = 'log_odds',
    evaluations = 131_072,
    maxBatch = 4096,
    seed = 1,
  } = options
  const traced = traceGraph(readOnnxModel(options.modelBytes), output, inputs)
  const given = options.background
  if (given !== undefined && (given.length === 0 || given.length % inputs !== 0)) {
    invalid(`The background must hold whole rows of ${inputs} inputs.`)
  }
  const roundsInputs = traced.kind === 'additive' && traced.roundsInputs
  const background: BackgroundRows | undefined =
    given === undefined ? undefined : { rows: roundRows(given, roundsInputs), count: given.length / inputs }

  const byAnswers = async (because: string): Promise<Explainer> => {
    const predict = options.predict ?? (traced.kind === 'additive' ? ownPredict(traced, inputs) : undefined)
    if (predict === undefined)
      return invalid(`This output can be explained only by running the graph, because ${because}.`)
    const people = background ?? { rows: new Float64Array(0), count: 0 }
    return FunctionExplainer.create(
      { inputs, background: people, predict, evaluations, maxBatch, seed },
      space,
      because,
    )
  }
  if (method === 'permutation') return byAnswers('the manifest asks for it')
  if (traced.kind === 'opaque') {
    return method === 'auto'
      ? byAnswers(traced.because)
      : invalid(
          `The method "${method}" does not apply to this output: ${traced.because}. Choose "auto" or "permutation".`,
        )
  }

  const natural = naturalSpace[traced.link]
  const hasTrees = traced.sum.trees.length > 0
  if (method === 'auto') {
    const canEnumerate = background !== undefined && 2 ** inputs * background.count <= evaluations
    const canAnswer = options.predict !== undefined || traced.link !== 'softmax'
    if (space === 'probability' && natural !== space && canEnumerate && canAnswer) {
      return byAnswers('contributions to a probability are asked for, which is not a sum')
    }
  } else {
    if (hasTrees !== method.startsWith('tree')) {
      invalid(
        `The method "${method}" does not apply: the output is ${hasTrees ? 'a sum of trees' : 'linear'}. Choose "auto".`,
      )
    }
    if (natural !== space && !(natural === 'score' && space === 'log_odds')) {
      invalid(`The method "${method}" explains this output in the space "${natural}": set explanation.space to it.`)
    }
  }
  const isCompared = options.predict !== undefined && background !== undefined
  if (isCompared && !(await agreesWithGraph(traced, inputs, background, options.predict))) {
    return method === 'auto'
      ? byAnswers(differs)
      : invalid(`The method "${method}" does not apply: ${differs}. Choose "auto" or "permutation".`)
  }
  const ofTrees = background === undefined ? 'tree_path_dependent' : 'tree_interventional'
  const chosen = method === 'auto' ? (hasTrees ? ofTrees : 'linear') : method
  return new AdditiveExplainer(traced, inputs, chosen, background)
}
