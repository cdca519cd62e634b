import rateLimit from '@fastify/rate-limit'
import { MemoryGuardError, type Config } from '#libs/platform'
import type { NestFastifyApplication } from '@nestjs/platform-fastify'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import type { RequestWithPrincipal } from '../access/access.js'
import { clientAddressOf } from './client-address.js'

const minuteMs = 60_000

/** Counts requests of the last minute by caller. */
type Limiter = ReturnType<FastifyInstance['createRateLimit']>

/** The limits of one process on how many requests a caller makes in a minute. Each is absent if it is switched off. */
export interface RequestLimits {
  readonly ofKey: Limiter | undefined
  readonly ofAddress: Limiter | undefined
  readonly ofWrongKeys: Limiter | undefined
}

const addressKey = (request: FastifyRequest): string => clientAddressOf(request)
const principalKey = ({ principal }: RequestWithPrincipal): string => principal?.id ?? ''

/** The limits that the configuration asks for. The counts are in the memory of this process: of the
 * 5,000 callers that were seen last. */
export const createRequestLimits = async (
  app: NestFastifyApplication,
  { keyPerMinute, addressPerMinute, wrongKeysPerMinute }: Config['http']['rateLimits'],
): Promise<RequestLimits> => {
  await app.register(rateLimit, { global: false })
  const fastify = app.getHttpAdapter().getInstance()
  const limiter = (max: number, keyGenerator: (request: FastifyRequest) => string): Limiter | undefined =>
    max === 0 ? undefined : fastify.createRateLimit({ max, keyGenerator, timeWindow: minuteMs })
  return {
    ofKey: limiter(keyPerMinute, principalKey),
    ofAddress: limiter(addressPerMinute, addressKey),
    ofWrongKeys: limiter(wrongKeysPerMinute, addressKey),
  }
}

/**
 * Counts a request.
 * @throws MemoryGuardError RATE_LIMITED, with the seconds until the minute is over.
 */
export const countRequest = async (limiter: Limiter | undefined, request: FastifyRequest): Promise<void> => {
  if (!limiter) return
  const state = await limiter(request)
  if (!state.isAllowed && state.isExceeded) throw tooMany(state.ttlInSeconds)
}

/** How many requests may still be counted. @throws MemoryGuardError RATE_LIMITED for none. */
export const countRoom = async (limiter: Limiter, request: FastifyRequest): Promise<number> => {
  const state = await limiter(request, { increment: false })
  if (state.isAllowed) return Number.POSITIVE_INFINITY
  if (state.remaining <= 0) throw tooMany(state.ttlInSeconds)
  return state.remaining
}

const tooMany = (seconds: number): MemoryGuardError =>
  new MemoryGuardError('RATE_LIMITED', `Too many requests. Try again in ${Math.max(1, seconds)} s.`, {
    retryAfterSeconds: Math.max(1, seconds),
  })
