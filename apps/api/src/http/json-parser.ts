import { isUtf8 } from 'node:buffer'
import { MemoryGuardError } from '#libs/platform'
import type { NestFastifyApplication } from '@nestjs/platform-fastify'
import type { FastifyRequest } from 'fastify'

/** A body of a kind that is not taken here, as the framework says it. */
export const notTaken = (words: string): Error => Object.assign(new Error(words), { statusCode: 415 })

/** Whether the body is compressed. */
export const isEncoded = ({ headers }: FastifyRequest): boolean => {
  const encoding = headers['content-encoding']
  return encoding !== undefined && encoding.toLowerCase() !== 'identity'
}

/** Deepest nesting of a JSON body: many times what any route takes, and far from what fills the stack. */
const maxDepth = 100

/** Whether JSON text is nested deeper than that. What is no JSON is for its parser to refuse. */
export const isTooDeep = (text: string): boolean => {
  // That many brackets need that many characters to be closed again.
  if (text.length <= 2 * maxDepth) return false
  let depth = 0
  let isInText = false
  for (let index = 0; index < text.length; index += 1) {
    const code = text.charCodeAt(index)
    if (isInText) {
      if (code === backslash) index += 1
      else if (code === quote) isInText = false
    } else if (code === quote) {
      isInText = true
    } else if (code === openBracket || code === openBrace) {
      depth += 1
      if (depth > maxDepth) return true
    } else if (code === closeBracket || code === closeBrace) {
      depth -= 1
    }
  }
  return false
}

const [quote, backslash, openBracket, closeBracket, openBrace, closeBrace] = [34, 92, 91, 93, 123, 125]

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
    if (isTooDeep(text)) return done(malformed(`The body is nested deeper than ${maxDepth} levels.`))
    return void parse(request, text, done)
  })
}

const malformed = (words: string) => new MemoryGuardError('REQUEST_MALFORMED', words)
