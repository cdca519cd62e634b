import type { Explainer, Explanation, OnProgress, RequestedMethod, RequestedSpace } from '../explain/explanation.js'
import type { TensorColumn } from '../manifest/index.js'

/** An ONNX graph as a pool loads it. */
export interface GraphSpec {
  /** `name@version` */
  readonly key: string
  /** Absolute path of the ONNX file. */
  readonly file: string
  readonly input: string
  readonly dtype: 'float32' | 'float64'
  /** Number of feature columns. */
  readonly width: number
  /** Names of the output tensors to fetch. */
  readonly outputs: readonly string[]
  /** Most rows of one run. */
  readonly maxBatch: number
  /** Rows that are computed before the graph may serve, so that no caller pays for its first run. */
  readonly warmUp: { readonly rows: Float32Array; readonly count: number }
  /** How its outputs are explained. */
  readonly explanation?: {
    readonly method: RequestedMethod
    readonly space: RequestedSpace
    /** Reference people, row-major in the order of the columns, NaN for missing. */
    readonly background?: Float32Array
  }
}

/** Values of one output tensor, row by row. */
export interface OutputTensor {
  readonly data: Float32Array | Float64Array
  /** Columns in each row. */
  readonly columns: number
}

export type OutputTensors = Readonly<Record<string, OutputTensor>>

/** Rows for a loaded graph. */
export interface GraphRows {
  readonly key: string
  /** Row-major feature matrix, `count` x the graph's width. */
  readonly rows: Float32Array
  readonly count: number
}

export interface RunRequest extends GraphRows {
  /** Hard limit in milliseconds: what computes longer is killed. */
  readonly timeoutMs: number
  /** No one waits for it: runs that someone waits for go first. Default: false. */
  readonly isBulk?: boolean
  /** When it is aborted, the run ends with its reason, and the child that computes it is killed. */
  readonly killSignal?: AbortSignal | undefined
}

/** Asks how much each input moved one output of some rows. */
export interface ExplainRequest extends RunRequest {
  readonly output: TensorColumn
  readonly onProgress?: OnProgress | undefined
}

/** Explained rows, and how: the contributions of one row and `baseValue` add up to the row's `output`, in `space`. */
export type ExplainedRows = Explanation & Pick<Explainer, 'method' | 'space' | 'baseValue'>

/** A member of the pool as operators see it. */
export interface ComputeChild {
  readonly pid: number
  readonly busy: boolean
  /** Rows computed so far. */
  readonly tasks: number
  readonly rssBytes: number
}

/** Why a child was replaced. */
export type ReplacementReason = 'max_tasks' | 'max_memory' | 'operator' | 'hard_limit' | 'crashed'

/** Children that were replaced, by reason: none yet. */
export const noneReplaced = (): Record<ReplacementReason, number> => ({
  max_tasks: 0,
  max_memory: 0,
  operator: 0,
  hard_limit: 0,
  crashed: 0,
})

/** `key` is that of the graph. */
export type OnComputed = (kind: 'run' | 'explain', key: string, rows: number, seconds: number) => void

/**
 * Where graphs are computed. Errors of `run`: MODEL_OUTPUT_INVALID if the graph fails, TASK_HARD_TIME_LIMIT if it took
 * too long, TASK_CHILD_LOST if its process died.
 */
export interface ComputePool {
  /** Called after each run or explanation of a graph that succeeded. */
  onComputed: OnComputed | undefined
  /** How many children were replaced, by reason. */
  readonly replaced: Readonly<Record<ReplacementReason, number>>
  /**
   * Loads a graph where nothing else is computed, so that one that hangs or crashes disturbs no other, and returns its
   * outputs for the warm-up rows. Rejects with the runtime's own message.
   */
  trial(graph: GraphSpec): Promise<OutputTensors>
  /** Loads a graph wherever the pool computes, now and after every replacement. */
  load(graph: GraphSpec): Promise<void>
  run(request: RunRequest): Promise<OutputTensors>
  /** Errors as of `run`, and MODEL_INVALID if the output cannot be explained as the model asks. */
  explain(request: ExplainRequest): Promise<ExplainedRows>
  /** Changes the number of children. */
  resize(size: number): Promise<void>
  /** Replaces every child; each goes when it has done its run and its successor is ready. */
  restart(): Promise<void>
  readonly children: readonly ComputeChild[]
  /** Runs and explanations that have waited this long for a child. */
  countWaiting(longerThanMs: number): number
  /** Ends every child at once. Work under way is rejected with TASK_CHILD_LOST. */
  stop(): Promise<void>
}

/** Longest time that a child may take to start and load a graph. */
export const loadTimeoutMs = 60_000

/** Injection token of the process's `ComputePool`. */
export const COMPUTE_POOL = Symbol('COMPUTE_POOL')
