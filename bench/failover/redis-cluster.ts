import type { StartScenario } from './scenario.js'
import { startRedisCluster } from '../../test/support/redis-cluster.js'
import { startStack } from '../../test/support/stack.js'

/** The members agree after this long that a master has vanished, in milliseconds; Redis's default is 15 s. */
const nodeTimeoutMs = 2_000

/** Three masters with a replica each: the master of the predictions is killed. */
export const startRedisClusterFailover: StartScenario = async () => {
  const cluster = await startRedisCluster(nodeTimeoutMs)
  const stack = await startStack({
    broker: 'redis',
    brokerUrl: cluster.url,
    workers: 2,
    durable: true,
    logs: 'inherit',
  })
  return {
    target: stack,
    databaseUrl: stack.databaseUrl,
    fail: async (mark) => {
      const master = await cluster.masterOf('{memoryguard:predictions}')
      mark()
      await master.kill()
    },
    stop: async () => {
      await stack.stop()
      await cluster.stop()
    },
  }
}
