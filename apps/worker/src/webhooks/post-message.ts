import { request as requestPlain, type ClientRequest } from 'node:http'
import { request as requestSecure } from 'node:https'
import { isIP, type LookupFunction } from 'node:net'
import { isPublicAddress, productVersion } from '#libs/platform'
import { AddressRefusedError } from './checked-lookup.js'

/** A message to be posted. */
export interface PostedMessage {
  readonly url: string
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
  /** From the first byte to the last. */
  readonly timeoutMs: number
  /** Resolves names, and refuses those that may not be connected to. */
  readonly lookup: LookupFunction
  /** A literal address may be private, and http is allowed. */
  readonly mayBePrivate: boolean
  readonly signal: AbortSignal
}

/** Most bytes of a response that are read; it is read only to leave the connection in order, and never kept. */
const maxResponseBytes = 64 * 1024

/**
 * Posts JSON and returns the status. Redirects are not followed, the connection is not used again, and what the
 * receiver says besides its status is thrown away.
 * @throws Error whose `code` or `name` says why there is no status; AddressRefusedError for an address that is not
 * public, found when the connection is made.
 */
export const postMessage = async (message: PostedMessage): Promise<number> => {
  const { url, body, timeoutMs, mayBePrivate } = message
  const target = new URL(url)
  const host = target.hostname.replace(/^\[(.*)\]$/, '$1')
  // A literal address is connected to without a look-up.
  const isRefused = !mayBePrivate && (target.protocol !== 'https:' || (isIP(host) !== 0 && !isPublicAddress(host)))
  if (isRefused) throw new AddressRefusedError()
  const ending = endingOf(message.signal, timeoutMs)
  try {
    const request = openRequest(target, message, ending.signal)
    const status = statusOf(request, ending.signal)
    request.end(body)
    return await status
  } finally {
    ending.release()
  }
}

const openRequest = (target: URL, { headers, body, lookup }: PostedMessage, signal: AbortSignal): ClientRequest =>
  (target.protocol === 'https:' ? requestSecure : requestPlain)(target, {
    method: 'POST',
    agent: false,
    signal,
    lookup,
    headers: {
      ...headers,
      'content-type': 'application/json',
      'content-length': Buffer.byteLength(body),
      'user-agent': `MemoryGuard/${productVersion}`,
    },
  })

/** The status, once the response has been read or is longer than is read. */
const statusOf = (request: ClientRequest, signal: AbortSignal): Promise<number> =>
  new Promise((resolve, reject) => {
    const fail = (error: Error) => reject(signal.aborted ? signal.reason : error)
    request.on('error', fail)
    request.once('response', (response) => {
      let bytes = 0
      const done = () => {
        resolve(response.statusCode ?? 0)
        request.destroy()
      }
      response.on('data', (part: Buffer) => {
        bytes += part.length
        if (bytes > maxResponseBytes) done()
      })
      response.once('end', done)
      response.on('error', fail)
    })
    // A response such as 101 ends the connection with neither a response nor an error.
    request.once('close', () => reject(new Error('The connection was closed without a response')))
  })

/**
 * A signal that another one or the time aborts. Not AbortSignal.any with AbortSignal.timeout: nothing but weak references
 * holds those two, so that a collection of garbage can take the time limit with it.
 */
const endingOf = (signal: AbortSignal, timeoutMs: number) => {
  const ending = new AbortController()
  const abort = () => ending.abort(signal.reason)
  const timer = setTimeout(
    () => ending.abort(new DOMException('The receiver took too long.', 'TimeoutError')),
    timeoutMs,
  )
  if (signal.aborted) abort()
  else signal.addEventListener('abort', abort, { once: true })
  const release = () => {
    clearTimeout(timer)
    signal.removeEventListener('abort', abort)
  }
  return { signal: ending.signal, release }
}
