import type { GraphSpec, OutputTensor, OutputTensors } from './compute-pool.js'
import { OnnxSession, OnnxTensor, type InferenceSession } from './onnxruntime.js'

interface LoadedGraph {
  readonly spec: GraphSpec
  readonly session: InferenceSession
  /** Rows of one run: most of them, or exactly so many if the graph declares a number. */
  readonly rowsAtOnce: number
  readonly hasFixedRows: boolean
}

/** Loads and runs graphs in this process. A run blocks the thread that calls it. */
export class OnnxEngine {
  private readonly graphs = new Map<string, LoadedGraph>()

  /**
   * Loads a graph and runs its warm-up rows.
   * @throws {Error} with onnxruntime's words if the file is no graph it can run or lacks the named tensors.
   */
  async load(spec: GraphSpec): Promise<OutputTensors> {
    const session = await OnnxSession.create(spec.file, {
      intraOpNumThreads: 1,
      interOpNumThreads: 1,
      executionMode: 'sequential',
      graphOptimizationLevel: 'all',
      // It prints by itself what it also throws, and that may name a person's values.
      logSeverityLevel: 4,
    }).catch(throwReason)
    if (!session.inputNames.includes(spec.input)) {
      throw new Error(`The graph has no input "${spec.input}"; it has ${session.inputNames.join(', ')}`)
    }
    for (const output of spec.outputs) {
      if (!session.outputNames.includes(output)) {
        throw new Error(`The graph has no output "${output}"; it has ${session.outputNames.join(', ')}`)
      }
    }
    const fixedRows = fixedRowsOf(session, spec.input)
    const rowsAtOnce = fixedRows ?? spec.maxBatch
    this.graphs.set(spec.key, { spec, session, rowsAtOnce, hasFixedRows: fixedRows !== undefined })
    return this.warmUp(spec)
  }

  /** How a loaded graph was described. */
  specOf(key: string): GraphSpec {
    return this.get(key).spec
  }

  /**
   * Runs rows; in parts if there are more than the graph takes at once, and the last part filled up with copies if
   * it takes exactly so many.
   * @throws {Error} with onnxruntime's words, numbers struck out: it names values at which a graph fails.
   */
  async run(key: string, rows: Float32Array, count: number): Promise<OutputTensors> {
    const graph = this.get(key)
    const { spec, rowsAtOnce, hasFixedRows } = graph
    if (hasFixedRows ? count === rowsAtOnce : count <= rowsAtOnce) return runOnce(graph, rows, count)
    const all: Record<string, { data: number[]; columns: number }> = {}
    for (let first = 0; first < count; first += rowsAtOnce) {
      const many = Math.min(rowsAtOnce, count - first)
      const part = rows.subarray(first * spec.width, (first + many) * spec.width)
      const outputs =
        hasFixedRows && many < rowsAtOnce
          ? await runOnce(graph, filledUp(part, rowsAtOnce * spec.width), rowsAtOnce)
          : await runOnce(graph, part.slice(), many)
      for (const [name, { data, columns }] of Object.entries(outputs)) {
        const output = (all[name] ??= { data: [], columns })
        for (const value of data.subarray(0, many * columns)) output.data.push(value)
      }
    }
    return Object.fromEntries(
      Object.entries(all).map(([name, { data, columns }]) => [name, { data: Float64Array.from(data), columns }]),
    )
  }

  private async warmUp({ key, warmUp: { rows, count } }: GraphSpec): Promise<OutputTensors> {
    return count === 0 ? {} : this.run(key, rows, count)
  }

  private get(key: string): LoadedGraph {
    const graph = this.graphs.get(key)
    if (!graph) throw new Error(`The model ${key} is not loaded`)
    return graph
  }
}

/** The number of rows that a graph declares for its input; undefined if it takes any number. */
const fixedRowsOf = (session: InferenceSession, input: string): number | undefined => {
  const found = session.inputMetadata.find(({ name }) => name === input)
  const [rows] = found?.isTensor ? found.shape : []
  return typeof rows === 'number' && rows > 0 ? rows : undefined
}

const filledUp = (rows: Float32Array, length: number): Float32Array => {
  const filled = new Float32Array(length)
  for (let at = 0; at < length; at += rows.length) filled.set(rows.subarray(0, Math.min(rows.length, length - at)), at)
  return filled
}

const runOnce = async ({ spec, session }: LoadedGraph, rows: Float32Array, count: number): Promise<OutputTensors> => {
  const shape = [count, spec.width]
  const input =
    spec.dtype === 'float32'
      ? new OnnxTensor('float32', rows, shape)
      : new OnnxTensor('float64', Float64Array.from(rows), shape)
  const tensors = await session.run({ [spec.input]: input }, [...spec.outputs]).catch(throwWithoutNumbers)
  const outputs: Record<string, OutputTensor> = {}
  for (const name of spec.outputs) {
    const data = tensors[name]?.data
    if (!(data instanceof Float32Array || data instanceof Float64Array) || data.length % count !== 0) {
      throw new Error(`The output "${name}" is no matrix of floating-point numbers with a row for each input row`)
    }
    outputs[name] = { data, columns: data.length / count }
  }
  return outputs
}

/** The reason alone: the runtime's message begins with a place in its own source. */
const throwReason = (error: unknown): never => {
  const words = error instanceof Error ? error.message : String(error)
  const start = words.includes('/onnxruntime_src/') ? words.lastIndexOf('] ') + 1 : 0
  throw new Error(words.slice(start).trim(), { cause: error })
}

const throwWithoutNumbers = (error: unknown): never => {
  const words = error instanceof Error ? error.message : 'The graph failed'
  throw new Error(words.replaceAll(/\d+(?:\.\d+)?/g, '#'))
}
