/**
 * Entry of a compute child: a process with nothing in it but onnxruntime. It talks to its parent over the IPC channel
 * and ends with it. It ignores SIGINT and SIGTERM, which a terminal or supervisor sends to the whole group: the parent
 * decides when its children end.
 */
import type { GraphSpec, OutputTensors } from './compute-pool.js'
import { OnnxEngine } from './onnx-engine.js'

export type ChildRequest =
  | { readonly id: number; readonly kind: 'load'; readonly graph: GraphSpec }
  | {
      readonly id: number
      readonly kind: 'run'
      readonly key: string
      readonly rows: Float32Array
      readonly count: number
    }

export type ChildReply = {
  readonly id: number
  /** Resident memory after the work, in bytes. */
  readonly rssBytes: number
} & ({ readonly outputs: OutputTensors | null } | { readonly error: string })

const engine = new OnnxEngine()

const answer = async (request: ChildRequest): Promise<OutputTensors | null> => {
  if (request.kind === 'load') {
    await engine.load(request.graph)
    return null
  }
  return engine.run(request.key, request.rows, request.count)
}

const reply = (message: ChildReply): void => {
  process.send?.(message)
}

process.on('SIGINT', () => undefined)
process.on('SIGTERM', () => undefined)
process.on('disconnect', () => process.exit(0))
process.on('message', (request: ChildRequest) => {
  answer(request).then(
    (outputs) => reply({ id: request.id, rssBytes: process.memoryUsage.rss(), outputs }),
    (error: unknown) =>
      reply({
        id: request.id,
        rssBytes: process.memoryUsage.rss(),
        error: error instanceof Error ? error.message : String(error),
      }),
  )
})
