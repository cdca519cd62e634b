/**
 * Entry of a compute child: a process with nothing in it but onnxruntime. It talks to its parent over the IPC channel
 * and ends with it. It ignores SIGINT and SIGTERM, which a terminal or supervisor sends to the whole group: the parent
 * decides when its children end.
 */
import type { ErrorCode } from '#libs/platform'
import type { TensorColumn } from '../manifest/index.js'
import type { ExplainedRows, GraphRows, GraphSpec, OutputTensors } from './compute-pool.js'
import { GraphExplainers } from './graph-explainers.js'
import { OnnxEngine } from './onnx-engine.js'

export type ChildWork =
  | { readonly kind: 'load'; readonly graph: GraphSpec }
  | (GraphRows & { readonly kind: 'run' })
  | (GraphRows & { readonly kind: 'explain'; readonly output: TensorColumn })

export type ChildRequest = ChildWork & { readonly id: number }

/** What a child returns, by the kind of the request. */
export type ChildResult = OutputTensors | ExplainedRows

export type ChildReply =
  | { readonly result: ChildResult }
  /** The result is still to come. */
  | { readonly progress: { readonly done: number; readonly total: number } }
  /** `code` where the failure is one of ours, whose message may be shown. */
  | { readonly error: string; readonly code?: ErrorCode }

/** A reply to the request `id`, with the resident memory after the work, in bytes. */
export type ChildMessage = ChildReply & { readonly id: number; readonly rssBytes: number }

const engine = new OnnxEngine()
const explainers = new GraphExplainers(engine)

const handle = async (request: ChildRequest): Promise<ChildResult> => {
  switch (request.kind) {
    case 'load':
      return engine.load(request.graph)
    case 'run':
      return engine.run(request.key, request.rows, request.count)
    case 'explain':
      return explainers.explain(request.key, request.output, request.rows, request.count, progressOf(request.id))
  }
}

/** Least time between two messages of progress, in milliseconds. */
const progressMs = 250

const progressOf = (id: number) => {
  let sentAt = performance.now()
  return (done: number, total: number): void => {
    const now = performance.now()
    if (now - sentAt < progressMs) return
    sentAt = now
    reply(id, { progress: { done, total } })
  }
}

/** Whether an error is a `MemoryGuardError`; known by its name, because its class would load the whole platform. */
const isOurs = (error: unknown): error is Error & { readonly code: ErrorCode } =>
  error instanceof Error && error.name === 'MemoryGuardError' && 'code' in error

const reply = (id: number, message: ChildReply): void => {
  process.send?.({ id, rssBytes: process.memoryUsage.rss(), ...message } satisfies ChildMessage)
}

process.on('SIGINT', () => undefined)
process.on('SIGTERM', () => undefined)
process.on('disconnect', () => process.exit(0))
process.on('message', (request: ChildRequest) => {
  const { id } = request
  handle(request).then(
    (result) => reply(id, { result }),
    (error: unknown) =>
      reply(id, {
        error: error instanceof Error ? error.message : String(error),
        ...(isOurs(error) && { code: error.code }),
      }),
  )
})
