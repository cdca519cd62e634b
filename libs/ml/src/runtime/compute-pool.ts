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
}

/** Values of one output tensor, row by row. */
export interface OutputTensor {
  readonly data: Float32Array | Float64Array
  /** Columns in each row. */
  readonly columns: number
}

export type OutputTensors = Readonly<Record<string, OutputTensor>>

export interface RunRequest {
  readonly key: string
  /** Row-major feature matrix, `count` x the graph's width. */
  readonly rows: Float32Array
  readonly count: number
  /** Hard limit in milliseconds: what computes longer is killed. */
  readonly timeoutMs: number
  /** When it is aborted, the run ends with its reason, and the child that computes it is killed. */
  readonly killSignal?: AbortSignal
}

/** A member of the pool as operators see it. */
export interface ComputeChild {
  readonly pid: number
  readonly busy: boolean
  /** Rows computed so far. */
  readonly tasks: number
  readonly rssBytes: number
}

/**
 * Where graphs are computed. Errors of `run`: MODEL_OUTPUT_INVALID if the graph fails, TASK_HARD_TIME_LIMIT if it took
 * too long, TASK_CHILD_LOST if its process died.
 */
export interface ComputePool {
  /** Loads a graph wherever the pool computes, now and after every replacement. */
  load(graph: GraphSpec): Promise<void>
  run(request: RunRequest): Promise<OutputTensors>
  /** Changes the number of children. */
  resize(size: number): Promise<void>
  /** Replaces every child; each goes when it has done its run and its successor is ready. */
  restart(): Promise<void>
  readonly children: readonly ComputeChild[]
  /** Ends every child at once. Work under way is rejected with TASK_CHILD_LOST. */
  stop(): Promise<void>
}

/** Injection token of the process's `ComputePool`. */
export const COMPUTE_POOL = Symbol('COMPUTE_POOL')
