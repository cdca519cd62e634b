import { Tracing, type OpenSpan } from '#libs/platform'
import type { NestFastifyApplication } from '@nestjs/platform-fastify'
import type { FastifyRequest } from 'fastify'
import type { RequestWithPrincipal } from '../access/access.js'

/**
 * Records the requests of callers who were admitted, if tracing is on. What a request submits finds its span in the
 * principal; the response names it in `traceparent`.
 */
export const traceRequests = (app: NestFastifyApplication): void => {
  const tracing = app.get(Tracing)
  if (!tracing.isOn) return
  const spans = new WeakMap<FastifyRequest, OpenSpan>()
  const fastify = app.getHttpAdapter().getInstance()
  fastify.addHook('onRequest', (request: RequestWithPrincipal, reply, done) => {
    const { principal, method } = request
    const route = request.routeOptions.url
    const given = request.headers['traceparent']
    const span =
      principal && route !== undefined
        ? tracing.begin({
            name: `${method} ${route}`,
            kind: 'server',
            parent: typeof given === 'string' ? given : undefined,
            startMs: Date.now() - reply.elapsedTime,
            attributes: { 'http.request.method': method, 'http.route': route, 'memoryguard.request.id': request.id },
          })
        : undefined
    if (span && principal) {
      request.principal = { ...principal, traceparent: span.traceparent }
      spans.set(request, span)
      void reply.header('traceparent', span.traceparent)
    }
    done()
  })
  fastify.addHook('onResponse', (request, { statusCode }, done) => {
    spans.get(request)?.end({
      attributes: { 'http.response.status_code': statusCode },
      ...(statusCode >= 500 && { error: String(statusCode) }),
    })
    done()
  })
}
