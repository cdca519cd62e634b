import { describe } from 'vitest'
import { hasRedis } from './redis-server.js'
import type { BrokerKind } from './stack.js'

/** A suite that runs on both brokers; without `redis-server` here, its Redis half is shown as skipped. */
export const describeOnBothBrokers = (name: string, suite: (broker: BrokerKind) => void): void => {
  describe(`${name}, PostgreSQL as the broker`, () => suite('postgres'))
  describe.runIf(hasRedis())(`${name}, Redis as the broker`, () => suite('redis'))
}
