/**
 * Entry of a compute child: a process with nothing in it but onnxruntime. It talks to its parent over the IPC channel
 * and ends with it. It ignores SIGINT and SIGTERM, which a terminal or supervisor sends to the whole group: the parent
 * decides when its children end.
 */
import type { ErrorCode } from '#libs/platform'
import type { TensorColumn } from '../manifest/index.js'
import type { ExplainedRows, GraphSpec, OutputTensors } from './compute-pool.js'
import { GraphExplainers } from './graph-explainers.js'
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
  | {
      readonly id: number
      readonly kind: 'explain'
      readonly key: string
      readonly output: TensorColumn
      readonly rows: Float32Array
      readonly count: number
    }

/** What a child answers, by the kind of the request. */
export type ChildResult = OutputTensors | ExplainedRows

export type ChildReply = {
  readonly id: number
  /** Resident memory after the work, in bytes. */
  readonly rssBytes: number
} & (
  | { readonly answer: ChildResult }
  /** The answer is still to come. */
  | { readonly progress: { readonly done: number; readonly total: number } }
  /** `code` where the failure is one of ours, whose message may be shown. */
  | { readonly error: string; readonly code?: ErrorCode }
)

const engine = new OnnxEngine()
const explainers = new GraphExplainers(engine)

const answer = async (request: ChildRequest): Promise<ChildResult> => {
  switch (request.kind) {
    case 'load':
      return engine.load(request.graph)
    case 'run':
      return engine.run(request.key, request.rows, request.count)
    case 'explain':
      return explainers.explain(request.key, request.output, request.rows, request.count, progressOf(request.id))
  }
}

/** Least time between two words of progress, in milliseconds. */
const progressMs = 250

const progressOf = (id: number) => {
  let toldAt = performance.now()
  return (done: number, total: number): void => {
    const now = performance.now()
    if (now - toldAt < progressMs) return
    toldAt = now
    reply({ id, rssBytes: process.memoryUsage.rss(), progress: { done, total } })
  }
}

/** The code of an error of ours; known by its name, because its class would bring the whole platform into the child. */
const codeOf = (error: unknown): { readonly code?: ErrorCode } =>
  error instanceof Error && error.name === 'MemoryGuardError' && 'code' in error
    ? { code: error.code as ErrorCode }
    : {}

const reply = (message: ChildReply): void => {
  process.send?.(message)
}

process.on('SIGINT', () => undefined)
process.on('SIGTERM', () => undefined)
process.on('disconnect', () => process.exit(0))
process.on('message', (request: ChildRequest) => {
  answer(request).then(
    (given) => reply({ id: request.id, rssBytes: process.memoryUsage.rss(), answer: given }),
    (error: unknown) =>
      reply({
        id: request.id,
        rssBytes: process.memoryUsage.rss(),
        error: error instanceof Error ? error.message : String(error),
        ...codeOf(error),
      }),
  )
})
