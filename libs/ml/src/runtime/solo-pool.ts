import { MemoryGuardError } from '#libs/platform'
import type { ComputeChild, ComputePool, GraphSpec, OutputTensors, RunRequest } from './compute-pool.js'
import { OnnxEngine } from './onnx-engine.js'

/** Computes in this process: for debugging. It blocks the event loop and cannot enforce a hard limit. */
export class SoloPool implements ComputePool {
  private readonly engine = new OnnxEngine()
  private tasks = 0

  load(graph: GraphSpec): Promise<void> {
    return this.engine.load(graph)
  }

  async run({ key, rows, count }: RunRequest): Promise<OutputTensors> {
    try {
      const outputs = await this.engine.run(key, rows, count)
      this.tasks += count
      return outputs
    } catch (cause) {
      throw new MemoryGuardError('MODEL_OUTPUT_INVALID', `The model ${key} failed.`, { cause, retryable: true })
    }
  }

  async resize(): Promise<void> {
    throw new MemoryGuardError('REQUEST_INVALID', 'The solo pool has one member; use --pool prefork to resize it.')
  }

  async restart(): Promise<void> {
    throw new MemoryGuardError('REQUEST_INVALID', 'The solo pool is the worker itself: restart the worker.')
  }

  get children(): readonly ComputeChild[] {
    return [{ pid: process.pid, busy: false, tasks: this.tasks, rssBytes: process.memoryUsage.rss() }]
  }

  async stop(): Promise<void> {
    // Nothing of its own to end.
  }
}
