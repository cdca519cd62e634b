import { fileURLToPath } from 'node:url'
import type { StartScenario } from './scenario.js'
import { Fleet } from '../../test/support/fleet.js'
import { startStack, type BrokerKind } from '../../test/support/stack.js'

/** From the build of this file. */
const repository = fileURLToPath(new URL('../../..', import.meta.url))

/**
 * Behind a balancer that polls each second, two workers and two apis are replaced one by one. With the folder of an older build,
 * that version runs first, the database is migrated under it, and all goes back to it in the end.
 */
export const startRollingUpdate =
  (broker: BrokerKind, older?: string): StartScenario =>
  async () => {
    const root = older ?? repository
    const env = { SHUTDOWN_DELAY_SECONDS: '2', MODELS_DIR: `${root}/models` }
    const stack = await startStack({ broker, workers: 2, durable: true, logs: 'inherit', env, root })
    const useVersion = (folder: string): void => {
      stack.root = folder
      stack.env['MODELS_DIR'] = `${folder}/models`
    }
    const fleet = await Fleet.start(stack)
    return {
      target: fleet.target,
      databaseUrl: stack.databaseUrl,
      fail: async (mark) => {
        mark()
        if (older) {
          useVersion(repository)
          const code = await stack.run('migrate').exited
          if (code !== 0) throw new Error(`The migration ended with ${code}`)
        }
        await fleet.replaceWorkers()
        await fleet.replaceApis()
        if (!older) return
        useVersion(older)
        await fleet.replaceApis()
        await fleet.replaceWorkers()
      },
      stop: async () => {
        for (const reason of new Set(fleet.balancer.errors)) process.stderr.write(`The balancer failed: ${reason}\n`)
        await fleet.balancer.stop()
        await stack.stop()
      },
    }
  }
