import { MemoryGuardError } from '#libs/platform'
import type { FastifyReply, FastifyRequest } from 'fastify'
import { cutIfTooSlow } from './slow-bodies.js'

/** Smaller bodies are not counted: as many as there are connections fit into memory. */
const smallBytes = 65_536
/** Methods whose bodies Fastify does not read. */
const bodylessMethods: ReadonlySet<string> = new Set(['GET', 'HEAD', 'OPTIONS', 'TRACE'])

/**
 * Bounds the memory of JSON bodies under way, each of which is in memory as a whole: a further one is rejected before it
 * is read, with 503, or with 429 if its key has half of the memory already. A body that holds memory has to arrive
 * without long pauses. Uploads are streams and need no bound.
 */
export class BodyMemory {
  private reserved = 0
  private readonly byKey = new Map<string, number>()
  private readonly share: number

  /** @param patienceMs How long a body may make no progress; see `cutIfTooSlow`. */
  constructor(
    private readonly maxBytes: number,
    private readonly patienceMs?: number,
  ) {
    // The smallest memory has room for one of the largest bodies, and so has a share.
    this.share = Math.max(maxBytes / 2, 8 * 1_048_576)
  }

  /**
   * Reserves the memory of a request's body until its response has left.
   * @throws {MemoryGuardError} SERVER_BUSY; RATE_LIMITED if the key has its share.
   */
  admit(request: FastifyRequest, reply: FastifyReply, key: string): void {
    if (bodylessMethods.has(request.method)) return
    const bytes = bytesOf(request)
    if (bytes <= smallBytes || !isJson(request)) return
    this.reserve(key, bytes)
    const stopWatch = cutIfTooSlow(request, this.patienceMs)
    onceOver(request, reply, () => {
      stopWatch()
      this.release(key, bytes)
    })
  }

  private reserve(key: string, bytes: number): void {
    const own = (this.byKey.get(key) ?? 0) + bytes
    if (own > this.share) {
      throw new MemoryGuardError('RATE_LIMITED', 'This key has too many large requests under way; try again.')
    }
    if (this.reserved + bytes > this.maxBytes) {
      throw new MemoryGuardError('SERVER_BUSY', 'Too many large requests are under way here; try again.')
    }
    this.reserved += bytes
    this.byKey.set(key, own)
  }

  private release(key: string, bytes: number): void {
    this.reserved -= bytes
    const own = (this.byKey.get(key) ?? 0) - bytes
    if (own > 0) this.byKey.set(key, own)
    else this.byKey.delete(key)
  }
}

/**
 * Calls `done` once: when the response has left or the connection has closed. The request's own `close` is no sign of
 * either, because it does not come while a part of its body is missing.
 */
const onceOver = ({ raw: { socket } }: FastifyRequest, { raw: response }: FastifyReply, done: () => void): void => {
  if (socket.closed || response.closed) return done()
  const end = (): void => {
    socket.off('close', end)
    response.off('close', end)
    done()
  }
  socket.once('close', end)
  response.once('close', end)
}

/** Bytes that the body may take: as many as it says, or as many as the route takes. */
const bytesOf = ({ headers, routeOptions }: FastifyRequest): number => {
  const length = headers['content-length']
  if (length !== undefined) return Math.min(Number(length), routeOptions.bodyLimit)
  return headers['transfer-encoding'] === undefined ? 0 : routeOptions.bodyLimit
}

const isJson = ({ headers }: FastifyRequest): boolean =>
  headers['content-type']?.trimStart().toLowerCase().startsWith('application/json') ?? false
