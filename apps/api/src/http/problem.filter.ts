import { isDatabaseUnavailable, isTextRefused } from '#libs/database'
import { LOGGER, MemoryGuardError, type ErrorCode, type Logger } from '#libs/platform'
import { Catch, HttpException, Inject, type ArgumentsHost, type ExceptionFilter } from '@nestjs/common'
import type { FastifyReply, FastifyRequest } from 'fastify'
import { errorStatus } from './error-status.js'
import { toldFaults, type Problem } from './problem.js'

/** Refusals of the framework, before a request reaches a route, by HTTP status. */
const frameworkCodes: Readonly<Record<number, ErrorCode>> = {
  404: 'RESOURCE_NOT_FOUND',
  413: 'REQUEST_TOO_LARGE',
  415: 'REQUEST_MEDIA_TYPE_UNSUPPORTED',
}

const detailOf: Partial<Record<ErrorCode, string>> = {
  REQUEST_TOO_LARGE: 'A JSON body may have at most 1 MiB, of a batch 8 MiB. Send larger batches as CSV or NDJSON.',
  REQUEST_MEDIA_TYPE_UNSUPPORTED: 'Send JSON with `Content-Type: application/json`.',
  REQUEST_MALFORMED: 'The body is not valid JSON. NaN and Infinity are no JSON: leave out a metric that is missing.',
  REQUEST_INVALID: 'Text must not hold the character U+0000.',
  RESOURCE_NOT_FOUND: 'There is no such resource.',
  DATABASE_UNAVAILABLE: 'The database cannot be reached now. Nothing was stored; try again.',
}

/** Seconds after which a caller may try again. */
const retryAfterSeconds = 2

/** Answers every failure as problem+json; an unexpected one says only that, and its cause goes to the log. */
@Catch()
export class ProblemFilter implements ExceptionFilter {
  constructor(@Inject(LOGGER) private readonly log: Logger) {}

  catch(error: unknown, host: ArgumentsHost): void {
    const request = host.switchToHttp().getRequest<FastifyRequest>()
    const reply = host.switchToHttp().getResponse<FastifyReply>()
    const expected = toExpected(error)
    const [status, title] = errorStatus[expected.code]
    if (status >= 500) this.log[status === 503 ? 'warn' : 'error']({ err: error, request: request.id }, title)
    const problem: Problem = {
      type: 'about:blank',
      title,
      status,
      code: expected.code,
      detail: expected.message,
      errors: toldFaults(expected.faults),
      request_id: request.id,
    }
    if (status === 503) void reply.header('retry-after', retryAfterSeconds)
    if (status === 401) void reply.header('www-authenticate', 'Bearer')
    void reply.status(status).type('application/problem+json').send(JSON.stringify(problem))
  }
}

const toExpected = (error: unknown): MemoryGuardError => {
  if (error instanceof MemoryGuardError) return error
  const made = (code: ErrorCode) =>
    new MemoryGuardError(code, detailOf[code] ?? 'Something went wrong here; the log knows more.')
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
