import { mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { findFreePort } from '#libs/platform'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createAuthority, hasOpenssl, type CertificateAuthority } from '../support/certificate-authority.js'
import { startRedisCluster, type RedisCluster } from '../support/redis-cluster.js'
import { hasRedis, startRedis, startServer, type RedisServer } from '../support/redis-server.js'
import { example, waiting } from '../support/requests.js'
import { startStack, type Stack } from '../support/stack.js'

describe.runIf(hasRedis() && hasOpenssl())('a broker with a certificate of a private authority', () => {
  let authority: CertificateAuthority
  let cluster: RedisCluster
  let single: RedisServer
  let singlePort: number
  let sentinel: RedisServer
  let stack: Stack

  beforeAll(async () => {
    authority = createAuthority()
    const { caFile, certificateFile, keyFile } = authority
    const files = ['--tls-cert-file', certificateFile, '--tls-key-file', keyFile, '--tls-ca-cert-file', caFile]
    const tls = [...files, '--tls-auth-clients', 'no']
    cluster = await startRedisCluster(2_000, tls)
    singlePort = await findFreePort('127.0.0.1')
    single = await startRedis(['--tls-port', String(singlePort), ...tls])
    sentinel = await startSecureSentinel(singlePort, tls)
    stack = await startStack({
      broker: 'redis',
      brokerUrl: cluster.url,
      logs: 'keep',
      env: { NODE_EXTRA_CA_CERTS: caFile },
    })
  })
  afterAll(async () => {
    await stack.stop()
    await Promise.all([cluster.stop(), sentinel.stop(), single.stop()])
    authority.remove()
  })

  /** Options of the command line as lines of a file. */
  const startSecureSentinel = async (masterPort: number, tls: readonly string[]): Promise<RedisServer> => {
    const folder = mkdtempSync(join(tmpdir(), 'memoryguard-sentinel-'))
    const file = join(folder, 'sentinel.conf')
    const port = await findFreePort('127.0.0.1')
    sentinelPort = await findFreePort('127.0.0.1')
    const options = tls.map((word) => (word.startsWith('--') ? `\n${word.slice(2)}` : ` ${word}`)).join('')
    const own = [`port ${port}`, `tls-port ${sentinelPort}`, 'tls-replication yes', 'bind 127.0.0.1', `dir ${folder}`]
    writeFileSync(file, `${own.join('\n')}${options}\nsentinel monitor main 127.0.0.1 ${masterPort} 1\n`)
    return startServer(port, folder, [file, '--sentinel'])
  }
  let sentinelPort: number

  it('carries predictions over a Redis Cluster', async () => {
    const { status, text } = await stack.post('/v1/predictions', example, waiting)
    expect([status, text]).toEqual([200, expect.stringContaining('risk_score')])
  })

  it('serves a worker on a single Redis, by name or address, and behind a sentinel', async () => {
    // A worker is ready when it can write to its broker.
    const workers = [
      await stack.startWorker({ BROKER_URL: `rediss://localhost:${singlePort}?family=4` }),
      await stack.startWorker({ BROKER_URL: `rediss+sentinel://127.0.0.1:${sentinelPort}/main` }),
    ]
    for (const worker of workers) expect(await worker.kill('SIGTERM')).toBe(0)
  })

  it.each([
    ['a cluster', () => cluster.url],
    ['a single Redis', () => `rediss://127.0.0.1:${singlePort}`],
    ['a sentinel', () => `rediss+sentinel://127.0.0.1:${sentinelPort}/main`],
  ])('ends a process that does not know the authority with one sentence: %s', async (_, url) => {
    const start = stack.readLogs().length
    const worker = stack.run('worker', { BROKER_URL: url(), NODE_EXTRA_CA_CERTS: '', WORKER_HEALTH_PORT: '0' })
    expect(await worker.exited).toBe(1)
    expect(stack.readLogs().slice(start)).toMatch(/The certificate of the .* is not accepted \(.*NODE_EXTRA_CA_CERTS/)
  })
})
