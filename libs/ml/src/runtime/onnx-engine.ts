import type { GraphSpec, OutputTensor, OutputTensors } from './compute-pool.js'
import { OnnxSession, OnnxTensor, type InferenceSession } from './onnxruntime.js'

interface LoadedGraph {
  readonly spec: GraphSpec
  readonly session: InferenceSession
}

/** Loads and runs graphs in this process. A run blocks the thread that calls it. */
export class OnnxEngine {
  private readonly graphs = new Map<string, LoadedGraph>()

  /**
   * Loads a graph and answers for its warm-up rows.
   * @throws Error with onnxruntime's words if the file is no graph it can run or lacks the named tensors.
   */
  async load(spec: GraphSpec): Promise<OutputTensors> {
    const session = await OnnxSession.create(spec.file, {
      intraOpNumThreads: 1,
      interOpNumThreads: 1,
      executionMode: 'sequential',
      graphOptimizationLevel: 'all',
      // It prints by itself what it also throws, and that may name a person's values.
      logSeverityLevel: 4,
    })
    if (!session.inputNames.includes(spec.input)) {
      throw new Error(`The graph has no input "${spec.input}"; it has ${session.inputNames.join(', ')}`)
    }
    for (const output of spec.outputs) {
      if (!session.outputNames.includes(output)) {
        throw new Error(`The graph has no output "${output}"; it has ${session.outputNames.join(', ')}`)
      }
    }
    this.graphs.set(spec.key, { spec, session })
    return this.warmUp(spec)
  }

  /** How a loaded graph was described. */
  specOf(key: string): GraphSpec {
    return this.get(key).spec
  }

  /** @throws Error with onnxruntime's words, numbers struck out: it names values at which a graph fails. */
  async run(key: string, rows: Float32Array, count: number): Promise<OutputTensors> {
    const { spec, session } = this.get(key)
    const shape = [count, spec.width]
    const input =
      spec.dtype === 'float32'
        ? new OnnxTensor('float32', rows, shape)
        : new OnnxTensor('float64', Float64Array.from(rows), shape)
    const answer = await session.run({ [spec.input]: input }, [...spec.outputs]).catch(throwWithoutNumbers)
    const outputs: Record<string, OutputTensor> = {}
    for (const name of spec.outputs) {
      const tensor = answer[name]
      const data = tensor?.data
      if (!(data instanceof Float32Array || data instanceof Float64Array) || data.length % count !== 0) {
        throw new Error(`The output "${name}" is no matrix of floating-point numbers with a row for each input row`)
      }
      outputs[name] = { data, columns: data.length / count }
    }
    return outputs
  }

  private async warmUp({ key, warmUp: { rows, count }, width, maxBatch }: GraphSpec): Promise<OutputTensors> {
    const answers: Record<string, { data: number[]; columns: number }> = {}
    for (let first = 0; first < count; first += maxBatch) {
      const many = Math.min(maxBatch, count - first)
      const part = await this.run(key, rows.slice(first * width, (first + many) * width), many)
      for (const [name, { data, columns }] of Object.entries(part)) {
        const answer = (answers[name] ??= { data: [], columns })
        for (const value of data) answer.data.push(value)
      }
    }
    return Object.fromEntries(
      Object.entries(answers).map(([name, { data, columns }]) => [name, { data: Float64Array.from(data), columns }]),
    )
  }

  private get(key: string): LoadedGraph {
    const graph = this.graphs.get(key)
    if (!graph) throw new Error(`The model ${key} is not loaded`)
    return graph
  }
}

const throwWithoutNumbers = (error: unknown): never => {
  const words = error instanceof Error ? error.message : 'The graph failed'
  throw new Error(words.replaceAll(/\d+(?:\.\d+)?/g, '#'))
}
