import type { RiskManifest } from '../manifest/index.js'

/** How a manifest asks for explanations; `auto`: see `createExplainer`. */
export type RequestedMethod = RiskManifest['explanation']['method']
export type RequestedSpace = RiskManifest['explanation']['space']

/** How explanations are made; `exact` is the permutation method with all coalitions computed. */
export type ExplanationMethod = Exclude<RequestedMethod, 'auto'> | 'exact'

/**
 * In which contributions add up: log-odds of a probability, a probability (or other output) itself, or the score of
 * one class of several that goes into a softmax.
 */
export type ExplanationSpace = RequestedSpace | 'score'

/** Receives how much of the work is done, from explainers that take long. */
export type OnProgress = (done: number, total: number) => void

/** Outputs of a graph for `count` rows of inputs (row-major, NaN for missing). */
export type Predict = (rows: Float64Array, count: number) => Float64Array | Promise<Float64Array>

/** Reference people: row-major, NaN for missing, already rounded as the graph rounds its inputs. */
export interface BackgroundRows {
  readonly rows: Float64Array
  readonly count: number
}

/** Explanations of several people; contributions of one person and `baseValue` add up to the person's `output`. */
export interface Explanation {
  /** One number per person and input, row-major. */
  readonly contributions: Float64Array
  /** The explained output per person, in the space of the explainer. */
  readonly output: Float64Array
  /** Standard error of each contribution, where it was sampled. */
  readonly standardError?: Float64Array
}

export interface Explainer {
  readonly method: ExplanationMethod
  readonly space: ExplanationSpace
  /** Expected output over the reference people. */
  readonly baseValue: number
  readonly inputs: number
  /** Explains `count` people: `rows` is row-major in the order of the graph's columns, NaN for missing. */
  explain(rows: Float64Array | Float32Array, count: number, onProgress?: OnProgress): Promise<Explanation>
}
