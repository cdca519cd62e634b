import LocalStore from '@fastify/rate-limit/store/LocalStore.js'
import { MemoryGuardError, type Config } from '#libs/platform'
import type { RefusingLimit } from '../health/api-metrics.js'

const minuteMs = 60_000

/** Counts the requests of each caller within a minute, in the memory of this process: of the 5,000 callers seen last. */
export class RequestLimit {
  private readonly store = new LocalStore(false, false)

  /** `onRefusal` is called for each request that is refused. */
  constructor(
    private readonly max: number,
    private readonly onRefusal: () => void = () => undefined,
  ) {}

  /**
   * Counts a request.
   * @throws {MemoryGuardError} RATE_LIMITED with the seconds until the minute is over.
   */
  count(caller: string): void {
    this.store.incr(
      caller,
      (_, { current, ttl }) => {
        if (current > this.max) throw this.refuse(ttl)
      },
      minuteMs,
      this.max,
    )
  }

  /**
   * How many requests may still be counted.
   * @throws {MemoryGuardError} RATE_LIMITED for none.
   */
  room(caller: string): number {
    let room = 0
    this.store.read(
      caller,
      (_, { current, ttl }) => {
        room = this.max - current
        if (room <= 0) throw this.refuse(ttl)
      },
      minuteMs,
    )
    return room
  }

  private refuse(remainingMs: number): MemoryGuardError {
    this.onRefusal()
    return tooMany(remainingMs)
  }
}

/** The limits of one process on how many requests a caller sends in a minute. A limit that is switched off is absent. */
export interface RequestLimits {
  readonly ofKey: RequestLimit | undefined
  readonly ofAddress: RequestLimit | undefined
}

/** `onRefusal` is called for each request that one of the limits refuses. */
export const createRequestLimits = (
  { keyPerMinute, addressPerMinute }: Config['http']['rateLimits'],
  onRefusal: (limit: RefusingLimit) => void,
): RequestLimits => ({
  ofKey: requestLimitOf(keyPerMinute, () => onRefusal('key')),
  ofAddress: requestLimitOf(addressPerMinute, () => onRefusal('address')),
})

/** A limit by its setting, of which 0 switches it off. */
export const requestLimitOf = (max: number, onRefusal?: () => void): RequestLimit | undefined =>
  max === 0 ? undefined : new RequestLimit(max, onRefusal)

const tooMany = (remainingMs: number): MemoryGuardError => {
  const seconds = Math.max(1, Math.ceil(remainingMs / 1000))
  return new MemoryGuardError('RATE_LIMITED', `Too many requests. Try again in ${seconds} s.`, {
    retryAfterSeconds: seconds,
  })
}
