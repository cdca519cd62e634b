import type { CeleryAddress, QueueName } from '#libs/platform'
import type { NamedRedis } from './explain-failure.js'
import { neededCommandsOn } from './needed-commands.js'

/** What every Redis key of ours begins with. */
const keyStart = '{memoryguard'

/** Prefix of a queue's Redis keys; the braces keep them in one slot of a Redis Cluster, each queue in one of its own. */
export const keyPrefixOf = (queue: QueueName): string => `${keyStart}:${queue}}`

/** A Redis that is probed, with what it is needed for. */
export interface ProbedRedis extends NamedRedis {
  /** Keys that the commands are tried on, as a sentence names them. */
  readonly keys: string
  /** The commands that the server must accept, word by word. */
  readonly commands: (id: string) => readonly (readonly string[])[]
  /** What a key begins with that is written, too. Undefined: nothing is written. */
  readonly writtenKey?: string
  /** What to do if the server is a member of a Redis Cluster. Undefined: it is to be one. */
  readonly clusterAdvice?: string
}

const named: NamedRedis = {
  name: 'The broker',
  variable: 'BROKER_URL',
  neededRights: `ACL SETUSER name ~${keyStart}* +@all -@dangerous +info`,
}

/** The Redis of one of our own queues. */
export const ourBroker = (queue: QueueName): ProbedRedis => ({
  ...named,
  keys: `keys that start with ${keyStart}`,
  commands: (id) => neededCommandsOn(`${keyPrefixOf(queue)}:probe:${id}`),
  writtenKey: `${keyPrefixOf(queue)}:probe`,
  clusterAdvice: 'Write redis+cluster:// in BROKER_URL.',
})

/** A member of the Redis Cluster of our own queues. */
export const clusterMember: ProbedRedis = {
  ...named,
  neededRights: `${named.neededRights} +cluster|slots +cluster|info +cluster|keyslot`,
  keys: 'no keys',
  commands: () => [],
}

/** Commands word by word; `~` stands for the prefix of keys and channels. */
const wordsOf = (text: string, prefix: string): readonly (readonly string[])[] =>
  text
    .trim()
    .split(/[;\n]/)
    .map((command) =>
      command
        .trim()
        .split(' ')
        .map((word) => word.replace(/^~/, () => prefix)),
    )

/** `ACL SETUSER` for a Redis of Celery, whose keys and channels begin with its prefix. */
const celeryRights = (prefix: string): string => `ACL SETUSER name ~${prefix}* &${prefix}* +@all -@dangerous +info`

/** The Redis from which workers take the calls of Celery callers, and in which these are told of workers. */
export const celeryBroker = ({ keyPrefix: prefix, database }: CeleryAddress): ProbedRedis => ({
  name: 'The broker of Celery',
  variable: 'CELERY_BROKER_URL',
  neededRights: celeryRights(prefix),
  keys: 'its keys and channels',
  clusterAdvice: 'Celery cannot use it: name a single Redis, or sentinels.',
  commands: () =>
    wordsOf(
      `
      LRANGE ~celery -1 -1; LREM ~celery -1 a; LPUSH ~celery a; RPUSH ~celery a
      LLEN ~celery; BLMOVE ~celery ~celery RIGHT RIGHT 1
      HSET ~unacked a b; HGET ~unacked a; HEXISTS ~unacked a; HDEL ~unacked a
      ZADD ~unacked_index 1 a; ZRANGEBYSCORE ~memoryguard.unacked 0 1; ZREM ~unacked_index a
      SMEMBERS ~_kombu.binding.reply.celery.pidbox; SADD ~_kombu.binding.reply.celery.pidbox a
      SET ~memoryguard.followed.a 1 NX EX 60; EXISTS ~memoryguard.followed.a
      PEXPIRE ~a.reply.celery.pidbox 60000; TIME; EVAL return 0
      PUBLISH ~/${database}.celeryev/worker.heartbeat a; SUBSCRIBE ~/${database}.celery.pidbox`,
      prefix,
    ),
})

/** The Redis in which Celery callers look for results. */
export const celeryBackend = ({ keyPrefix: prefix }: CeleryAddress): ProbedRedis => ({
  name: 'The result backend of Celery',
  variable: 'CELERY_RESULT_BACKEND',
  neededRights: celeryRights(prefix),
  keys: 'its keys and channels',
  clusterAdvice: 'Celery cannot use it: name a single Redis, or sentinels.',
  commands: () =>
    wordsOf(
      `
      GET ~celery-task-meta-a; MGET ~celery-task-meta-a; SETEX ~celery-task-meta-a 60 b
      SET ~celery-task-meta-a b; PUBLISH ~celery-task-meta-a b; DEL ~celery-taskset-meta-a.j
      ZADD ~celery-taskset-meta-a.j 1 a; ZCARD ~celery-taskset-meta-a.j
      ZRANGE ~celery-taskset-meta-a.j 0 -1; ZRANGEBYSCORE ~celery-taskset-meta-a.j 0 1
      SADD ~celery-taskset-meta-a.d a; SREM ~celery-taskset-meta-a.d a
      SCARD ~celery-taskset-meta-a.d; EXPIRE ~celery-taskset-meta-a.t 60
      RENAME ~celery-taskset-meta-a.j ~celery-taskset-meta-a.j; EVAL return 0`,
      prefix,
    ),
})
