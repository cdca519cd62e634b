import { MemoryGuardError } from '#libs/platform'
import type { NestFastifyApplication } from '@nestjs/platform-fastify'
import type { FastifyRequest } from 'fastify'

/** Smaller bodies are not counted: as many as there are connections fit into memory. */
const smallBytes = 65_536

/**
 * Bounds the memory of JSON bodies under way, each of which is in memory as a whole: a further one gets 503 before it
 * is read. Uploads are streams and need no bound.
 */
export const limitBodyMemory = (app: NestFastifyApplication, maxBytes: number): void => {
  let reserved = 0
  const fastify = app.getHttpAdapter().getInstance()
  fastify.addHook('preParsing', (request, _reply, payload, done) => {
    const bytes = bytesOf(request)
    if (bytes <= smallBytes || !isJson(request)) return done(null, payload)
    if (reserved + bytes > maxBytes) {
      return done(new MemoryGuardError('SERVER_BUSY', 'Too many large requests are under way here; try again.'))
    }
    reserved += bytes
    request.raw.once('close', () => (reserved -= bytes))
    return done(null, payload)
  })
}

/** Bytes that the body may take: as many as it says, or as many as the route takes. */
const bytesOf = ({ headers, routeOptions }: FastifyRequest): number => {
  const length = headers['content-length']
  if (length !== undefined) return Math.min(Number(length), routeOptions.bodyLimit)
  return headers['transfer-encoding'] === undefined ? 0 : routeOptions.bodyLimit
}

const isJson = ({ headers }: FastifyRequest): boolean =>
  headers['content-type']?.trimStart().toLowerCase().startsWith('application/json') ?? false
