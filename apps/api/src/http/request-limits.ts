import LocalStore from '@fastify/rate-limit/store/LocalStore.js'
import { MemoryGuardError, type Config } from '#libs/platform'

const minuteMs = 60_000

/** Counts the requests of each caller within a minute, in the memory of this process: of the 5,000 callers seen last. */
export class RequestLimit {
  private readonly store = new LocalStore(false, false)

  constructor(private readonly max: number) {}

  /**
   * Counts a request.
   * @throws {MemoryGuardError} RATE_LIMITED with the seconds until the minute is over.
   */
  count(caller: string): void {
    this.store.incr(
      caller,
      (_, { current, ttl }) => {
        if (current > this.max) throw tooMany(ttl)
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
        if (room <= 0) throw tooMany(ttl)
      },
      minuteMs,
    )
    return room
  }
}

/** The limits of one process on how many requests a caller sends in a minute. A limit that is switched off is absent. */
export interface RequestLimits {
  readonly ofKey: RequestLimit | undefined
  readonly ofAddress: RequestLimit | undefined
  readonly ofWrongKeys: RequestLimit | undefined
}

export const createRequestLimits = ({
  keyPerMinute,
  addressPerMinute,
  wrongKeysPerMinute,
}: Config['http']['rateLimits']): RequestLimits => {
  const limitOf = (max: number) => (max === 0 ? undefined : new RequestLimit(max))
  return {
    ofKey: limitOf(keyPerMinute),
    ofAddress: limitOf(addressPerMinute),
    ofWrongKeys: limitOf(wrongKeysPerMinute),
  }
}

const tooMany = (remainingMs: number): MemoryGuardError => {
  const seconds = Math.max(1, Math.ceil(remainingMs / 1000))
  return new MemoryGuardError('RATE_LIMITED', `Too many requests. Try again in ${seconds} s.`, {
    retryAfterSeconds: seconds,
  })
}
