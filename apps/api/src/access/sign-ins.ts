import { MemoryGuardError, SampledLines, type Logger } from '#libs/platform'
import type { FastifyRequest } from 'fastify'
import type { ApiMetrics } from '../health/api-metrics.js'
import { clientAddressOf } from '../http/client-address.js'
import { countRequest, countRoom, type RequestLimits } from '../http/request-limits.js'
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
  /** Look-ups under way by address: each may turn out to be a wrong key. */
  private readonly underWay = new Map<string, Set<Promise<unknown>>>()
  private readonly failures: SampledLines

  constructor(
    private readonly keys: KeyCache,
    private readonly metrics: ApiMetrics,
    log: Logger,
    private readonly limit: RequestLimits['ofWrongKeys'],
  ) {
    const furtherMessage = 'further sign-ins failed within a second'
    const perSecond = failuresPerSecond
    this.failures = new SampledLines(log, { level: 'warn', message: 'sign-in failed', perSecond, furtherMessage })
  }

  /** @throws MemoryGuardError ACCESS_KEY_MISSING, ACCESS_KEY_INVALID, RATE_LIMITED */
  async find(request: FastifyRequest): Promise<Principal> {
    const key = parseBearer(request.headers.authorization)
    if (key === undefined) {
      throw new MemoryGuardError('ACCESS_KEY_MISSING', 'Send your key as `Authorization: Bearer mg_...`.')
    }
    const known = this.keys.peek(key)
    if (known) return known
    const principal = await (this.keys.wasValid(key) || this.keys.isUnderWay(key)
      ? this.keys.find(key)
      : this.tryOut(key, request))
    if (principal) return principal
    this.note(request, 'invalid')
    throw new MemoryGuardError('ACCESS_KEY_INVALID', 'The key is unknown, revoked or past its expiry.')
  }

  /** Looks up a key while its address may still be wrong as often as look-ups of it are under way. */
  private async tryOut(key: string, request: FastifyRequest): Promise<Principal | null> {
    if (!this.limit) return this.keys.find(key)
    const address = clientAddressOf(request)
    const others = this.underWay.get(address) ?? new Set()
    this.underWay.set(address, others)
    // Many callers behind one address that all come at once have right keys, most likely: they wait for each other.
    while (others.size >= (await this.countRoom(this.limit, request))) await Promise.race(others)
    const lookUp = this.lookUp(key, request)
    const end = () => {
      others.delete(ended)
      if (others.size === 0) this.underWay.delete(address)
    }
    const ended: Promise<unknown> = lookUp.then(end, end)
    others.add(ended)
    return lookUp
  }

  private async lookUp(key: string, request: FastifyRequest): Promise<Principal | null> {
    const principal = await this.keys.find(key)
    if (!principal) await countRequest(this.limit, request)
    return principal
  }

  /** How many wrong keys the address may still send. @throws MemoryGuardError RATE_LIMITED for none. */
  private async countRoom(limit: NonNullable<RequestLimits['ofWrongKeys']>, request: FastifyRequest): Promise<number> {
    try {
      return await countRoom(limit, request)
    } catch (error) {
      this.note(request, 'limited')
      throw error
    }
  }

  private note(request: FastifyRequest, reason: 'invalid' | 'limited'): void {
    this.metrics.countFailedSignIn(reason)
    this.failures.add(() => ({ request_id: request.id, address: clientAddressOf(request), reason }))
  }
}
