import type { FastifyInstance, FastifyRequest } from 'fastify'
import { documentationPath, documentPath } from '../http/documentation-paths.js'

/** The documents that hold every route: to write one takes milliseconds. */
const paths: ReadonlySet<string> = new Set([documentPath, `${documentationPath}/swagger-ui-init.js`])
/** Most documents that are kept. They differ by the URL of the server, which proxies may name at will. */
const maxDocuments = 16

/**
 * Keeps each document as it was first written, and responds with that. To be called before the routes of the documents
 * are added.
 * @param variantOf What the document depends on.
 */
export const keepDocuments = (fastify: FastifyInstance, variantOf: (request: FastifyRequest) => string): void => {
  const kept = new Map<string, { readonly type: string; readonly bytes: Buffer }>()
  fastify.addHook('onRoute', (route) => {
    const { url } = route
    if (!paths.has(url)) return
    const nameOf = (request: FastifyRequest): string => `${url} ${variantOf(request)}`
    route.onRequest = [route.onRequest ?? []].flat().concat((request, reply, done) => {
      const document = kept.get(nameOf(request))
      if (!document) return done()
      void reply.type(document.type).send(document.bytes)
    })
    route.onSend = [route.onSend ?? []].flat().concat((request, reply, payload, done) => {
      if (typeof payload === 'string' && reply.statusCode === 200) {
        if (kept.size >= maxDocuments) kept.clear()
        kept.set(nameOf(request), { type: String(reply.getHeader('content-type')), bytes: Buffer.from(payload) })
      }
      done()
    })
  })
}
