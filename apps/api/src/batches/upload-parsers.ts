import { isEncoded, notTaken } from '../http/json-parser.js'
import type { NestFastifyApplication } from '@nestjs/platform-fastify'

const batchesRoute = '/v1/batches'
/** Largest JSON body of a batch, in bytes: it is in memory as a whole. Larger batches are uploads. */
const jsonLimit = 8 * 1_048_576

/** Media types that are read as a stream, of any length. */
export const uploadTypes = { csv: 'text/csv', ndjson: 'application/x-ndjson' } as const

/** Gives the bodies of uploads to the batches as streams; any other route refuses their media types as before. */
export const acceptUploads = (app: NestFastifyApplication): void => {
  const fastify = app.getHttpAdapter().getInstance()
  fastify.addHook('onRoute', (route) => {
    if (route.url === batchesRoute) route.bodyLimit = jsonLimit
  })
  fastify.addContentTypeParser(Object.values(uploadTypes), (request, payload, done) => {
    if (isEncoded(request)) done(notTaken('Encoded bodies are not read'))
    else if (request.routeOptions.url === batchesRoute) done(null, payload)
    else done(notTaken('Only batches are uploaded'))
  })
}
