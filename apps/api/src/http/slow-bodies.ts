import { randomUUID } from 'node:crypto'
import { STATUS_CODES } from 'node:http'
import type { Socket } from 'node:net'
import type { FastifyRequest } from 'fastify'
import type { Problem } from './problem.js'
import { securityHeaders } from './security-headers.js'

/** How long a request may take to arrive, with its body, in milliseconds. */
const requestMs = 60_000
/** How long its head may take, in milliseconds: nobody knows yet who sends it. */
const headMs = 15_000
/** Largest head of a request, in bytes. */
const maxHeadBytes = 16_384
/** How long an upload may take. */
const uploadMs = 15 * 60_000

/** How long a body that holds memory may make no progress, in milliseconds, and what counts as progress, in bytes. */
const patienceMs = 5_000
const leastProgressBytes = 16_384

/** Connections with an upload of a caller whose key is known. */
const uploading = new WeakSet<Socket>()

/** Gives the body of this request the time of an upload. */
export const allowUpload = ({ raw }: FastifyRequest, longestMs = uploadMs): void => {
  uploading.add(raw.socket)
  const timer = setTimeout(() => raw.destroy(), longestMs).unref()
  raw.once('close', () => {
    clearTimeout(timer)
    uploading.delete(raw.socket)
  })
}

/**
 * Ends the connection of a request whose body comes too slowly to keep memory for it.
 * @returns what stops the watch.
 */
export const cutIfTooSlow = ({ raw }: FastifyRequest, everyMs = patienceMs): (() => void) => {
  const { socket } = raw
  let seen = socket.bytesRead
  const timer = setInterval(() => {
    if (raw.complete) return clearInterval(timer)
    if (socket.bytesRead - seen < leastProgressBytes) endConnection(new LateError(), socket)
    seen = socket.bytesRead
  }, everyMs).unref()
  return () => clearInterval(timer)
}

/** The error that Node reports for a request that times out. */
class LateError extends Error {
  readonly code = 'ERR_HTTP_REQUEST_TIMEOUT'
}

const responses: Readonly<Record<string, readonly [status: number, detail: string]>> = {
  ERR_HTTP_REQUEST_TIMEOUT: [408, 'The request took too long to arrive. Send it again.'],
  HPE_HEADER_OVERFLOW: [431, 'The headers are too large.'],
}

/** Ends a connection whose request is not HTTP or does not arrive, with a problem. */
const endConnection = (error: Error & { readonly code?: string }, socket: Socket): void => {
  if (error.code === 'ECONNRESET' || socket.destroyed) return
  // Node reports a request that times out once, and continues to read it unless someone closes the connection.
  if (error.code === 'ERR_HTTP_REQUEST_TIMEOUT' && uploading.has(socket)) return
  const [status, detail] = responses[error.code ?? ''] ?? [400, 'This is not an HTTP request.']
  const title = STATUS_CODES[status] ?? ''
  const problem: Problem = {
    type: 'about:blank',
    title,
    status,
    code: 'REQUEST_MALFORMED',
    detail,
    errors: [],
    request_id: randomUUID(),
  }
  const body = JSON.stringify(problem)
  const head = [
    `HTTP/1.1 ${status} ${title}`,
    'connection: close',
    'content-type: application/problem+json',
    `content-length: ${Buffer.byteLength(body)}`,
    `x-request-id: ${problem.request_id}`,
    ...Object.entries(securityHeaders).map(([name, value]) => `${name}: ${value}`),
  ]
  if (socket.writable) socket.write(`${head.join('\r\n')}\r\n\r\n${body}`)
  socket.destroy(error)
}

/** Options of the server by which a request that arrives slowly, or never, does not hold its connection. */
export const slowBodyOptions = (requestTimeout = requestMs) => ({
  requestTimeout,
  // Node checks for late requests only if the head may not take longer than the whole.
  http: {
    requestTimeout,
    headersTimeout: Math.min(requestTimeout, headMs),
    connectionsCheckingInterval: requestTimeout / 12,
    maxHeaderSize: maxHeadBytes,
  },
  clientErrorHandler: endConnection,
})
