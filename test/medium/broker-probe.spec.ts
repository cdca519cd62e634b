import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { createServer as createHttpServer } from 'node:http'
import { createServer, type AddressInfo, type Server } from 'node:net'
import { createServer as createTlsServer } from 'node:tls'
import { findFreePort, MemoryGuardError } from '#libs/platform'
import { Redis } from 'ioredis'
import { afterAll, afterEach, beforeAll, describe, expect, inject, it } from 'vitest'
import { probeRedis } from '#libs/tasks/broker-probe'
import { hasRedis, startRedis, type RedisServer } from '../support/redis-server.js'
import { startTcpProxy } from '../support/tcp-proxy.js'
import { waitFor } from '../support/wait-for.js'

/** The code and the sentence with which a probe fails. */
const failureOf = async (url: string): Promise<readonly [string, string]> => {
  const error: unknown = await probeRedis(url).catch((reason: unknown) => reason)
  if (!(error instanceof MemoryGuardError)) throw new Error('The probe did not fail as expected', { cause: error })
  return [error.code, error.message]
}

const portOf = (server: Server): number => (server.address() as AddressInfo).port

const readFixture = (name: string) => readFileSync(new URL(`../fixtures/tls/${name}`, import.meta.url))
/** A certificate that nobody vouches for, and its key. */
const certificate = { key: readFixture('key.pem'), cert: readFixture('certificate.pem') }

describe('B6: what responds is no Redis', () => {
  const servers: Server[] = []
  afterEach(() => servers.splice(0).forEach((server) => server.close()))

  const listen = async (server: Server) => {
    servers.push(server.listen(0, '127.0.0.1'))
    await once(server, 'listening')
    return `127.0.0.1:${portOf(server)}`
  }

  it('nothing listens', async () => {
    const [code, words] = await failureOf(`redis://127.0.0.1:${await findFreePort('127.0.0.1')}`)
    expect(code).toBe('BROKER_UNAVAILABLE')
    expect(words).toMatch(/^The broker at 127\.0\.0\.1:\d+ does not respond \(connect ECONNREFUSED/)
  })

  it('an HTTP server', async () => {
    const where = await listen(createHttpServer())
    expect(await failureOf(`redis://${where}`)).toEqual([
      'CONFIG_INVALID',
      `An HTTP server responds at ${where}, not Redis. Correct host and port in BROKER_URL.`,
    ])
  })

  it('PostgreSQL', async () => {
    const where = new URL(inject('databaseServer')).host
    expect(await failureOf(`redis://${where}`)).toEqual([
      'CONFIG_INVALID',
      `PostgreSQL responds at ${where}, not Redis. Correct host and port in BROKER_URL.`,
    ])
  })

  it('a server that says why it closes the connection, as Redis in protected mode does', async () => {
    const denied = '-DENIED Redis is running in protected mode because protected mode is enabled\r\n'
    const where = await listen(
      createServer((socket) => {
        socket.on('error', () => undefined)
        socket.end(denied)
      }),
    )
    const [code, words] = await failureOf(`redis://${where}`)
    expect(code).toBe('CONFIG_INVALID')
    expect(words).toMatch(/^The broker refuses connections: DENIED Redis is running in protected mode/)
  })

  it('TLS where none is expected', async () => {
    const where = await listen(createTlsServer(certificate).on('tlsClientError', () => undefined))
    expect(await failureOf(`redis://${where}`)).toEqual([
      'CONFIG_INVALID',
      `The broker at ${where} speaks TLS. Write rediss:// in BROKER_URL.`,
    ])
  })

  it('a server that never responds', async () => {
    const where = await listen(createServer())
    const [code, words] = await failureOf(`redis://${where}`)
    expect(code).toBe('BROKER_UNAVAILABLE')
    expect(words).toContain('no response within 5 s')
  })
})

describe.runIf(hasRedis())('B2, B5, B6: a Redis that cannot be used as it is', () => {
  let redis: RedisServer
  let admin: Redis
  beforeAll(async () => {
    redis = await startRedis()
    admin = new Redis(redis.url)
  })
  afterAll(async () => {
    await admin.quit()
    await redis.stop()
  })

  it('one that works leaves nothing behind; one that may lose its data gives a warning', async () => {
    expect(await probeRedis(redis.url)).toMatchObject({
      kind: expect.stringMatching(/redis|valkey/) as string,
      redis: { role: 'master', evictionPolicy: 'noeviction', persistence: 'append-only file' },
      warnings: [],
    })
    await waitFor(async () => (await admin.dbsize()) === 0, { what: 'the key of the probe to be gone' })
    expect(await admin.info('commandstats')).not.toContain('cmdstat_zpopmin')
    await admin.config('SET', 'maxmemory', '100mb')
    await admin.config('SET', 'maxmemory-policy', 'allkeys-lru')
    await admin.config('SET', 'appendonly', 'no')
    try {
      const { warnings } = await probeRedis(redis.url)
      expect(warnings.join('\n')).toMatch(/may evict queues \(maxmemory-policy allkeys-lru\).*\n.*nothing on disk/)
    } finally {
      await admin.config('SET', 'maxmemory', '0')
      await admin.config('SET', 'maxmemory-policy', 'noeviction')
    }
  })

  it('a database that the server does not have', async () => {
    const [code, words] = await failureOf(`${redis.url}/99`)
    expect(code).toBe('CONFIG_INVALID')
    expect(words).toBe(
      'The broker has no database 99 for us (ERR DB index is out of range). Choose another at the end of BROKER_URL.',
    )
    expect(await probeRedis(`${redis.url}/15`)).toBeDefined()
  })

  it('a password that is missing, wrong, or not needed', async () => {
    const withPassword = (password: string) => redis.url.replace('//', `//:${password}@`)
    expect(await probeRedis(withPassword('unneeded'))).toBeDefined()
    await admin.config('SET', 'requirepass', 'right')
    try {
      expect(await failureOf(redis.url)).toEqual(['CONFIG_INVALID', expect.stringContaining('(NOAUTH ')])
      expect(await failureOf(withPassword('canary'))).toEqual([
        'CONFIG_INVALID',
        expect.stringContaining('(WRONGPASS '),
      ])
      expect((await failureOf(withPassword('canary')))[1]).not.toContain('canary')
      expect(await probeRedis(withPassword('right'))).toBeDefined()
    } finally {
      await admin.config('SET', 'requirepass', '')
    }
  })

  it('a user who may not do what queues need', async () => {
    const url = redis.url.replace('//', '//app:pw@')
    const rights: [rules: string[], words: RegExp][] = [
      [['~{memoryguard*', '+@all', '-info'], /lacks a permission \(NOPERM .*'info'/],
      [['~{memoryguard*', '+@all', '-eval'], /may not run EVAL on keys/],
      [['~{memoryguard*', '+@all', '-xadd'], /may not run XADD on keys that start with \{memoryguard \(/],
      [['~{memoryguard*', '+@all', '-bzpopmin'], /may not run BZPOPMIN on keys/],
      [['~other*', '+@all'], /NOPERM|may not run/],
    ]
    for (const [rules, words] of rights) {
      await admin.call('ACL', 'SETUSER', 'app', 'reset', 'on', '>pw', ...rules)
      expect(await failureOf(url)).toEqual(['CONFIG_INVALID', expect.stringMatching(words)])
    }
    await admin.call('ACL', 'SETUSER', 'app', 'reset', 'on', '>pw', '~{memoryguard*', '+@all', '-@dangerous', '+info')
    expect(await probeRedis(url)).toBeDefined()
  })

  it('a replica, and one without memory, may be usable later', async () => {
    await admin.replicaof('127.0.0.1', await findFreePort('127.0.0.1'))
    try {
      expect(await failureOf(redis.url)).toEqual(['BROKER_UNAVAILABLE', expect.stringContaining('READONLY')])
      // One that takes writes loses them to its master.
      await admin.config('SET', 'replica-read-only', 'no')
      const { warnings } = await probeRedis(redis.url)
      expect(warnings).toContainEqual(expect.stringContaining('is a replica: its master overwrites'))
    } finally {
      await admin.config('SET', 'replica-read-only', 'yes')
      await admin.replicaof('NO', 'ONE')
    }
    await admin.config('SET', 'maxmemory', '1')
    try {
      expect(await failureOf(redis.url)).toEqual(['BROKER_UNAVAILABLE', expect.stringContaining('OOM')])
    } finally {
      await admin.config('SET', 'maxmemory', '0')
    }
  })

  it('one without TLS where TLS is expected, and a certificate of nobody', async () => {
    expect(await failureOf(redis.url.replace('redis:', 'rediss:'))).toEqual([
      'CONFIG_INVALID',
      expect.stringMatching(/^The broker at .* does not speak TLS \(.*Write redis:/),
    ])
    const server = createTlsServer(certificate)
    server.on('tlsClientError', () => undefined)
    await once(server.listen(0, '127.0.0.1'), 'listening')
    try {
      expect(await failureOf(`rediss://127.0.0.1:${portOf(server)}`)).toEqual([
        'CONFIG_INVALID',
        expect.stringMatching(/^The certificate of the broker at .* is not accepted \(.*NODE_EXTRA_CA_CERTS/),
      ])
    } finally {
      server.close()
    }
  })

  it('one that does not respond any more', async () => {
    const proxy = await startTcpProxy(redis.port)
    proxy.silenceAll()
    expect(await failureOf(`redis://127.0.0.1:${proxy.port}`)).toEqual([
      'BROKER_UNAVAILABLE',
      expect.stringContaining('no response within 5 s'),
    ])
    await proxy.close()
  })
})
