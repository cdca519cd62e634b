import type { NestFastifyApplication } from '@nestjs/platform-fastify'
import type { FastifyRequest } from 'fastify'

/** A body of a kind that is not taken here, as the framework says it. */
export const notTaken = (words: string): Error => Object.assign(new Error(words), { statusCode: 415 })

/** Whether the body is compressed. */
export const isEncoded = ({ headers }: FastifyRequest): boolean => {
  const encoding = headers['content-encoding']
  return encoding !== undefined && encoding.toLowerCase() !== 'identity'
}

/** Reads JSON bodies as Fastify does; an empty one is no body, which the route's schema refuses if it needs one. */
export const acceptJson = (app: NestFastifyApplication): void => {
  const fastify = app.getHttpAdapter().getInstance()
  const parse = fastify.getDefaultJsonParser('error', 'error')
  fastify.addContentTypeParser<string>('application/json', { parseAs: 'string' }, (request, body, done) => {
    if (isEncoded(request)) done(notTaken('Encoded bodies are not read'))
    else if (body === '') done(null, undefined)
    else void parse(request, body, done)
  })
}
