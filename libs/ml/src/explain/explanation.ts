import type { OnProgress } from './on-progress.js'
import type { Predict } from './sampling/function-shap.js'
import type { OutputColumn } from './tracing/trace-graph.js'
import type { CoverSource } from './trees/tree-reference.js'

/** What a manifest may ask for. */
export type RequestedMethod = 'auto' | 'tree_path_dependent' | 'tree_interventional' | 'linear' | 'permutation'

/** What was done; `exact` is the permutation method with all coalitions computed. */
export type ExplanationMethod = Exclude<RequestedMethod, 'auto'> | 'exact'

/**
 * In which contributions add up: log-odds of a probability, a probability (or other output) itself, or the score of
 * one class of several that goes into a softmax.
 */
export type ExplanationSpace = 'log_odds' | 'probability' | 'score'

export interface ExplainerOptions {
  /** The ONNX file. */
  readonly modelBytes: Uint8Array
  /** The answer to explain. */
  readonly output: OutputColumn
  /** Number of columns of the graph's input matrix. */
  readonly inputs: number
  /** Reference people, row-major, NaN for missing. Needed by all methods but `tree_path_dependent`. */
  readonly background?: Float64Array | Float32Array
  /** Default: `auto`, see `createExplainer`. */
  readonly method?: RequestedMethod
  /** Default: `log_odds`. `auto` prefers an exact method to the space asked for; other methods refuse another space. */
  readonly space?: 'log_odds' | 'probability'
  /** The graph's own answers for the output; needed by graphs that cannot be read as trees or as linear. */
  readonly predict?: Predict
  /** Answers that may be computed to explain one person by sampling. Default: 131072. */
  readonly evaluations?: number
  /** Most rows of one call of `predict`. Default: 4096. */
  readonly maxBatch?: number
  /** Of the sampled permutations. Default: 1. */
  readonly seed?: number
}

/** Explanations of several people; contributions of one person and `baseValue` add up to the person's `output`. */
export interface Explanation {
  /** One number per person and input, row-major. */
  readonly contributions: Float64Array
  /** The explained answer per person, in the space of the explainer. */
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
  /** Where path-dependent explanations took their covers. */
  readonly covers?: CoverSource
  /** Why no exact method for trees or linear models applies, where `auto` found none. */
  readonly because?: string
  /** Explains `count` people: `rows` is row-major in the order of the graph's columns, NaN for missing. */
  explain(rows: Float64Array | Float32Array, count: number, onProgress?: OnProgress): Promise<Explanation>
}
