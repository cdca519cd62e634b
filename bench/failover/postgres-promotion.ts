import type { StartScenario } from './scenario.js'
import { startPostgresPair } from '../../test/support/postgres-pair.js'
import { startStack, type BrokerKind } from '../../test/support/stack.js'

/** The primary is killed with all its processes, and its standby promoted at once. */
export const startPostgresPromotion =
  (broker: BrokerKind, isSynchronous: boolean): StartScenario =>
  async () => {
    const pair = await startPostgresPair({ broker, isSynchronous, durable: true })
    const stack = await startStack({ broker, postgres: pair, workers: 2, logs: 'inherit' })
    return {
      target: stack,
      databaseUrl: pair.standby.url,
      fail: async (mark) => {
        await pair.kill()
        mark()
        await pair.restart()
      },
      stop: () => stack.stop(),
    }
  }
