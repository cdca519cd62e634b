import { randomUUID } from 'node:crypto'
import type { IncomingMessage } from 'node:http'
import { Connections } from '#libs/health'
import { Lifecycle, nestLogger, type Config, type Logger } from '#libs/platform'
import { NestFactory } from '@nestjs/core'
import { FastifyAdapter, type NestFastifyApplication } from '@nestjs/platform-fastify'
import type { FastifyError, FastifyReply, FastifyRequest } from 'fastify'
import type { DataSource } from 'typeorm'
import { AccessLog } from './access/access-log.js'
import { admitRequests } from './access/admit-requests.js'
import { SignIns } from './access/sign-ins.js'
import { watchReads, watchRejections } from './access/watch-access.js'
import { AppModule } from './app.module.js'
import { acceptUploads } from './batches/upload-parsers.js'
import { ApiMetrics } from './health/api-metrics.js'
import { BodyMemory } from './http/body-memory.js'
import { networkOf } from './http/client-address.js'
import { corsOptions } from './http/cors.js'
import { acceptJson } from './http/json-parser.js'
import { logRequests } from './http/log-requests.js'
import { speakPlainly } from './http/fault-words.js'
import { KnownQuery } from './http/known-query.js'
import { ProblemFilter } from './http/problem.filter.js'
import { PublicUrl, trustOf } from './http/public-url.js'
import { createRequestLimits } from './http/request-limits.js'
import { addResponseHeaders } from './http/response-headers.js'
import { fixResponseShape } from './http/response-shape.js'
import { securityHeaders } from './http/security-headers.js'
import { slowBodyOptions } from './http/slow-bodies.js'
import { traceRequests } from './http/trace-requests.js'
import { createValidationPipe } from './http/validation.pipe.js'

/** Longest part of a path, in characters. */
const maxParamLength = 2_048
/** Largest JSON body, in bytes. */
const bodyLimit = 1_048_576

/** A request id of the caller is kept if it is short and plain, so that traces can be joined. */
const requestIdOf = (header: string | string[] | undefined): string =>
  typeof header === 'string' && /^[\w.-]{1,64}$/.test(header) ? header : randomUUID()

const createAdapter = ({ http }: Config, problems: ProblemFilter): FastifyAdapter =>
  new FastifyAdapter({
    ...slowBodyOptions(),
    frameworkErrors: (error: FastifyError, request: FastifyRequest, reply: FastifyReply) =>
      // No hook is run for it.
      problems.respond(error, request, reply.headers({ ...securityHeaders, 'x-request-id': request.id })),
    bodyLimit,
    genReqId: ({ headers }: IncomingMessage) => requestIdOf(headers['x-request-id']),
    forceCloseConnections: 'idle',
    trustProxy: trustOf(http) ?? false,
    // Names of workers and schedules, with every character percent-encoded, are longer than the default of 100.
    routerOptions: { ignoreTrailingSlash: true, maxParamLength },
  })

/** The application as main, tests and the document's export use it, without listening. */
export const createApp = async (
  config: Config,
  log: Logger,
  dataSource: DataSource,
): Promise<NestFastifyApplication> => {
  fixResponseShape()
  const { http } = config
  const publicUrl = new PublicUrl(http)
  const problems = new ProblemFilter(log, `${publicUrl.path}/`)
  const app = await NestFactory.create<NestFastifyApplication>(
    AppModule.for(config, log, dataSource),
    createAdapter(config, problems),
    {
      logger: nestLogger(log),
      bodyParser: false,
      abortOnError: false,
    },
  )
  const fastify = app.getHttpAdapter().getInstance()
  // JSON is the language of these routes, and uploads that of batches; Fastify would also take plain text.
  fastify.removeContentTypeParser('text/plain')
  acceptJson(app)
  acceptUploads(app)
  if (http.corsOrigins.length > 0) app.enableCors(corsOptions(http.corsOrigins))
  const lifecycle = app.get(Lifecycle)
  const metrics = app.get(ApiMetrics)
  const signIns = app.get(SignIns)
  signIns.onFailure = (reason) => metrics.countFailedSignIn(reason)
  const limits = createRequestLimits(http.rateLimits, (limit) => metrics.countRefusal(limit))
  admitRequests(app, {
    lifecycle,
    signIns,
    limits,
    connections: new Connections(fastify.server, http.maxConnections, networkOf),
    bodies: new BodyMemory(http.bodyMemoryMib * 1_048_576),
  })
  watchRejections(problems, app.get(AccessLog))
  if (config.audit.recordsReads) watchReads(app, app.get(AccessLog))
  addResponseHeaders(app, lifecycle, publicUrl)
  traceRequests(app)
  logRequests(app, log)
  speakPlainly()
  app.useGlobalGuards(new KnownQuery())
  app.useGlobalPipes(createValidationPipe())
  app.useGlobalFilters(problems)
  return app
}
