import { randomUUID } from 'node:crypto'
import type { IncomingMessage } from 'node:http'
import { nestLogger, SampledLines, type Config, type Logger } from '#libs/platform'
import { NestFactory } from '@nestjs/core'
import { FastifyAdapter, type NestFastifyApplication } from '@nestjs/platform-fastify'
import type { FastifyError, FastifyReply, FastifyRequest } from 'fastify'
import type { DataSource } from 'typeorm'
import { AppModule } from './app.module.js'
import { acceptUploads } from './batches/upload-parsers.js'
import { ApiMetrics } from './health/api-metrics.js'
import { Lifecycle } from './health/lifecycle.js'
import { acceptJson } from './http/json-parser.js'
import { ProblemFilter } from './http/problem.filter.js'
import { slowBodyOptions } from './http/slow-bodies.js'
import { createValidationPipe } from './http/validation.pipe.js'

/** Longest part of a path, in characters. */
const maxParamLength = 2_048
/** Largest JSON body, in bytes. */
const bodyLimit = 1_048_576

/** Most log lines about accepted work (202) a second. */
const acceptedPerSecond = 50

/** A request id of the caller is kept if it is short and plain, so that traces can be joined. */
const requestIdOf = (header: string | string[] | undefined): string =>
  typeof header === 'string' && /^[\w.-]{1,64}$/.test(header) ? header : randomUUID()

/** The application as main, tests and the document's export use it, without listening. */
export const createApp = async (
  config: Config,
  log: Logger,
  dataSource: DataSource,
): Promise<NestFastifyApplication> => {
  const problems = new ProblemFilter(log)
  const adapter = new FastifyAdapter({
    ...slowBodyOptions(),
    frameworkErrors: (error: FastifyError, request: FastifyRequest, reply: FastifyReply) =>
      // No hook is run for it.
      problems.answer(error, request, reply.header('x-request-id', request.id)),
    bodyLimit,
    genReqId: ({ headers }: IncomingMessage) => requestIdOf(headers['x-request-id']),
    forceCloseConnections: 'idle',
    // Names of workers and schedules, with every character percent-encoded, are longer than the default of 100.
    routerOptions: { ignoreTrailingSlash: true, maxParamLength },
  })
  const app = await NestFactory.create<NestFastifyApplication>(AppModule.for(config, log, dataSource), adapter, {
    logger: nestLogger(log),
    bodyParser: false,
    abortOnError: false,
  })
  const fastify = app.getHttpAdapter().getInstance()
  // JSON is the language of these routes, and uploads that of batches; Fastify would also take plain text.
  fastify.removeContentTypeParser('text/plain')
  acceptJson(app)
  acceptUploads(app)
  const metrics = app.get(ApiMetrics)
  const lifecycle = app.get(Lifecycle)
  fastify.addHook('onSend', (request, reply, _payload, done) => {
    void reply.header('x-request-id', request.id)
    // A connection that were kept for a next request would keep the process from ending.
    if (lifecycle.state === 'draining') void reply.header('connection', 'close')
    done()
  })
  const accepted = new SampledLines(acceptedPerSecond, (leftOut) =>
    log.info({ leftOut }, 'further requests accepted within a second'),
  )
  fastify.addHook('onResponse', (request, reply, done) => {
    const route = request.routeOptions.url ?? 'unknown'
    if (reply.statusCode === 202 && accepted.take()) {
      // The way from a request to its task: the location names what was made.
      log.info({ request_id: request.id, route, location: reply.getHeader('location') }, 'request accepted')
    }
    metrics.observe(request.method, route, reply.statusCode, reply.elapsedTime / 1000)
    done()
  })
  app.useGlobalPipes(createValidationPipe())
  app.useGlobalFilters(problems)
  return app
}
