import { setTimeout as pause } from 'node:timers/promises'
import type { Scenario } from './scenario.js'
import { startRedis } from '../../test/support/redis-server.js'
import { startStack } from '../../test/support/stack.js'
import { startTcpProxy } from '../../test/support/tcp-proxy.js'

const partitionMs = 30_000

/**
 * Nothing passes between Redis and the api, or the workers, for 30 s, and nobody is notified. The time to recover counts
 * from the end of the partition.
 */
export const startRedisPartition = async (part: 'api' | 'workers'): Promise<Scenario> => {
  const redis = await startRedis()
  const proxies = { api: await startTcpProxy(redis.port), workers: await startTcpProxy(redis.port) }
  const urlOf = ({ port }: { readonly port: number }) => `redis://127.0.0.1:${port}`
  const stack = await startStack({
    broker: 'redis',
    brokerUrl: urlOf(proxies.api),
    workers: 0,
    durable: true,
    logs: 'inherit',
  })
  for (let index = 0; index < 2; index += 1) await stack.startWorker({ BROKER_URL: urlOf(proxies.workers) })
  return {
    target: stack,
    databaseUrl: stack.databaseUrl,
    fail: async (mark) => {
      proxies[part].silenceAll()
      await pause(partitionMs)
      proxies[part].heal()
      mark()
    },
    stop: async () => {
      await stack.stop()
      await Promise.all([proxies.api.close(), proxies.workers.close()])
      await redis.stop()
    },
  }
}
