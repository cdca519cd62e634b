import type { StartScenario } from './scenario.js'
import { startRedisSentinel } from '../../test/support/redis-sentinel.js'
import { startStack } from '../../test/support/stack.js'

/** The sentinels agree after this long that the master has vanished, in milliseconds; Redis's default is 30 s. */
const downAfterMs = 2_000

/** A master with a replica and three sentinels: the master is killed. */
export const startRedisSentinelFailover: StartScenario = async () => {
  const redis = await startRedisSentinel({ downAfterMs })
  const stack = await startStack({ broker: 'redis', brokerUrl: redis.url, workers: 2, durable: true, logs: 'inherit' })
  return {
    target: stack,
    databaseUrl: stack.databaseUrl,
    fail: async (mark) => {
      const master = await redis.readMaster()
      mark()
      await master.kill()
    },
    stop: async () => {
      await stack.stop()
      await redis.stop()
    },
  }
}
