import { request as requestPlain } from 'node:http'
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

/** Most bytes of an answer that are read; it is read only to leave the connection in order, and never kept. */
const maxAnswerBytes = 64 * 1024

/**
 * Posts JSON and answers the status. Redirects are not followed, the connection is not used again, and what the
 * receiver says besides its status is thrown away.
 * @throws Error whose `code` or `name` says why there is no status; AddressRefusedError for an address that is not
 * public, found when the connection is made.
 */
export const postMessage = ({
  url,
  headers,
  body,
  timeoutMs,
  lookup,
  mayBePrivate,
  signal,
}: PostedMessage): Promise<number> => {
  const target = new URL(url)
  const host = target.hostname.replace(/^\[(.*)\]$/, '$1')
  const isSecure = target.protocol === 'https:'
  // A literal address is connected to without a look-up.
  const isRefused = !mayBePrivate && (!isSecure || (isIP(host) !== 0 && !isPublicAddress(host)))
  if (isRefused) return Promise.reject(new AddressRefusedError())
  const ending = endingOf(signal, timeoutMs)
  return new Promise((resolve, reject) => {
    const request = (isSecure ? requestSecure : requestPlain)(target, {
      method: 'POST',
      agent: false,
      signal: ending.signal,
      lookup,
      headers: {
        ...headers,
        'content-type': 'application/json',
        'content-length': Buffer.byteLength(body),
        'user-agent': `MemoryGuard/${productVersion}`,
      },
    })
    request.on('error', (error) => reject(ending.signal.aborted ? ending.signal.reason : error))
    request.once('response', (response) => {
      let bytes = 0
      const done = () => {
        resolve(response.statusCode ?? 0)
        request.destroy()
      }
      response.on('data', (part: Buffer) => {
        bytes += part.length
        if (bytes > maxAnswerBytes) done()
      })
      response.once('end', done)
      response.on('error', (error) => reject(ending.signal.aborted ? ending.signal.reason : error))
    })
    // An answer such as 101 ends the connection with neither a response nor an error.
    request.once('close', () => {
      ending.release()
      reject(new Error('The connection was closed without a response'))
    })
    request.end(body)
  })
}

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
