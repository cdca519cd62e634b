import { CeleryConnections } from '#libs/celery'
import { createLogger, loadConfig, MemoryGuardError } from '#libs/platform'
import { probeRedis } from '#libs/tasks/broker-probe'
import { Redis } from 'ioredis'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createBroker } from '../support/create-broker.js'
import { startRedisCluster, type RedisCluster } from '../support/redis-cluster.js'
import { startRedisSentinel, type SentinelRedis } from '../support/redis-sentinel.js'
import { hasRedis, startRedis, type RedisServer } from '../support/redis-server.js'
import { enqueueable } from '../support/test-broker.js'

/** The code and the sentence with which a probe fails. */
const failureOf = async (url: string): Promise<readonly [string, string]> => {
  const error: unknown = await probeRedis(url).catch((reason: unknown) => reason)
  if (!(error instanceof MemoryGuardError)) throw new Error('The probe did not fail as expected', { cause: error })
  return [error.code, error.message]
}

const asCluster = (server: RedisServer) => server.url.replace('redis:', 'redis+cluster:')

describe.runIf(hasRedis())('a broker of several servers', () => {
  let single: RedisServer
  let cluster: RedisCluster
  let sentinel: SentinelRedis
  beforeAll(async () => {
    ;[single, cluster, sentinel] = await Promise.all([
      startRedis(),
      startRedisCluster(),
      startRedisSentinel({ password: 'known' }),
    ])
  })
  afterAll(() => Promise.all([single.stop(), cluster.stop(), sentinel.stop()]))

  const withPassword = (password: string) => `${sentinel.url}?sentinel_password=${password}`

  it('is probed on each master, and may have settings that lose queues on one of them', async () => {
    expect(await probeRedis(cluster.url)).toMatchObject({ kind: 'redis', redis: { role: 'master' }, warnings: [] })
    const { port } = await cluster.masterOf('{memoryguard:batch}')
    const admin = new Redis({ port })
    await admin.config('SET', 'appendonly', 'no')
    try {
      expect((await probeRedis(cluster.url)).warnings).toEqual([
        `The broker at 127.0.0.1:${port} keeps nothing on disk; tasks that wait when it ends start late. Set appendonly to yes.`,
      ])
    } finally {
      await admin.config('SET', 'appendonly', 'yes')
      await admin.quit()
    }
  })

  it('is found by sentinels', async () => {
    expect(await probeRedis(withPassword('known'))).toMatchObject({ redis: { role: 'master' }, warnings: [] })
    const gone = sentinel.url.replace('//', '//127.0.0.1:1,')
    expect(await probeRedis(`${gone}/3?sentinel_password=known`)).toBeDefined()
  })

  it('may be found by sentinels for Celery, too', async () => {
    const brokerUrl = withPassword('known').replace('/main', '/main/2')
    const connections = new CeleryConnections({ brokerUrl, resultBackend: brokerUrl })
    try {
      await connections.connect()
      await connections.broker.lpush('celery', 'message')
      const admin = new Redis({ port: (await sentinel.readMaster()).port, db: 2 })
      expect(await admin.lrange('celery', 0, -1)).toEqual(['message'])
      await admin.quit()
    } finally {
      connections.close()
    }
  })

  it('works for a user of a cluster with the documented rights, and names those that are missing', async () => {
    const rights = ['on', '>pw', '~{memoryguard*', '+@all', '-@dangerous', '+info']
    const forCluster = ['+cluster|slots', '+cluster|info', '+cluster|keyslot']
    const setUser = async (words: readonly string[]) => {
      for (const { port } of cluster.nodes) {
        const admin = new Redis({ port })
        await admin.call('ACL', 'SETUSER', 'app', 'reset', ...words)
        await admin.quit()
      }
    }
    const url = cluster.url.replace('//', '//app:pw@')
    await setUser([...rights, '-cluster'])
    expect(await failureOf(url)).toEqual([
      'CONFIG_INVALID',
      expect.stringMatching(/lacks a permission \(NOPERM .*Allow it: .*\+cluster\|slots \+cluster\|info/),
    ])
    await setUser([...rights, ...forCluster])
    expect(await probeRedis(url)).toBeDefined()
    const broker = createBroker(loadConfig({ BROKER_URL: url }), createLogger('test', 'fatal'))
    try {
      await broker.assertWritable()
      await broker.addTogether([enqueueable(), enqueueable({ queue: 'batch' }), enqueueable({ queue: 'forecasts' })])
      expect(await broker.depth('batch')).toMatchObject({ waiting: 1 })
      await broker.drain('batch')
    } finally {
      await broker.onApplicationShutdown()
    }
  })

  it.each<[what: string, url: () => string, code: string, words: RegExp]>([
    [
      'a member of a cluster as a single Redis',
      () => cluster.nodes[0]?.url ?? '',
      'CONFIG_INVALID',
      /^The broker is a member of a Redis Cluster\. Write redis\+cluster:\/\/ in BROKER_URL\.$/,
    ],
    [
      'a single Redis as a cluster',
      () => asCluster(single),
      'CONFIG_INVALID',
      /^The broker at .* is not a member of a Redis Cluster\. Write redis:\/\/ in BROKER_URL for a single Redis/,
    ],
    [
      'a sentinel as a single Redis',
      () => (sentinel.sentinels[0]?.url ?? '').replace('//', '//:known@'),
      'CONFIG_INVALID',
      /^The broker is a sentinel, which holds no queues\. Write redis\+sentinel:\/\//,
    ],
    [
      'a single Redis as a sentinel',
      () => single.url.replace('redis:', 'redis+sentinel:').concat('/main'),
      'CONFIG_INVALID',
      /^A Redis responds at .*, not a sentinel\. Name the sentinels in BROKER_URL, or write redis:\/\//,
    ],
    [
      'a name of a master that no sentinel knows',
      () => withPassword('known').replace('/main', '/other'),
      'CONFIG_INVALID',
      /^The sentinel at .* does not know a master other\. Correct the name after the hosts in BROKER_URL\.$/,
    ],
    [
      'sentinels with a password that is missing',
      () => sentinel.url,
      'CONFIG_INVALID',
      /^The sentinel asks for a password \(NOAUTH .*Set BROKER_SENTINEL_PASSWORD\.$/,
    ],
    [
      'sentinels with another password',
      () => withPassword('canary'),
      'CONFIG_INVALID',
      /^The sentinel does not know this user and password (?!.*canary)/,
    ],
    [
      'members of a cluster that never come back',
      () => 'redis+cluster://127.0.0.1:1,127.0.0.1:2',
      'BROKER_UNAVAILABLE',
      /^The broker at 127\.0\.0\.1:1 does not respond \(connect ECONNREFUSED/,
    ],
    [
      'sentinels that never come back',
      () => 'redis+sentinel://127.0.0.1:1,127.0.0.1:2/main',
      'BROKER_UNAVAILABLE',
      /^The sentinel at 127\.0\.0\.1:1 does not respond/,
    ],
  ])('%s ends with one sentence', async (_, url, code, words) => {
    expect(await failureOf(url())).toEqual([code, expect.stringMatching(words)])
  })

  it('a cluster that is not formed, or that has lost a master without a replica, may be usable later', async () => {
    const alone = await startRedis(['--cluster-enabled', 'yes', '--cluster-node-timeout', '500'])
    const admin = new Redis({ port: alone.port })
    try {
      expect(await failureOf(asCluster(alone))).toEqual([
        'BROKER_UNAVAILABLE',
        expect.stringMatching(/is not formed: it has no slots\. Run redis-cli --cluster create\.$/),
      ])
      await admin.call('CLUSTER', 'ADDSLOTSRANGE', '0', '16000')
      expect(await failureOf(asCluster(alone))).toEqual([
        'BROKER_UNAVAILABLE',
        expect.stringMatching(/^The Redis Cluster is down: by its member at .*, some slots have no master\.$/),
      ])
      await admin.config('SET', 'cluster-require-full-coverage', 'no')
      await admin.call('CLUSTER', 'DELSLOTSRANGE', '0', '15000')
      expect(await failureOf(asCluster(alone))).toEqual([
        'BROKER_UNAVAILABLE',
        expect.stringMatching(/^The Redis Cluster (has no master for slot \d+, that of the queue|is down)/),
      ])
    } finally {
      await admin.quit()
      await alone.stop()
    }
  })
})
