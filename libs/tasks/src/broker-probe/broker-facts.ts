import { configInvalid } from './explain-failure.js'
import type { ProbedRedis } from './probed-redis.js'
import type { RedisReply } from './redis-reply.js'

const oldestVersion = '6.2'

/** What is known of a broker that works. */
export interface BrokerFacts {
  readonly kind: RedisFacts['kind'] | 'postgresql'
  /** Absent for PostgreSQL, whose version is that of the database. */
  readonly redis?: RedisFacts
  /** One sentence for each setting that may lose queues, and what to set instead. */
  readonly warnings: readonly string[]
}

/** Settings of a Redis or Valkey that decide whether it keeps what it is given. */
export interface RedisFacts {
  readonly kind: 'redis' | 'valkey'
  readonly version: string | undefined
  readonly role: string | undefined
  /** Bytes; 0: no limit. */
  readonly maxMemory: number | undefined
  readonly evictionPolicy: string | undefined
  readonly persistence: 'append-only file' | 'snapshots' | 'none' | 'unknown'
}

/** Reads the reply to INFO. @throws {MemoryGuardError} CONFIG_INVALID for a server that cannot be the broker. */
export const readInfo = (
  info: RedisReply,
  { name, variable, clusterAdvice }: ProbedRedis,
): ReadonlyMap<string, string> => {
  const lines = new Map(
    String(info)
      .split('\r\n')
      .map((line) => line.split(':', 2) as [string, string]),
  )
  const version = lines.get('redis_version')
  if (lines.get('redis_mode') === 'sentinel') {
    throw configInvalid(
      `${name} is a sentinel, which holds no queues. Write redis+sentinel:// and, after the hosts, the name of its master in ${variable}.`,
    )
  }
  if (clusterAdvice !== undefined && lines.get('cluster_enabled') === '1') {
    throw configInvalid(`${name} is a member of a Redis Cluster. ${clusterAdvice}`)
  }
  if (version !== undefined && version.localeCompare(oldestVersion, 'en', { numeric: true }) < 0) {
    throw configInvalid(
      `${name} is Redis ${version}, which is too old. Use Redis ${oldestVersion} or newer, or Valkey.`,
    )
  }
  return lines
}

/** The facts of a server from its INFO and its reply to `CONFIG GET save`, which managed ones reject. */
export const readFacts = (info: ReadonlyMap<string, string>, saveSetting: RedisReply): RedisFacts => {
  const valkey = info.get('valkey_version')
  const maxMemory = info.get('maxmemory')
  return {
    kind: valkey === undefined ? 'redis' : 'valkey',
    version: valkey ?? info.get('redis_version'),
    role: info.get('role'),
    maxMemory: maxMemory === undefined ? undefined : Number(maxMemory),
    evictionPolicy: info.get('maxmemory_policy'),
    persistence: persistenceOf(info.get('aof_enabled'), saveSetting),
  }
}

const persistenceOf = (appendOnly: string | undefined, saveSetting: RedisReply): RedisFacts['persistence'] => {
  if (appendOnly === '1') return 'append-only file'
  const [, save] = Array.isArray(saveSetting) ? (saveSetting as readonly RedisReply[]) : []
  if (appendOnly === undefined || typeof save !== 'string') return 'unknown'
  return save === '' ? 'none' : 'snapshots'
}

/** One sentence for each setting that may lose queues; `where` tells the servers of a cluster apart. */
export const warningsOf = (
  { role, maxMemory = 0, evictionPolicy, persistence }: RedisFacts,
  where = '',
): readonly string[] => [
  ...(role === 'slave'
    ? [`The broker${where} is a replica: its master overwrites what it is given. Let BROKER_URL lead to the master.`]
    : []),
  ...(maxMemory > 0 && evictionPolicy !== undefined && evictionPolicy !== 'noeviction'
    ? [
        `The broker${where} may evict queues (maxmemory-policy ${evictionPolicy}); lost tasks start late. Set it to noeviction.`,
      ]
    : []),
  ...(persistence === 'none'
    ? [`The broker${where} keeps nothing on disk; tasks that wait when it ends start late. Set appendonly to yes.`]
    : []),
]
