import { findFreePort } from '#libs/platform'
import { Redis } from 'ioredis'
import { startRedis, type RedisServer } from './redis-server.js'
import { waitFor } from './wait-for.js'

/** Slots of every Redis Cluster. */
const slotCount = 16_384
const masterCount = 3

/** A Redis Cluster of three masters with a replica each, all on 127.0.0.1. */
export interface RedisCluster {
  /** Names two of the members. */
  readonly url: string
  readonly nodes: readonly RedisServer[]
  /** The master that has a key now. */
  masterOf(key: string): Promise<RedisServer>
  stop(): Promise<void>
}

/** Further ports of a member. */
interface Member {
  readonly busPort: number
  readonly tlsPort: number
}

/** Starts a cluster whose members notice within `timeoutMs` that one has vanished; `tls` has the options of its TLS. */
export const startRedisCluster = async (timeoutMs = 1_000, tls?: readonly string[]): Promise<RedisCluster> => {
  const nodes: RedisServer[] = []
  const members: Member[] = []
  const clients: Redis[] = []
  const stop = async () => {
    for (const client of clients) client.disconnect()
    await Promise.all(nodes.map((node) => node.stop()))
  }
  try {
    for (let index = 0; index < 2 * masterCount; index += 1) {
      members.push({ busPort: await findFreePort('127.0.0.1'), tlsPort: await findFreePort('127.0.0.1') })
    }
    const mode = ['--cluster-enabled', 'yes', '--cluster-node-timeout', String(timeoutMs)]
    const start = ({ busPort, tlsPort }: Member) => {
      const secure = tls ? ['--tls-port', String(tlsPort), '--tls-cluster', 'yes', '--tls-replication', 'yes'] : []
      return startRedis([...mode, '--cluster-port', String(busPort), ...secure, ...(tls ?? [])])
    }
    nodes.push(...(await Promise.all(members.map(start))))
    clients.push(...nodes.map(({ port }) => new Redis({ port, host: '127.0.0.1' }).on('error', () => undefined)))
    const ports = nodes.map(({ port }, index) => (tls ? (members[index]?.tlsPort ?? 0) : port))
    await form(ports, clients, members)
  } catch (error) {
    await stop()
    throw error
  }
  const portOfMaster = async (key: string): Promise<number> => {
    const client = clients.find(({ status }) => status === 'ready')
    const slot = await client?.cluster('KEYSLOT', key)
    const ranges = (await client?.cluster('SLOTS')) ?? []
    const [, , master] = ranges.find(([first, last]) => first <= Number(slot) && Number(slot) <= last) ?? []
    const [, port = 0] = master ?? []
    return port
  }
  return {
    url: `redis${tls ? 's' : ''}+cluster://${[1, 2]
      .map((index) => `127.0.0.1:${(tls ? members[index]?.tlsPort : nodes[index]?.port) ?? 0}`)
      .join(',')}`,
    nodes,
    masterOf: async (key) => {
      const port = await portOfMaster(key)
      const node = nodes.find((each) => each.port === port)
      if (!node) throw new Error(`No master has the key ${key}`)
      return node
    },
    stop,
  }
}

/** Has the servers become a cluster: the first half are masters, each of the others a replica of one. */
const form = async (ports: readonly number[], clients: readonly Redis[], members: readonly Member[]): Promise<void> => {
  // Each meets each: by hearsay it takes seconds.
  for (const [index, port] of ports.entries()) {
    for (const client of clients) {
      await client.call('CLUSTER', 'MEET', '127.0.0.1', String(port), String(members[index]?.busPort))
    }
  }
  const share = Math.ceil(slotCount / masterCount)
  for (const [index, client] of clients.slice(0, masterCount).entries()) {
    const last = Math.min(slotCount, (index + 1) * share) - 1
    await client.call('CLUSTER', 'ADDSLOTSRANGE', String(index * share), String(last))
  }
  const everywhere = async (words: RegExp) => {
    const texts = await Promise.all(clients.map((client) => client.call('CLUSTER', 'INFO')))
    return texts.every((text) => words.test(String(text)))
  }
  await waitFor(() => everywhere(new RegExp(`cluster_known_nodes:${ports.length}\\b`)), { what: 'the members to meet' })
  for (const [index, replica] of clients.slice(masterCount).entries()) {
    const id = String(await clients[index]?.call('CLUSTER', 'MYID'))
    await waitFor(async () => (await replica.call('CLUSTER', 'REPLICATE', id)) === 'OK', { what: 'a replica' })
  }
  await waitFor(() => everywhere(/cluster_state:ok/), { what: 'the cluster' })
  await waitFor(
    async () => {
      const texts = await Promise.all(clients.slice(masterCount).map((client) => client.info('replication')))
      return texts.every((text) => text.includes('master_link_status:up'))
    },
    { what: 'the replicas to be in step' },
  )
}
