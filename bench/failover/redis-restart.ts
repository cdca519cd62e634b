import { setTimeout as pause } from 'node:timers/promises'
import type { StartScenario } from './scenario.js'
import { startStack } from '../../test/support/stack.js'

const downMs = 5_000

/** One Redis is killed and comes back, on its own append-only file, after 5 s. */
export const startRedisRestart: StartScenario = async () => {
  const stack = await startStack({ broker: 'redis', workers: 2, durable: true, logs: 'inherit' })
  return {
    target: stack,
    databaseUrl: stack.databaseUrl,
    fail: async (mark) => {
      await stack.redis?.kill()
      mark()
      await pause(downMs)
      await stack.redis?.restart()
    },
    stop: () => stack.stop(),
  }
}
