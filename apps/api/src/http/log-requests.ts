import { SampledLines, type Logger } from '#libs/platform'
import type { NestFastifyApplication } from '@nestjs/platform-fastify'
import type { FastifyRequest } from 'fastify'
import { ApiMetrics } from '../health/api-metrics.js'
import { isUnsafe } from './unsafe-methods.js'

/** Most log lines about accepted work a second. */
const acceptedPerSecond = 50

/** The id in a request's path, if it is one that we have made: other parts of paths may name people. */
const targetOf = ({ params }: FastifyRequest): string | undefined => {
  const id = typeof params === 'object' && params !== null && 'id' in params ? String(params.id) : ''
  return /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/.test(id) ? id : undefined
}

/** Measures every request, and logs those that have changed something. */
export const logRequests = (app: NestFastifyApplication, log: Logger): void => {
  const metrics = app.get(ApiMetrics)
  const accepted = new SampledLines(log, {
    level: 'info',
    message: 'request accepted',
    perSecond: acceptedPerSecond,
    furtherMessage: 'further requests accepted within a second',
  })
  app
    .getHttpAdapter()
    .getInstance()
    .addHook('onResponse', (request, reply, done) => {
      const route = request.routeOptions.url ?? 'unknown'
      const { id, method, submittedTask: task } = request
      const { statusCode: status } = reply
      if (status < 400 && isUnsafe(method)) {
        // The way from a request to its task, whose id the worker's lines have too, or to the row that it changed.
        const location = reply.getHeader('location')
        accepted.add(() => ({ request_id: id, method, route, status, target: targetOf(request), task, location }))
      }
      metrics.observe(request.method, route, reply.statusCode, reply.elapsedTime / 1000)
      done()
    })
}
