import { mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { findFreePort } from '#libs/platform'
import { Redis } from 'ioredis'
import { startRedis, startServer, type RedisServer } from './redis-server.js'
import { waitFor } from './wait-for.js'

const sentinelCount = 3
const quorum = 2

export interface SentinelOptions {
  /** The sentinels notice within this time that a master has vanished. */
  readonly downAfterMs?: number
  /** Password of the sentinels. */
  readonly password?: string
}

/** A master with a replica, and three sentinels that know it as `main`, all on 127.0.0.1. */
export interface SentinelRedis {
  /** Names two of the sentinels. */
  readonly url: string
  readonly servers: readonly RedisServer[]
  readonly sentinels: readonly RedisServer[]
  /** The server that is the master by a sentinel now. */
  readMaster(): Promise<RedisServer>
  stop(): Promise<void>
}

/** Starts them; resolves when a failover is possible. */
export const startRedisSentinel = async ({
  downAfterMs = 1_000,
  password,
}: SentinelOptions = {}): Promise<SentinelRedis> => {
  const master = await startRedis()
  const servers = [master]
  const sentinels: RedisServer[] = []
  const clients: Redis[] = []
  const stop = async () => {
    for (const client of clients) client.disconnect()
    await Promise.all([...sentinels, ...servers].map((server) => server.stop()))
  }
  try {
    servers.push(await startRedis(['--replicaof', `127.0.0.1 ${master.port}`]))
    for (let index = 0; index < sentinelCount; index += 1) {
      sentinels.push(await startSentinel(master.port, downAfterMs, password))
    }
    clients.push(
      ...sentinels.map(({ port }) =>
        new Redis({ port, host: '127.0.0.1', ...(password !== undefined && { password }) }).on(
          'error',
          () => undefined,
        ),
      ),
    )
    await waitFor(
      async () => {
        const states = await Promise.all(clients.map((client) => client.call('SENTINEL', 'MASTER', 'main')))
        return states.every((state) => {
          const [, slaves] = fieldOf(state, 'num-slaves')
          const [, others] = fieldOf(state, 'num-other-sentinels')
          return slaves === '1' && others === String(sentinelCount - 1)
        })
      },
      { what: 'the sentinels to know each other and the replica' },
    )
  } catch (error) {
    await stop()
    throw error
  }
  return {
    url: `redis+sentinel://${sentinels
      .slice(0, 2)
      .map(({ port }) => `127.0.0.1:${port}`)
      .join(',')}/main`,
    servers,
    sentinels,
    readMaster: async () => {
      const client = clients.find(({ status }) => status === 'ready')
      const reply: unknown = await client?.call('SENTINEL', 'get-master-addr-by-name', 'main')
      const [, port]: readonly unknown[] = Array.isArray(reply) ? reply : []
      const server = servers.find((each) => each.port === Number(port))
      if (!server) throw new Error(`No server listens on ${String(port)}`)
      return server
    },
    stop,
  }
}

const startSentinel = async (masterPort: number, downAfterMs: number, password?: string): Promise<RedisServer> => {
  const folder = mkdtempSync(join(tmpdir(), 'memoryguard-sentinel-'))
  const port = await findFreePort('127.0.0.1')
  const file = join(folder, 'sentinel.conf')
  const lines = [
    `port ${port}`,
    'bind 127.0.0.1',
    `dir ${folder}`,
    `sentinel monitor main 127.0.0.1 ${masterPort} ${quorum}`,
    `sentinel down-after-milliseconds main ${downAfterMs}`,
    'sentinel failover-timeout main 10000',
    ...(password === undefined ? [] : [`requirepass ${password}`, `sentinel sentinel-pass ${password}`]),
  ]
  writeFileSync(file, `${lines.join('\n')}\n`)
  return startServer(port, folder, [file, '--sentinel'])
}

/** A field of a reply that lists names and values in turn. */
const fieldOf = (reply: unknown, name: string): readonly unknown[] => {
  const list: readonly unknown[] = Array.isArray(reply) ? reply : []
  const index = list.indexOf(name)
  return index < 0 ? [] : list.slice(index, index + 2)
}
