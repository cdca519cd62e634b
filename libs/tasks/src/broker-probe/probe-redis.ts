import { parseBrokerUrl, parseCeleryUrl, type BrokerAddress } from '#libs/platform'
import { warningsOf, type BrokerFacts, type RedisFacts } from './broker-facts.js'
import { configInvalid } from './explain-failure.js'
import { findMaster } from './find-master.js'
import { probeCluster } from './probe-cluster.js'
import { probeServer } from './probe-server.js'
import { celeryBackend, celeryBroker, ourBroker, type ProbedRedis } from './probed-redis.js'
import type { RedisTarget } from './redis-dialog.js'

/**
 * Connects as the queues will, signs in, chooses the database and tries each command that they need, all in bounded time:
 * on one server, on the master that sentinels name, or on each master of a cluster.
 * @throws MemoryGuardError CONFIG_INVALID for what does not pass by itself, BROKER_UNAVAILABLE for what may; one sentence
 * with the server's own words.
 */
export const probeRedis = async (url: string): Promise<BrokerFacts> => {
  const parsed = parseBrokerUrl(url)
  if ('fault' in parsed) throw configInvalid(`BROKER_URL ${parsed.fault}.`)
  const { address } = parsed
  if (address.kind === 'cluster') return probeCluster(address)
  const facts = await probeMaster(address, ourBroker('predictions'))
  return { kind: facts.kind, redis: facts, warnings: warningsOf(facts) }
}

/** The same for the broker and for the result backend of Celery; it writes nothing. @throws as `probeRedis` does */
export const probeCelery = async (part: 'broker' | 'backend', url: string): Promise<RedisFacts> => {
  const variable = part === 'broker' ? 'CELERY_BROKER_URL' : 'CELERY_RESULT_BACKEND'
  const parsed = parseCeleryUrl(url)
  if ('fault' in parsed) throw configInvalid(`${variable} ${parsed.fault}.`)
  const { address } = parsed
  return probeMaster(address, part === 'broker' ? celeryBroker(address) : celeryBackend(address))
}

const probeMaster = async (address: BrokerAddress, redis: ProbedRedis): Promise<RedisFacts> => {
  const target: RedisTarget = { ...address, ...address.hosts[0] }
  return probeServer(
    { ...target, ...(address.sentinel && (await findMaster(address, address.sentinel, redis))) },
    redis,
  )
}
