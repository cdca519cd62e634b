import { MemoryGuardError } from '#libs/platform'
import {
  noneReplaced,
  type ComputeChild,
  type ComputePool,
  type ExplainedRows,
  type ExplainRequest,
  type GraphSpec,
  type OnComputed,
  type OutputTensors,
  type RunRequest,
} from './compute-pool.js'
import { GraphExplainers } from './graph-explainers.js'
import { modelFailure } from './model-failure.js'
import { OnnxEngine } from './onnx-engine.js'

/** Computes in this process: for debugging. It blocks the event loop and cannot enforce a hard limit. */
export class SoloPool implements ComputePool {
  private readonly engine = new OnnxEngine()
  private readonly explainers = new GraphExplainers(this.engine)
  private tasks = 0
  onComputed: OnComputed | undefined
  readonly replaced = noneReplaced()

  async load(graph: GraphSpec): Promise<void> {
    await this.engine.load(graph)
  }

  trial(graph: GraphSpec): Promise<OutputTensors> {
    return this.engine.load(graph)
  }

  run({ key, rows, count }: RunRequest): Promise<OutputTensors> {
    return this.compute('run', key, count, () => this.engine.run(key, rows, count))
  }

  explain({ key, output, rows, count, onProgress }: ExplainRequest): Promise<ExplainedRows> {
    return this.compute('explain', key, count, () => this.explainers.explain(key, output, rows, count, onProgress))
  }

  private async compute<Result>(
    kind: 'run' | 'explain',
    key: string,
    count: number,
    work: () => Promise<Result>,
  ): Promise<Result> {
    const start = performance.now()
    try {
      const result = await work()
      this.tasks += count
      this.onComputed?.(kind, key, count, (performance.now() - start) / 1000)
      return result
    } catch (cause) {
      if (cause instanceof MemoryGuardError) throw cause
      throw modelFailure(key, cause)
    }
  }

  async resize(): Promise<void> {
    throw new MemoryGuardError('REQUEST_INVALID', 'The solo pool has one member; use --pool prefork to resize it.')
  }

  async restart(): Promise<void> {
    throw new MemoryGuardError('REQUEST_INVALID', 'The solo pool is the worker itself: restart the worker.')
  }

  /** Nothing waits: work begins when it comes. */
  countWaiting(): number {
    return 0
  }

  get children(): readonly ComputeChild[] {
    return [{ pid: process.pid, busy: false, tasks: this.tasks, rssBytes: process.memoryUsage.rss() }]
  }

  async stop(): Promise<void> {
    // It has no process to end.
  }
}
