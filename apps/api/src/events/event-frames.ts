/** One event of a stream, before it is written. */
export interface StreamEvent {
  /** Id from which a client resumes after a lost connection; absent for events that are not repeated. */
  readonly id?: string
  /** e.g. `task.succeeded` */
  readonly event: string
  readonly data: unknown
}

/** Milliseconds after which a client that lost the connection tries again. */
const reconnectMs = 1_000

/** The first frame of a stream, so that its headers are sent at once; `id` is where a client resumes that receives no event. */
export const openingFrame = (id: string | undefined): string => `retry: ${reconnectMs}\n${idLine(id)}\n`

/** An event as the HTML standard frames it. JSON has no line breaks of its own, so one data line does. */
export const eventFrame = ({ id, event, data }: StreamEvent): string =>
  `${idLine(id)}event: ${event}\ndata: ${JSON.stringify(data)}\n\n`

/** A comment that keeps proxies from closing a silent stream; with `id` it moves the place to go on from. */
export const heartbeatFrame = (id: string | undefined): string => `: heartbeat\n${idLine(id)}\n`

const idLine = (id: string | undefined): string => (id === undefined ? '' : `id: ${id}\n`)
