import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { rmSync } from 'node:fs'
import { setTimeout as pause } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { Redis } from 'ioredis'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { findFreePort } from '#libs/platform'
import { query } from '../support/query.js'
import { hasRedis, startRedis, type RedisServer } from '../support/redis-server.js'
import { startStack, type Stack } from '../support/stack.js'
import { startTcpProxy, type TcpProxy } from '../support/tcp-proxy.js'
import { waitFor } from '../support/wait-for.js'

const program = fileURLToPath(new URL('../../dist/bin/memoryguard.js', import.meta.url))
const quick = { user_id: 1, health_metrics: { mmse_score: 24, age: 72 } }
/** A process that cannot work ends, and one that can works again, in so many milliseconds. */
const soonMs = 15_000

describe.runIf(hasRedis())('the broker is out of order', () => {
  let stack: Stack
  let admin: Redis
  /** Between the processes and the broker. */
  let proxy: TcpProxy
  let redis: RedisServer

  beforeAll(async () => {
    redis = await startRedis()
    proxy = await startTcpProxy(redis.port)
    stack = await startStack({
      broker: 'redis',
      logs: 'keep',
      env: {
        BROKER_URL: `redis://127.0.0.1:${proxy.port}`,
        LOG_LEVEL: 'info',
        RECONCILE_INTERVAL_SECONDS: '1',
        TASK_LOCK_SECONDS: '3',
      },
    })
    admin = new Redis(redis.url)
    admin.on('error', () => undefined)
  })
  afterAll(async () => {
    admin.disconnect()
    await stack.stop()
    await proxy.close()
    await redis.stop()
  })

  const readyOf = async () => (await fetch(`${stack.workers[0]?.healthUrl ?? ''}/readyz`)).status
  const untilReady = (status: number) =>
    waitFor(async () => (await readyOf()) === status, { what: `readiness ${status}`, timeoutMs: soonMs })
  const submit = async () => {
    const { status, body } = await stack.request('POST', '/v1/predictions', quick)
    expect(status).toBe(202)
    return String(body['task_id'])
  }
  const untilSucceeded = (id: string) =>
    waitFor(async () => (await stack.request('GET', `/v1/tasks/${id}`)).body['state'] === 'succeeded', {
      what: 'the task to succeed',
      timeoutMs: soonMs,
    })
  /** What the processes have logged of the broker since `start`. */
  const logged = (start: number) =>
    stack
      .readLogs()
      .slice(start)
      .split('\n')
      .filter((line) => line.includes('"broker '))

  const outages: [name: string, begin: () => Promise<unknown>, end: () => Promise<unknown>, words: RegExp][] = [
    [
      'READONLY: it is a replica',
      () => admin.replicaof('127.0.0.1', '1'),
      () => admin.replicaof('NO', 'ONE'),
      /READONLY/,
    ],
    [
      'OOM: it is full and evicts nothing',
      () => admin.config('SET', 'maxmemory', '1'),
      () => admin.config('SET', 'maxmemory', '0'),
      /OOM/,
    ],
    [
      'MISCONF: it cannot write to its disk',
      async () => {
        const [, folder = ''] = (await admin.config('GET', 'dir')) as string[]
        rmSync(folder, { recursive: true })
        await admin.config('SET', 'save', '3600 1000000')
        await admin.bgsave()
        await waitFor(async () => (await admin.info('persistence')).includes('rdb_last_bgsave_status:err'), {
          what: 'the disk to be missed',
        })
      },
      () => admin.config('SET', 'save', ''),
      /MISCONF/,
    ],
    [
      'NOAUTH: its password was changed',
      async () => {
        await admin.config('SET', 'requirepass', 'changed')
        await admin.client('KILL', 'TYPE', 'normal', 'SKIPME', 'yes')
      },
      () => admin.config('SET', 'requirepass', ''),
      /NOAUTH/,
    ],
    [
      'it stands still',
      async () => process.kill(redis.pid, 'SIGSTOP'),
      async () => process.kill(redis.pid, 'SIGCONT'),
      /no response within/,
    ],
  ]

  it.each(outages)('B3, B6: %s', async (_, begin, end, words) => {
    await untilReady(200)
    const start = stack.readLogs().length
    await begin()
    let id: string
    try {
      await untilReady(503)
      id = await submit()
      await waitFor(() => logged(start).some((line) => words.test(line)), { what: `${words}`, timeoutMs: soonMs })
    } finally {
      await end()
    }
    await untilReady(200)
    await untilSucceeded(id)
    // Once by each process when it begins, perhaps once more when the reason changes, and once when it is over.
    expect(logged(start).length).toBeLessThanOrEqual(6)
  })

  it('B3: connections that outlive a failover lead to a replica: new ones are made within seconds', async () => {
    const successor = await startRedis()
    try {
      await untilReady(200)
      proxy.redirect(successor.port)
      await admin.replicaof('127.0.0.1', String(successor.port))
      await untilSucceeded(await submit())
      await untilReady(200)
    } finally {
      proxy.redirect(redis.port)
      await admin.replicaof('NO', 'ONE')
      await successor.stop()
    }
    await untilSucceeded(await submit())
  })
})

describe.runIf(hasRedis())('a process that cannot use its broker ends with one sentence', () => {
  let stack: Stack
  let redis: RedisServer
  beforeAll(async () => {
    stack = await startStack({ broker: 'redis', workers: 0 })
    if (!stack.redis) throw new Error('There is no Redis')
    redis = stack.redis
  })
  afterAll(() => stack.stop())

  const run = async (command: string, env: Record<string, string>) => {
    const child = spawn(process.execPath, [program, command], {
      env: { ...stack.env, WORKER_HEALTH_PORT: '0', PORT: String(await findFreePort('127.0.0.1')), ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    let words = ''
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (data: Buffer) => (words += data.toString()))
    const [code] = (await Promise.race([once(child, 'exit'), pause(soonMs, ['still running'])])) as [unknown]
    child.kill('SIGKILL')
    expect(words.trim().split('\n').length).toBeLessThan(4)
    return { code, words }
  }

  afterEach(async () => {
    const admin = new Redis(redis.url)
    await admin.call('ACL', 'DELUSER', 'app')
    await admin.quit()
  })

  it.each(['api', 'worker'])('B2: %s without the BROKER_URL with which the database was migrated', async (command) => {
    await query(stack.databaseUrl, 'DROP SCHEMA IF EXISTS memoryguard_queue CASCADE')
    const { code, words } = await run(command, { BROKER_URL: '' })
    expect([code, words]).toEqual([1, expect.stringMatching(/BROKER_URL is not set, and the database has no tables/)])
  })

  it.each(['api', 'worker', 'migrate'])('B2: %s as a Redis user without INFO', async (command) => {
    const admin = new Redis(redis.url)
    await admin.call('ACL', 'SETUSER', 'app', 'reset', 'on', '>pw', '~*', '+@all', '-info')
    await admin.quit()
    const { code, words } = await run(command, { BROKER_URL: redis.url.replace('//', '//app:pw@') })
    expect([code, words]).toEqual([1, expect.stringMatching(/The user of BROKER_URL lacks a permission .*info/)])
    expect(words).not.toMatch(/\n +at /)
  })

  it.each(['api', 'worker', 'migrate'])('B5: %s with a database that Redis does not have', async (command) => {
    const { code, words } = await run(command, { BROKER_URL: `${redis.url}/99` })
    expect([code, words]).toEqual([1, expect.stringMatching(/The broker has no database 99/)])
  })
})
