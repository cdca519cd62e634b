import { setTimeout as pause } from 'node:timers/promises'
import type { StartScenario } from './scenario.js'
import { makePostgresHome, startPostgres } from '../../test/support/stack-postgres.js'
import { startStack, type BrokerKind } from '../../test/support/stack.js'
import { startTcpProxy } from '../../test/support/tcp-proxy.js'

const partitionMs = 30_000

/** For 30 s, nothing passes between PostgreSQL and the api, or the workers, and no side is told. */
export const startPostgresPartition =
  (broker: BrokerKind, side: 'api' | 'workers'): StartScenario =>
  async () => {
    const server = Object.assign(await startPostgres(makePostgresHome(), true), { isMigrated: false })
    const proxy = await startTcpProxy(Number(new URL(server.url).port))
    const proxied = Object.assign(new URL(server.url), { port: String(proxy.port) }).href
    const envOf = (each: typeof side) => ({ DATABASE_URL: each === side ? proxied : server.url })
    const stack = await startStack({ broker, postgres: server, workers: 0, logs: 'inherit', env: envOf('api') })
    for (let worker = 0; worker < 2; worker += 1) await stack.startWorker(envOf('workers'))
    return {
      target: stack,
      databaseUrl: server.url,
      fail: async (mark) => {
        proxy.silenceAll()
        await pause(partitionMs)
        mark()
        proxy.passAgain()
      },
      stop: async () => {
        await stack.stop()
        await proxy.close()
      },
    }
  }
