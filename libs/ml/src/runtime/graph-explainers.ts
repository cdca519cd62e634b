import { readFile } from 'node:fs/promises'
import type { OnProgress } from '../explain/explanation.js'
import type { Explainer } from '../explain/index.js'
import type { TensorColumn } from '../manifest/index.js'
import type { ExplainedRows, GraphSpec } from './compute-pool.js'
import type { OnnxEngine } from './onnx-engine.js'

/**
 * Explains the graphs of an engine in this process. The code that explains is loaded at the first explanation, and an
 * explainer is made once for each output of a graph: a process that never explains pays for neither.
 */
export class GraphExplainers {
  /** By graph, as it was loaded last, and output. */
  private readonly explainers = new WeakMap<GraphSpec, Map<string, Promise<Explainer>>>()

  constructor(private readonly engine: OnnxEngine) {}

  /**
   * @throws {MemoryGuardError} MODEL_INVALID if the output cannot be explained as the model asks, MODEL_OUTPUT_INVALID
   * if the graph returns no number for a mixed row.
   */
  async explain(
    key: string,
    column: TensorColumn,
    rows: Float32Array,
    count: number,
    onProgress?: OnProgress,
  ): Promise<ExplainedRows> {
    const explainer = await this.get(key, column)
    const { method, space, baseValue } = explainer
    return { method, space, baseValue, ...(await explainer.explain(rows, count, onProgress)) }
  }

  private get(key: string, column: TensorColumn): Promise<Explainer> {
    const spec = this.engine.specOf(key)
    const ofGraph = this.explainers.get(spec) ?? new Map<string, Promise<Explainer>>()
    this.explainers.set(spec, ofGraph)
    const name = `${column.column} ${column.tensor}`
    const known = ofGraph.get(name)
    if (known) return known
    const made = this.create(spec, column)
    ofGraph.set(name, made)
    // What failed once is tried anew: the reason may have passed.
    made.catch(() => ofGraph.delete(name))
    return made
  }

  private async create(spec: GraphSpec, output: TensorColumn): Promise<Explainer> {
    const { createExplainer } = await import('../explain/index.js')
    const { key, file, width, maxBatch, explanation } = spec
    if (!explanation) throw new Error(`The model ${key} was loaded without saying how it is explained`)
    const { method, space, background } = explanation
    return createExplainer({
      modelBytes: await readFile(file),
      inputs: width,
      output,
      method,
      space,
      maxBatch,
      ...(background && { background }),
      predict: async (rows, count) => {
        const tensors = await this.engine.run(key, Float32Array.from(rows), count)
        const { data, columns } = tensors[output.tensor] ?? { data: new Float64Array(0), columns: 0 }
        return Float64Array.from({ length: count }, (_, row) =>
          output.column < columns ? (data[row * columns + output.column] ?? NaN) : NaN,
        )
      },
    })
  }
}
