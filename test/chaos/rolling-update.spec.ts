import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { findFreePort } from '#libs/platform'
import { Balancer } from '../support/balancer.js'
import { queryNumber } from '../support/query.js'
import type { Program } from '../support/stack.js'
import { SteadyLoad } from '../support/steady-load.js'
import { useStack } from '../support/use-stack.js'

const perSecond = 60

describe('a rolling update', () => {
  // As many seconds as two polls of the balancer.
  const stack = useStack({ broker: 'postgres', workers: 2, logs: 'keep', env: { SHUTDOWN_DELAY_SECONDS: '2' } })
  let balancer: Balancer
  beforeAll(async () => {
    balancer = await Balancer.start()
  })
  afterAll(() => balancer.stop())

  const startApi = async (): Promise<{ program: Program; url: string }> => {
    const port = await findFreePort('127.0.0.1')
    const url = `http://127.0.0.1:${port}`
    const program = stack.run('api', { PORT: String(port) })
    await balancer.add(url)
    return { program, url }
  }

  it('of all apis and workers refuses nothing, loses nothing and repeats nothing', async () => {
    await balancer.add(stack.url)
    const apis = [{ program: stack.api, url: stack.url }, await startApi()]
    const workers = [...stack.workers]
    const load = new SteadyLoad({ url: balancer.url, key: stack.key }, perSecond)
    load.start()
    await load.untilAccepted(perSecond)
    // As a Deployment does by default: the new one first, and the old one ends when that is ready.
    for (const old of workers) {
      await stack.startWorker()
      expect(await old.kill('SIGTERM')).toBe(0)
    }
    for (const { program, url } of apis) {
      await startApi()
      expect(await program.kill('SIGTERM')).toBe(0)
      balancer.remove(url)
    }
    const { submitted, accepted, refused } = await load.stop()
    expect([refused, balancer.errors]).toEqual([{}, []])
    expect(accepted).toBe(submitted)
    expect(await load.readOutcome(stack.databaseUrl)).toMatchObject({ lost: 0, doubled: 0, repeated: 0 })
    const retries = 'SELECT count(*)::int AS number FROM tasks WHERE retries > 0 OR crashes > 0'
    expect(await queryNumber(stack.databaseUrl, retries)).toBe(0)
  })
})
