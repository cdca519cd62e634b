import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { Fleet } from '../support/fleet.js'
import { queryNumber } from '../support/query.js'
import { SteadyLoad } from '../support/steady-load.js'
import { useStack } from '../support/use-stack.js'

const perSecond = 40

describe('a rolling update', () => {
  // As many seconds as two polls of the balancer.
  const stack = useStack({ broker: 'postgres', workers: 2, env: { SHUTDOWN_DELAY_SECONDS: '2' } })
  let fleet: Fleet
  beforeAll(async () => {
    fleet = await Fleet.start(stack)
  })
  afterAll(() => fleet.balancer.stop())

  it('of all workers and apis refuses nothing, loses nothing and repeats nothing', async () => {
    const load = new SteadyLoad(fleet.target, perSecond)
    load.start()
    await load.untilAccepted(perSecond)
    await Promise.all([fleet.replaceWorkers(), fleet.replaceApis()])
    const { submitted, accepted, refused } = await load.stop()
    expect([refused, fleet.balancer.errors]).toEqual([{}, []])
    expect(accepted).toBe(submitted)
    expect(await load.readOutcome(stack.databaseUrl)).toMatchObject({ lost: 0, doubled: 0, repeated: 0 })
    const retries = 'SELECT count(*)::int AS number FROM tasks WHERE retries > 0 OR crashes > 0'
    expect(await queryNumber(stack.databaseUrl, retries)).toBe(0)
  })
})
