import { setTimeout as pause } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { hasRedis, startRedis, type RedisServer } from '../../support/redis-server.js'
import { example, waiting } from '../../support/requests.js'
import { startStack, type Stack } from '../../support/stack.js'
import { SteadyLoad } from '../../support/steady-load.js'
import { startTcpProxy, type TcpProxy } from '../../support/tcp-proxy.js'

const perSecond = 100
/** Longer than a call to the broker may take. */
const partitionMs = 6_000

describe.runIf(hasRedis())('a network that lets nothing pass to Redis, and notifies nobody', () => {
  let redis: RedisServer
  let stack: Stack
  let proxies: Readonly<Record<'api' | 'workers', TcpProxy>>
  beforeAll(async () => {
    redis = await startRedis()
    proxies = { api: await startTcpProxy(redis.port), workers: await startTcpProxy(redis.port) }
    stack = await startStack({
      broker: 'redis',
      brokerUrl: `redis://127.0.0.1:${proxies.api.port}`,
      workers: 0,
      env: { RECONCILE_INTERVAL_SECONDS: '1', TASK_LOCK_SECONDS: '5' },
    })
    await stack.startWorker({ BROKER_URL: `redis://127.0.0.1:${proxies.workers.port}` })
  })
  afterAll(async () => {
    await stack.stop()
    await Promise.all([proxies.api.close(), proxies.workers.close()])
    await redis.stop()
  })

  it.each(['api', 'workers'] as const)(
    'to the %s: nothing is lost or doubled, and it works again by itself',
    async (part) => {
      const load = new SteadyLoad(stack, perSecond)
      load.start()
      await load.untilAccepted(perSecond)
      proxies[part].silenceAll()
      await pause(partitionMs)
      proxies[part].heal()
      load.markFault()
      await load.untilAccepted(load.accepted + perSecond)
      const { submitted, accepted, refused } = await load.stop()
      expect({ accepted, refused }).toEqual({ accepted: submitted, refused: {} })
      expect(await load.readOutcome(stack.databaseUrl)).toMatchObject({ lost: 0, doubled: 0 })
      const { status } = await stack.post('/v1/predictions', example, waiting)
      expect(status).toBe(200)
      expect([stack.api, ...stack.workers].map(({ isRunning }) => isRunning)).toEqual([true, true])
    },
  )
})
