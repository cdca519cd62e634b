import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { startRedisSentinel, type SentinelRedis } from '../support/redis-sentinel.js'
import { hasRedis } from '../support/redis-server.js'
import { example, waiting } from '../support/requests.js'
import { startStack, type Stack } from '../support/stack.js'
import { SteadyLoad } from '../support/steady-load.js'
import { waitFor } from '../support/wait-for.js'

const perSecond = 150
/** The sentinels notice that the master has vanished; readiness notices sooner. */
const downAfterMs = 2_000

describe.runIf(hasRedis())('a Redis with sentinels as the broker', () => {
  let redis: SentinelRedis
  let stack: Stack
  beforeAll(async () => {
    redis = await startRedisSentinel({ downAfterMs, password: 'canary-of-the-sentinels' })
    stack = await startStack({
      broker: 'redis',
      brokerUrl: `${redis.url}/1`,
      workers: 2,
      logs: 'keep',
      env: { RECONCILE_INTERVAL_SECONDS: '1', BROKER_SENTINEL_PASSWORD: 'canary-of-the-sentinels' },
    })
  })
  afterAll(async () => {
    await stack.stop()
    await redis.stop()
  })

  const untilReady = (status: number) =>
    waitFor(async () => (await fetch(`${stack.workers[0]?.healthUrl ?? ''}/readyz`)).status === status, {
      what: `readiness ${status}`,
    })

  it('loses and doubles nothing when the master is killed under load, and is ready again by itself', async () => {
    const load = new SteadyLoad(stack, perSecond)
    load.start()
    await load.untilAccepted(2 * perSecond)
    const master = await redis.readMaster()
    load.markFault()
    await master.kill()
    await untilReady(503)
    await untilReady(200)
    expect((await redis.readMaster()).port).not.toBe(master.port)
    await load.untilAccepted(load.accepted + 2 * perSecond)
    const { submitted, accepted, refused } = await load.stop()
    expect({ accepted, refused }).toEqual({ accepted: submitted, refused: {} })
    const outcome = await load.readOutcome(stack.databaseUrl)
    expect(outcome).toMatchObject({ lost: 0, doubled: 0 })
    expect(outcome.recoverySeconds).toBeLessThan(45)
    expect([stack.api, ...stack.workers].map(({ isRunning }) => isRunning)).toEqual([true, true, true])

    // The old master is a master for a moment when it comes back.
    await master.restart()
    const { status } = await stack.post('/v1/predictions', example, waiting)
    expect(status).toBe(200)
    expect(stack.readLogs()).toContain('broker unavailable')
    expect(stack.readLogs()).not.toContain('canary')
  })
})
