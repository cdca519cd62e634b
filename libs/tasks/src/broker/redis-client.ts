import { MemoryGuardError, parseBrokerUrl, redisOptions, type HostAndPort } from '#libs/platform'
import { createIORedisClient, type IRedisClient, type RedisOptions } from 'bullmq'
import { Cluster, Redis } from 'ioredis'

/** Longest time until a connection is made, and between two attempts, in milliseconds. */
const connectMs = 5_000
const longestRetryMs = 2_000
/**
 * A connection is made anew if a command has no response for this long, in milliseconds: the other end may have vanished
 * without a word.
 */
const silenceMs = 5_000
/** The same for a connection over which a consumer waits for a job, up to ten seconds each time. */
const waitingSilenceMs = 12_000
/** How often the masters of a cluster are asked for, in milliseconds: one that has vanished does not redirect anyone. */
const slotsMs = 5_000
/** Longest time until a member of a cluster, or a sentinel, tells who the masters are, in milliseconds. */
const mastersMs = 2_000

/** Who connects: a producer must fail fast when the broker is down, a consumer waits for it. */
export type BrokerSide = 'producer' | 'consumer'

/** How BullMQ connects to Redis, by the options of ioredis; `members` are those of a cluster. */
export type BrokerConnection = RedisOptions & { readonly members?: readonly HostAndPort[] }

const retryStrategy = (times: number): number => Math.min(100 * times, longestRetryMs)

/**
 * Returns how one side connects to the Redis of a URL.
 * @throws {MemoryGuardError} CONFIG_INVALID when the URL cannot be used.
 */
export const redisConnection = (url: string, side: BrokerSide): BrokerConnection => {
  const parsed = parseBrokerUrl(url)
  if ('fault' in parsed) throw new MemoryGuardError('CONFIG_INVALID', `BROKER_URL ${parsed.fault}.`)
  const { address } = parsed
  return {
    ...redisOptions(address),
    ...(address.kind === 'cluster' && { members: address.hosts }),
    connectTimeout: connectMs,
    enableOfflineQueue: side === 'consumer',
    maxRetriesPerRequest: side === 'consumer' ? null : 1,
    retryStrategy,
    sentinelRetryStrategy: retryStrategy,
    sentinelCommandTimeout: mastersMs,
    // A connection may outlive a failover: it leads to what is a replica now, and a new one to the new master.
    reconnectOnError: ({ message }: Error) => /READONLY|UNBLOCKED/.test(message),
  }
}

/** Makes a client as BullMQ uses it. Every connection of the queues to Redis is made here. */
export const createBrokerClient = ({ members, ...rest }: BrokerConnection): IRedisClient => {
  // BullMQ names the connections that wait, and no others.
  const options = { ...rest, socketTimeout: rest.connectionName === undefined ? silenceMs : waitingSilenceMs }
  return createIORedisClient(members === undefined ? createSingle(options) : createCluster(members, options))
}

const createSingle = (options: RedisOptions): Redis => {
  const client = new Redis(options)
  // ioredis leaves the timer for silence running when a connection is lost, and it would end the next one.
  return client.on('close', () => {
    clearTimeout(Reflect.get(client, 'socketTimeoutTimer') as NodeJS.Timeout | undefined)
    Reflect.set(client, 'socketTimeoutTimer', undefined)
  })
}

const createCluster = (members: readonly HostAndPort[], options: RedisOptions): Cluster => {
  const { host: _host, port: _port, enableOfflineQueue, ...redisOptions } = options
  return new Cluster([...members], {
    redisOptions,
    ...(enableOfflineQueue !== undefined && { enableOfflineQueue }),
    clusterRetryStrategy: retryStrategy,
    slotsRefreshInterval: slotsMs,
    slotsRefreshTimeout: mastersMs,
    // A certificate is made out to a name, which is lost if it is resolved before.
    dnsLookup: (name, callback) => callback(null, name),
  })
}
