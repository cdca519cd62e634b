import { MemoryGuardError, SampledLines, type Logger } from '#libs/platform'
import type { FastifyRequest } from 'fastify'
import type { ApiMetrics } from '../health/api-metrics.js'
import { clientAddressOf } from '../http/client-address.js'
import { countRequest, mustHaveRoom, type RequestLimits } from '../http/request-limits.js'
import { parseBearer, type Principal } from './access.js'
import type { KeyCache } from './key-cache.js'

/** Most log lines about failed sign-ins a second. */
const failuresPerSecond = 10

/**
 * Finds who a request is from. Wrong keys are counted by address: who sends too many is refused without a look-up,
 * until a minute is over. A key that has been valid is looked up all the same, so that guesses from behind the same
 * proxy shut nobody out.
 */
export class SignIns {
  /** Look-ups under way by address: they are counted before it is known whether they fail. */
  private readonly underWay = new Map<string, number>()
  private readonly failures: SampledLines

  constructor(
    private readonly keys: KeyCache,
    private readonly metrics: ApiMetrics,
    private readonly log: Logger,
    private readonly limit: RequestLimits['ofWrongKeys'],
  ) {
    this.failures = new SampledLines(failuresPerSecond, (leftOut) =>
      log.warn({ leftOut }, 'further sign-ins failed within a second'),
    )
  }

  /** @throws MemoryGuardError ACCESS_KEY_MISSING, ACCESS_KEY_INVALID, RATE_LIMITED */
  async find(request: FastifyRequest): Promise<Principal> {
    const key = parseBearer(request.headers.authorization)
    if (key === undefined) {
      throw new MemoryGuardError('ACCESS_KEY_MISSING', 'Send your key as `Authorization: Bearer mg_...`.')
    }
    const known = this.keys.peek(key)
    if (known) return known
    const principal = await (this.keys.wasValid(key) ? this.keys.find(key) : this.tryOut(key, request))
    if (principal) return principal
    this.note(request, 'invalid')
    throw new MemoryGuardError('ACCESS_KEY_INVALID', 'The key is unknown, revoked or past its expiry.')
  }

  private async tryOut(key: string, request: FastifyRequest): Promise<Principal | null> {
    if (!this.limit) return this.keys.find(key)
    const address = clientAddressOf(request)
    const others = this.underWay.get(address) ?? 0
    this.underWay.set(address, others + 1)
    try {
      await mustHaveRoom(this.limit, request, others)
      const principal = await this.keys.find(key)
      if (!principal) await countRequest(this.limit, request)
      return principal
    } catch (error) {
      if (error instanceof MemoryGuardError && error.code === 'RATE_LIMITED') this.note(request, 'limited')
      throw error
    } finally {
      const left = (this.underWay.get(address) ?? 1) - 1
      if (left > 0) this.underWay.set(address, left)
      else this.underWay.delete(address)
    }
  }

  private note(request: FastifyRequest, reason: 'invalid' | 'limited'): void {
    this.metrics.countFailedSignIn(reason)
    if (this.failures.take()) {
      this.log.warn({ request_id: request.id, address: clientAddressOf(request), reason }, 'sign-in failed')
    }
  }
}
