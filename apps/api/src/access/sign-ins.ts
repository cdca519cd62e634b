import { MemoryGuardError, SampledLines, type Logger } from '#libs/platform'
import type { FastifyRequest } from 'fastify'
import type { ApiMetrics } from '../health/api-metrics.js'
import { clientAddressOf } from '../http/client-address.js'
import type { RequestLimit } from '../http/request-limits.js'
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
    private readonly limit: RequestLimit | undefined,
  ) {
    const furtherMessage = 'further sign-ins failed within a second'
    const perSecond = failuresPerSecond
    this.failures = new SampledLines(log, { level: 'warn', message: 'sign-in failed', perSecond, furtherMessage })
  }

  /**
   * The caller of a request, at once if its key is known.
   * @throws {MemoryGuardError} ACCESS_KEY_MISSING
   * @throws {MemoryGuardError} ACCESS_KEY_INVALID or RATE_LIMITED, as a rejection.
   */
  find(request: FastifyRequest): Principal | Promise<Principal> {
    const key = parseBearer(request.headers.authorization)
    if (key === undefined) {
      throw new MemoryGuardError('ACCESS_KEY_MISSING', 'Send your key as `Authorization: Bearer mg_...`.')
    }
    return this.keys.peek(key) ?? this.findByLookUp(key, request)
  }

  private async findByLookUp(key: string, request: FastifyRequest): Promise<Principal> {
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
    while (others.size >= this.roomOf(request, this.limit, address)) await Promise.race(others)
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
    if (!principal) this.limit?.count(clientAddressOf(request))
    return principal
  }

  /**
   * How many wrong keys the address may still send.
   * @throws {MemoryGuardError} RATE_LIMITED for none.
   */
  private roomOf(request: FastifyRequest, limit: RequestLimit, address: string): number {
    try {
      return limit.room(address)
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
