import { isDatabaseUnavailable, isTextRefused } from '#libs/database'
import { LOGGER, MemoryGuardError, SampledLines, type ErrorCode, type Logger } from '#libs/platform'
import { Catch, HttpException, Inject, type ArgumentsHost, type ExceptionFilter } from '@nestjs/common'
import type { FastifyReply, FastifyRequest } from 'fastify'
import { prefersHtml } from './acceptable.js'
import { errorStatus } from './error-status.js'
import { shownDetail, shownFaults, type Problem } from './problem.js'
import { failedSignInPage } from './problem-page.js'
import { hasUnreadBody, respondAndHangUp } from './unread-body.js'

/** Refusals of the framework, before a request reaches a route, by HTTP status. */
const frameworkCodes: Readonly<Record<number, ErrorCode>> = {
  404: 'RESOURCE_NOT_FOUND',
  413: 'REQUEST_TOO_LARGE',
  415: 'REQUEST_MEDIA_TYPE_UNSUPPORTED',
}

const detailOf: Partial<Record<ErrorCode, string>> = {
  REQUEST_TOO_LARGE: 'A JSON body may have at most 1 MiB, of a batch 8 MiB. Send larger batches as CSV or NDJSON.',
  REQUEST_MEDIA_TYPE_UNSUPPORTED:
    'Send JSON in UTF-8 with `Content-Type: application/json`, without a Content-Encoding.',
  REQUEST_MALFORMED: 'The request cannot be read.',
  REQUEST_INVALID: 'Text must not hold the character U+0000.',
  RESOURCE_NOT_FOUND: 'There is no such resource.',
  DATABASE_UNAVAILABLE:
    'The database cannot be reached now; try again. What was sent may have been stored all the same: with an Idempotency-Key it ' +
    'is stored once, however often it is sent.',
}

/** What could not be read, by the framework's code of it. */
const malformedDetails: Readonly<Record<string, string>> = {
  FST_ERR_CTP_INVALID_JSON_BODY:
    'The body is not valid JSON, or has a member `__proto__` or `constructor.prototype`. NaN and Infinity are no JSON: ' +
    'leave out a metric that is missing.',
  FST_ERR_CTP_INVALID_CONTENT_LENGTH: 'The body is not as long as Content-Length says.',
  FST_ERR_BAD_URL: 'The path is not valid: write a percent sign as %25.',
  FST_ERR_MAX_PARAM_LENGTH: 'A part of the path is too long.',
}

/** Seconds after which a caller may try again. */
const retryAfterSeconds = 2

/** Most log lines about rejected requests (4xx) a second. */
const rejectionsPerSecond = 50

/** Responds to every failure with problem+json; an unexpected one says only that, and its cause goes to the log. */
@Catch()
export class ProblemFilter implements ExceptionFilter {
  /** Called with every problem that is sent. */
  onProblem: ((request: FastifyRequest, status: number, code: ErrorCode) => void) | undefined
  private readonly rejections: SampledLines

  /** @param home Path of the start page. */
  constructor(
    @Inject(LOGGER) private readonly log: Logger,
    private readonly home: string,
  ) {
    const furtherMessage = 'further requests rejected within a second'
    const perSecond = rejectionsPerSecond
    this.rejections = new SampledLines(log, { level: 'info', message: 'request rejected', perSecond, furtherMessage })
  }

  catch(error: unknown, host: ArgumentsHost): void {
    const http = host.switchToHttp()
    this.respond(error, http.getRequest<FastifyRequest>(), http.getResponse<FastifyReply>())
  }

  /** Also for what the framework refuses before it knows a route. */
  respond(error: unknown, request: FastifyRequest, reply: FastifyReply): void {
    const isAborted = error instanceof Error && error === request.raw.errored
    const expected = isAborted ? malformed('The request was cut off.') : toExpected(error)
    const [status, title] = errorStatus[expected.code]
    this.logFailure(error, request, status, expected.code)
    this.onProblem?.(request, status, expected.code)
    const problem: Problem = {
      type: 'about:blank',
      title,
      status,
      code: expected.code,
      detail: shownDetail(expected.message),
      errors: shownFaults(expected.faults),
      request_id: request.id,
    }
    if (status === 503 || status === 429) {
      void reply.header('retry-after', expected.retryAfterSeconds ?? retryAfterSeconds)
    }
    if (status === 401) void reply.header('www-authenticate', 'Bearer')
    const isPage = request.routeOptions?.config.signIn === 'redirect' && prefersHtml(request.headers.accept)
    const text = isPage ? failedSignInPage(problem, this.home) : JSON.stringify(problem)
    void reply.status(status).type(`${isPage ? 'text/html' : 'application/problem+json'}; charset=utf-8`)
    if (hasUnreadBody(request)) respondAndHangUp(request, reply, text)
    else void reply.send(text)
  }

  /** What leads from a `request_id` to its cause: never a value, and of the path the route's pattern alone. */
  private logFailure(error: unknown, request: FastifyRequest, status: number, code: ErrorCode): void {
    const route = request.routeOptions?.url ?? 'unknown'
    const fields = { request_id: request.id, method: request.method, route, status, code }
    if (status >= 500) this.log[status === 503 ? 'warn' : 'error']({ ...fields, err: error }, 'request failed')
    else this.rejections.add(() => fields)
  }
}

const malformed = (words: string) => new MemoryGuardError('REQUEST_MALFORMED', words)

/** The framework's code of a refusal; Nest wraps some of them. */
const frameworkCodeOf = (error: unknown): string => {
  const refusal = error instanceof HttpException ? error.cause : error
  return refusal instanceof Error && 'code' in refusal ? String(refusal.code) : ''
}

const toExpected = (error: unknown): MemoryGuardError => {
  if (error instanceof MemoryGuardError) return error
  const made = (code: ErrorCode) =>
    new MemoryGuardError(code, detailOf[code] ?? 'Internal error. Give the request_id to your operator.')
  const words = malformedDetails[frameworkCodeOf(error)]
  if (words !== undefined) return malformed(words)
  if (isDatabaseUnavailable(error)) return made('DATABASE_UNAVAILABLE')
  if (isTextRefused(error)) return made('REQUEST_INVALID')
  const status =
    error instanceof HttpException
      ? error.getStatus()
      : error instanceof Error && 'statusCode' in error
        ? Number(error.statusCode)
        : 500
  if (status >= 400 && status < 500) return made(frameworkCodes[status] ?? 'REQUEST_MALFORMED')
  return made('INTERNAL')
}
