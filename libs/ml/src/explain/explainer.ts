import { MemoryGuardError } from '#libs/platform'
import type { TensorColumn } from '../manifest/index.js'
import { readOnnxModel } from '../onnx/index.js'
import { AdditiveExplainer, naturalSpace, roundRows } from './additive-explainer.js'
import type { BackgroundRows, Explainer, Predict, RequestedMethod, RequestedSpace } from './explanation.js'
import { FunctionExplainer } from './sampling/function-explainer.js'
import { traceGraph, type Additive } from './tracing/trace-graph.js'
import { evaluateSum } from './trees/additive-sum.js'

export interface ExplainerOptions {
  /** The ONNX file. */
  readonly modelBytes: Uint8Array
  /** The output to explain. */
  readonly output: TensorColumn
  /** Number of columns of the graph's input matrix. */
  readonly inputs: number
  /** Reference people, row-major, NaN for missing. Needed by all methods but `tree_path_dependent`. */
  readonly background?: Float64Array | Float32Array
  /** Default: `auto`. */
  readonly method?: RequestedMethod
  /** Default: `log_odds`. `auto` prefers an exact method to the space asked for; other methods reject another space. */
  readonly space?: RequestedSpace
  /** The graph's own values of the output; needed by graphs that cannot be read as trees or as linear. */
  readonly predict?: Predict
  /** Values that may be computed to explain one person by sampling. Default: 131072. */
  readonly evaluations?: number
  /** Most rows of one call of `predict`. Default: 4096. */
  readonly maxBatch?: number
  /** Of the sampled permutations. Default: 1. */
  readonly seed?: number
}

const invalid = (message: string): never => {
  throw new MemoryGuardError('MODEL_INVALID', message)
}

const logistic = (x: number): number => 1 / (1 + Math.exp(-x))

/** The graph's outputs from what was read of it; undefined where they depend on other classes too. */
const ownPredict = ({ sum, link, roundsInputs }: Additive, inputs: number): Predict | undefined => {
  if (link === 'softmax') return undefined
  return (rows, count) => {
    const own = roundRows(rows, roundsInputs)
    return Float64Array.from({ length: count }, (_, row) => {
      const value = evaluateSum(sum, own, row * inputs)
      return link === 'logistic' ? logistic(value) : value
    })
  }
}

/** Background people whose outputs are compared with the graph's before an exact explainer may speak for it. */
const comparedRows = 32
/** Float32 sums of many trees differ from ours by much less. */
const comparedTolerance = 1e-4

/** Whether the graph computes the same as what was read of it. */
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

const backgroundOf = (
  rows: Float64Array | Float32Array | undefined,
  inputs: number,
  roundsInputs: boolean,
): BackgroundRows | undefined => {
  if (rows === undefined) return undefined
  if (rows.length === 0 || rows.length % inputs !== 0) {
    invalid(`The background must hold whole rows of ${inputs} inputs.`)
  }
  return { rows: roundRows(rows, roundsInputs), count: rows.length / inputs }
}

/** Rejects a method that a manifest names and that does not explain this output in this space. */
const assertApplies = (method: RequestedMethod, space: RequestedSpace, { sum, link }: Additive): void => {
  const hasTrees = sum.trees.length > 0
  const natural = naturalSpace[link]
  if (hasTrees !== method.startsWith('tree')) {
    const found = hasTrees ? 'a sum of trees' : 'linear'
    invalid(`The method "${method}" does not apply: the output is ${found}. Choose "auto".`)
  }
  if (natural !== space && !(natural === 'score' && space === 'log_odds')) {
    invalid(`The method "${method}" explains this output in the space "${natural}": set explanation.space to it.`)
  }
}

/**
 * Makes the explainer of one output of an ONNX graph. `auto` takes, in this order: interventional Tree SHAP (path-
 * dependent if there is no background) or linear SHAP where the output is a sum of trees or of functions of single
 * inputs, in log-odds or as it is; all coalitions of inputs, if the budget allows it; sampled permutations. It changes
 * the space asked for only where this makes the explanation exact.
 * @throws {MemoryGuardError} MODEL_INVALID for a broken file, an absent output, or a method, space or background that
 * does not fit.
 */
export const createExplainer = async (options: ExplainerOptions): Promise<Explainer> => {
  const { inputs, output, method = 'auto', space = 'log_odds', predict } = options
  const { evaluations = 131_072, maxBatch = 4096, seed = 1 } = options
  const traced = traceGraph(readOnnxModel(options.modelBytes), output, inputs)
  const background = backgroundOf(options.background, inputs, traced.kind === 'additive' && traced.roundsInputs)

  const byRunning = async (because: string): Promise<Explainer> => {
    const run = predict ?? (traced.kind === 'additive' ? ownPredict(traced, inputs) : undefined)
    if (!run) return invalid(`This output can be explained only by running the graph, because ${because}.`)
    return FunctionExplainer.create({ inputs, background, predict: run, evaluations, maxBatch, seed }, space)
  }
  const unlessNamed = (because: string): Promise<Explainer> =>
    method === 'auto'
      ? byRunning(because)
      : invalid(`The method "${method}" does not apply to this output: ${because}. Choose "auto" or "permutation".`)

  if (method === 'permutation') return byRunning('the manifest asks for it')
  if (traced.kind === 'opaque') return unlessNamed(traced.because)
  if (method === 'auto') {
    const isOtherSpace = space === 'probability' && naturalSpace[traced.link] !== space
    const canEnumerate = background !== undefined && 2 ** inputs * background.count <= evaluations
    if (isOtherSpace && canEnumerate && (predict || traced.link !== 'softmax')) {
      return byRunning('contributions to a probability are asked for, which is not a sum')
    }
  } else assertApplies(method, space, traced)
  if (predict && background && !(await agreesWithGraph(traced, inputs, background, predict))) {
    return unlessNamed('the graph, read as trees or as linear, has other outputs than when it is run')
  }
  const ofTrees = background === undefined ? 'tree_path_dependent' : 'tree_interventional'
  const chosen = method === 'auto' ? (traced.sum.trees.length > 0 ? ofTrees : 'linear') : method
  return new AdditiveExplainer(traced, inputs, chosen, background)
}
