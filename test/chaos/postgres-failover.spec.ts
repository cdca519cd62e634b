import { afterAll, beforeAll, expect, it } from 'vitest'
import { describeOnBothBrokers } from '../support/brokers.js'
import { startPostgresPair, type PostgresPair } from '../support/postgres-pair.js'
import { example, waiting } from '../support/requests.js'
import { quickRecovery, startStack, type Stack } from '../support/stack.js'
import { SteadyLoad } from '../support/steady-load.js'
import { waitFor } from '../support/wait-for.js'

const perSecond = 60

describeOnBothBrokers('a synchronous standby that is promoted under load', (broker) => {
  let pair: PostgresPair
  let stack: Stack
  beforeAll(async () => {
    pair = await startPostgresPair({ broker, isSynchronous: true })
    stack = await startStack({ broker, postgres: pair, workers: 2, env: { ...quickRecovery } })
  })
  afterAll(() => stack.stop())

  it('has all that was accepted, and everything is done once; no process is restarted', async () => {
    const urls = [stack.url, ...stack.workers.map(({ healthUrl }) => healthUrl)]
    const readinessOf = async (url: string) => {
      const response = await fetch(`${url}/readyz`)
      return { status: response.status, text: await response.text() }
    }
    const load = new SteadyLoad(stack, perSecond)
    load.start()
    await load.untilAccepted(2 * perSecond)
    await pair.kill()
    load.markFault()
    for (const url of urls) {
      const { text } = await waitFor(
        async () => {
          const readiness = await readinessOf(url)
          return readiness.status === 503 && readiness
        },
        { what: `${url} not to be ready` },
      )
      expect(text).toMatch(/"database":/)
    }
    await pair.restart()
    for (const url of urls)
      await waitFor(async () => (await readinessOf(url)).status === 200, { what: `${url} to be ready` })
    await load.untilAccepted(load.accepted + perSecond)
    const { refused, submitted, accepted } = await load.stop()
    expect(accepted).toBe(submitted)
    expect(Object.keys(refused)).toEqual(['503'])
    expect(await load.readOutcome(pair.standby.url)).toMatchObject({ lost: 0, doubled: 0 })
    // Notifications arrive from the new primary: a caller who waits gets the result.
    expect((await stack.post('/v1/predictions', example, waiting)).status).toBe(200)
    expect([stack.api, ...stack.workers].map(({ isRunning }) => isRunning)).toEqual([true, true, true])
  })
})
