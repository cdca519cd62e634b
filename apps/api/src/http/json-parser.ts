import { isUtf8 } from 'node:buffer'
import { MemoryGuardError } from '#libs/platform'
import type { NestFastifyApplication } from '@nestjs/platform-fastify'
import type { FastifyRequest } from 'fastify'
import { parseBounded } from './json-size.js'
import { parseSliced } from './sliced-json.js'

declare module 'fastify' {
  interface FastifyContextConfig {
    /** The route takes JSON bodies with long lists, each as a `SlicedList`. */
    hasLongLists?: boolean
    /** Whether the lists of a parsed body are checked in slices, and so may be long. */
    isLong?: (body: unknown) => boolean
  }
}

/** A body of a kind that is not taken here, as the framework says it. */
export const notTaken = (words: string): Error => Object.assign(new Error(words), { statusCode: 415 })

/** Whether the body is compressed. */
export const isEncoded = ({ headers }: FastifyRequest): boolean => {
  const encoding = headers['content-encoding']
  return encoding !== undefined && encoding.toLowerCase() !== 'identity'
}

/** Whether the body says that it is in another encoding of characters than UTF-8. */
const isOtherCharset = ({ headers }: FastifyRequest): boolean => {
  const charset = /;\s*charset\s*=\s*"?([^\s;"]*)/i.exec(headers['content-type'] ?? '')?.[1]
  return charset !== undefined && !/^(utf-?8|us-ascii)$/i.test(charset)
}

/** Reads JSON bodies as Fastify does; an empty one is no body, which the route's schema refuses if it needs one. */
export const acceptJson = (app: NestFastifyApplication): void => {
  const fastify = app.getHttpAdapter().getInstance()
  const parse = fastify.getDefaultJsonParser('error', 'error')
  fastify.addContentTypeParser<Buffer>('application/json', { parseAs: 'buffer' }, (request, bytes, done) => {
    if (isEncoded(request)) return done(notTaken('Encoded bodies are not read'))
    if (isOtherCharset(request)) return done(notTaken('JSON is UTF-8'))
    if (bytes.length === 0) return done(null, undefined)
    if (!isUtf8(bytes)) return done(malformed('The body is no UTF-8 text.'))
    const text = bytes.toString()
    const parseNow = (part: string): unknown => {
      let parsed: unknown
      void parse(request, part, (error, value) => {
        if (error) throw error
        parsed = value
      })
      return parsed
    }
    if (hasLoneSurrogate(text))
      return done(malformed('The body holds one half of a surrogate pair, which is no character.'))
    const { hasLongLists, isLong } = request.routeOptions.config
    if (hasLongLists) return parseSliced(text, parseNow)
    try {
      return done(null, parseBounded(text, parseNow, isLong))
    } catch (error) {
      return done(error as Error)
    }
  })
}

const malformed = (words: string) => new MemoryGuardError('REQUEST_MALFORMED', words)

/**
 * Whether JSON text has an escape of half a surrogate pair: no text that a database can hold. Escaped backslashes are
 * skipped, so that words about such escapes are not taken for one.
 */
export const hasLoneSurrogate = (text: string): boolean => {
  if (!/\\u[dD][89a-fA-F]/.test(text)) return false
  for (const [escape] of text.matchAll(
    /\\(?:u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|.)/gs,
  )) {
    if (/^\\u[dD][89a-fA-F][0-9a-fA-F]{2}$/.test(escape)) return true
  }
  return false
}
