import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { startRedisCluster, type RedisCluster } from '../support/redis-cluster.js'
import { hasRedis } from '../support/redis-server.js'
import { example, waiting } from '../support/requests.js'
import { startStack, type Stack } from '../support/stack.js'
import { SteadyLoad } from '../support/steady-load.js'
import { waitFor } from '../support/wait-for.js'

const perSecond = 150
/** The members notice that a master has vanished; readiness notices sooner. */
const nodeTimeoutMs = 5_000

describe.runIf(hasRedis())('a Redis Cluster as the broker', () => {
  let cluster: RedisCluster
  let stack: Stack
  beforeAll(async () => {
    cluster = await startRedisCluster(nodeTimeoutMs)
    stack = await startStack({
      broker: 'redis',
      brokerUrl: cluster.url,
      workers: 2,
      logs: 'keep',
      env: { RECONCILE_INTERVAL_SECONDS: '1' },
    })
  })
  afterAll(async () => {
    await stack.stop()
    await cluster.stop()
  })

  const readyOf = async () => {
    const response = await fetch(`${stack.workers[0]?.healthUrl ?? ''}/readyz`)
    return { status: response.status, body: await response.json() }
  }
  const untilReady = (status: number) =>
    waitFor(async () => (await readyOf()).status === status && readyOf(), { what: `readiness ${status}` })

  it('loses and doubles nothing when the master of a queue is killed under load, and is ready again by itself', async () => {
    const load = new SteadyLoad(stack, perSecond)
    load.start()
    await load.untilAccepted(2 * perSecond)
    const master = await cluster.masterOf('{memoryguard:predictions}')
    load.markFault()
    await master.kill()
    await untilReady(503)
    await untilReady(200)
    await load.untilAccepted(load.accepted + 2 * perSecond)
    const { submitted, accepted, refused } = await load.stop()
    expect({ accepted, refused }).toEqual({ accepted: submitted, refused: {} })
    const outcome = await load.readOutcome(stack.databaseUrl)
    expect(outcome).toMatchObject({ lost: 0, doubled: 0 })
    expect(outcome.recoverySeconds).toBeLessThan(45)
    expect([stack.api, ...stack.workers].map(({ isRunning }) => isRunning)).toEqual([true, true, true])
    expect(stack.readLogs()).toMatch(/"reason":"[^"]*(Cluster|127\.0\.0\.1)[^"]*".*"broker unavailable"/)

    // The one that was killed comes back as a replica of its successor, which fails next.
    await master.restart()
    const successor = await cluster.masterOf('{memoryguard:predictions}')
    expect(successor.port).not.toBe(master.port)
    const { status } = await stack.post('/v1/predictions', example, waiting)
    expect(status).toBe(200)
  })

  it('keeps each queue in a slot of its own', async () => {
    const slots = new Set<string>()
    for (const queue of ['predictions', 'batch', 'explanations', 'forecasts']) {
      slots.add(String((await cluster.masterOf(`{memoryguard:${queue}}`)).port))
    }
    expect(slots.size).toBeGreaterThan(1)
  })
})
