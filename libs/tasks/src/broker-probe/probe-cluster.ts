import { nameOfHost, queueNames, type BrokerAddress, type HostAndPort, type QueueName } from '#libs/platform'
import { warningsOf, type BrokerFacts } from './broker-facts.js'
import { configInvalid, unavailable } from './explain-failure.js'
import { withDialog } from './explained-dialog.js'
import { firstToSucceed } from './first-to-succeed.js'
import { probeServer } from './probe-server.js'
import { clusterMember, keyPrefixOf, ourBroker } from './probed-redis.js'
import type { RedisDialog } from './redis-dialog.js'
import type { RedisReply } from './redis-reply.js'

/** A master of a cluster, and the queues whose keys it holds. */
interface ClusterMaster extends HostAndPort {
  readonly queues: readonly QueueName[]
}

/**
 * Probes each master of the cluster; the commands are tried where the queues' keys are.
 * @throws as `withDialog` does; BROKER_UNAVAILABLE if a queue has no master.
 */
export const probeCluster = async (address: BrokerAddress): Promise<BrokerFacts> => {
  const masters = await firstToSucceed(
    address.hosts.map((host) =>
      withDialog({ ...address, ...host }, clusterMember, (dialog) => readMasters(dialog, host)),
    ),
  )
  const facts = await Promise.all(
    masters.map((master) => probeServer({ ...address, ...master }, clusterMember, master.queues.map(ourBroker))),
  )
  const [first] = facts
  const warnings = facts.flatMap((each, index) =>
    warningsOf(each, ` at ${nameOfHost(masters[index] ?? address.hosts[0])}`),
  )
  return { kind: first?.kind ?? 'redis', ...(first && { redis: first }), warnings }
}

const readMasters = async (dialog: RedisDialog, from: HostAndPort): Promise<readonly ClusterMaster[]> => {
  const where = nameOfHost(from)
  if (!/^cluster_enabled:1/m.test(String(await dialog.ask('INFO', 'cluster')))) {
    throw configInvalid(
      `The broker at ${where} is not a member of a Redis Cluster. Write redis:// in BROKER_URL for a single Redis, redis+sentinel:// for sentinels.`,
    )
  }
  const state = String(await dialog.ask('CLUSTER', 'INFO'))
  if (/^cluster_slots_assigned:0\r?$/m.test(state)) {
    throw unavailable(
      `The Redis Cluster at ${where} is not formed: it has no slots. Run redis-cli --cluster create.`,
      state,
    )
  }
  if (/^cluster_state:fail/m.test(state)) {
    throw unavailable(`The Redis Cluster is down: by its member at ${where}, some slots have no master.`, state)
  }
  const slots = toRanges(await dialog.ask('CLUSTER', 'SLOTS'), from)
  const masters = new Map<string, ClusterMaster>(
    slots.map(({ master }) => [nameOfHost(master), { ...master, queues: [] }]),
  )
  for (const queue of queueNames) {
    const slot = Number(await dialog.ask('CLUSTER', 'KEYSLOT', keyPrefixOf(queue)))
    const range = slots.find(({ first, last }) => first <= slot && slot <= last)
    if (!range)
      throw unavailable(`The Redis Cluster has no master for slot ${slot}, that of the queue ${queue}.`, state)
    const name = nameOfHost(range.master)
    masters.set(name, { ...range.master, queues: [...(masters.get(name)?.queues ?? []), queue] })
  }
  return [...masters.values()]
}

/** The reply to CLUSTER SLOTS. A member that does not know its own name leaves it out. */
const toRanges = (reply: RedisReply, from: HostAndPort) =>
  (Array.isArray(reply) ? (reply as readonly RedisReply[]) : []).flatMap((range) => {
    const [first, last, master] = Array.isArray(range) ? (range as readonly RedisReply[]) : []
    const [host, port] = Array.isArray(master) ? (master as readonly RedisReply[]) : []
    if (typeof port !== 'number') return []
    const name = typeof host === 'string' && host !== '' && host !== '?' ? host : from.host
    return [{ first: Number(first), last: Number(last), master: { host: name, port } }]
  })
