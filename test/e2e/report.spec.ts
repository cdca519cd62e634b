import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { homedir, tmpdir } from 'node:os'
import { join } from 'node:path'
import { createServer } from 'node:net'
import { findFreePort } from '#libs/platform'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { hasRedis } from '../support/redis-server.js'
import { query } from '../support/query.js'
import { runCommand } from '../support/run-command.js'
import { startStack, type Stack } from '../support/stack.js'

/** What a section says if its part is not there. */
interface Unavailable {
  readonly unavailable: string
}

type Report = Readonly<Record<string, Record<string, unknown> & Partial<Unavailable>>>

const run = (args: readonly string[], env: NodeJS.ProcessEnv) => runCommand(args, { PATH: process.env['PATH'], ...env })

const reportOf = (out: string) => JSON.parse(out) as Report

/** Settings of Redis with which it may lose what it is given. */
const lossy = ['--maxmemory', '200mb', '--maxmemory-policy', 'allkeys-lru', '--appendonly', 'no']

describe.runIf(hasRedis())('the report of a service that runs', () => {
  let stack: Stack
  let home: string
  beforeAll(async () => {
    home = mkdtempSync(join(tmpdir(), 'memoryguard-report-'))
    stack = await startStack({ broker: 'redis', redisArgs: lossy, logs: 'keep', env: { MEMORYGUARD_HOME: home } })
  })
  afterAll(async () => {
    await stack.stop()
    rmSync(home, { recursive: true })
  })

  const run = (args: readonly string[], more: NodeJS.ProcessEnv = {}) => runCommand(args, { ...stack.env, ...more })

  it('has versions, configuration, database, broker, models and workers', async () => {
    const { code, out, err } = await run(['report', '--json'], {
      LOG_LEVEL: 'debug',
      MODELS_DIR: `${homedir()}/models`,
    })
    expect([code, err]).toEqual([0, ''])
    const report = reportOf(out)
    expect(report['software']).toMatchObject({
      memoryguard: '0.1.0',
      node: process.versions.node,
      bullmq: expect.stringMatching(/^\d+\.\d+\.\d+/) as string,
      onnxruntime: expect.stringMatching(/^\d+\.\d+\.\d+/) as string,
      os: expect.stringContaining(process.arch) as string,
    })
    expect(report['configuration']).toMatchObject({
      differs_from_default: {
        LOG_LEVEL: 'debug',
        BROKER_URL: stack.redis?.url,
        ADMIN_API_KEY: '********',
        MODELS_DIR: '~/models',
      },
    })
    expect(report['configuration']?.['differs_from_default']).not.toHaveProperty('HOST')
    const [newest] = await query<{ name: string }>(
      stack.databaseUrl,
      'SELECT name FROM migrations ORDER BY id DESC LIMIT 1',
    )
    expect(report['database']).toMatchObject({
      postgresql: expect.stringMatching(/^\d+/) as string,
      state: 'writable',
      pooler: 'none',
      migrations: { last: newest?.name, pending: [] },
    })
    expect(report['broker']).toMatchObject({
      kind: expect.stringMatching(/redis|valkey/) as string,
      role: 'master',
      eviction_policy: 'allkeys-lru',
      persistence: 'none',
      warnings: [expect.stringContaining('may evict queues'), expect.stringContaining('keeps nothing on disk')],
    })
    expect(report['api']).toMatchObject({ state: 'ready', broker: 'up', faults: [] })
    const { models } = report['models'] as unknown as { models: readonly Readonly<Record<string, unknown>>[] }
    expect(models).toContainEqual({ model: 'impairment-screen@1', state: 'ready', active: true })
    expect(report['workers']).toMatchObject([
      { name: 'worker1@test', state: 'ready', duplicates: 0, versions: { memoryguard: '0.1.0' } },
    ])
  })

  it('is text without --json', async () => {
    const { code, out } = await run(['report'])
    expect(code).toBe(0)
    expect(out).toMatch(/^software:\n {2}memoryguard: 0\.1\.0\n/)
    expect(out).toMatch(/\n {2}eviction_policy: allkeys-lru\n/)
    expect(out).toMatch(/name: worker1@test\n {4}state: ready\n/)
  })

  it('B1: settings of the broker that may lose queues are a warning at the start, and notes of probes and status', async () => {
    const notes = [expect.stringContaining('may evict queues'), expect.stringContaining('keeps nothing on disk')]
    const [worker] = stack.workers
    for (const url of [stack.url, worker?.healthUrl]) {
      const response = await fetch(`${url}/readyz`)
      expect([response.status, await response.json()]).toEqual([200, expect.objectContaining({ notes })])
    }
    const status = await run(['status', '--json', '--url', stack.url])
    expect([status.code, JSON.parse(status.out)]).toEqual([0, expect.objectContaining({ notes, faults: [] })])
    expect((await run(['status', '--url', stack.url])).err).toMatch(/may evict queues.*\n.*keeps nothing on disk/)
    const lines = stack.readLogs().split('\n')
    for (const service of ['api', 'worker']) {
      const warnings = lines.filter((line) => line.includes('may evict queues') && line.includes(`"${service}"`))
      expect(warnings).toHaveLength(1)
    }
  })

  it('of a worker and a model, without the api: the database and the folders say what they know', async () => {
    const { code, out } = await run([
      'report',
      '--json',
      '--url',
      `http://127.0.0.1:${await findFreePort('127.0.0.1')}`,
    ])
    expect(code).toBe(0)
    const report = reportOf(out)
    expect(report['api']?.unavailable).toMatch(/^No MemoryGuard responds at http:\/\/127/)
    expect(report['workers']).toMatchObject([{ name: 'worker1@test', state: 'ready' }])
    expect(report['models']).toMatchObject({
      source: expect.stringMatching(/^MODELS_DIR\. No MemoryGuard responds/) as string,
      models: expect.arrayContaining([{ model: 'impairment-screen@1', state: 'on disk' }]) as unknown,
      chosen: [],
      unusable: [],
    })
  })

  it('names a database that is gone in one sentence, and shows no secret of any URL or key', async () => {
    const port = await findFreePort('127.0.0.1')
    const secrets = {
      DATABASE_URL: `postgresql://user:canary-1@127.0.0.1:${port}/d?sslpassword=canary-2`,
      DATABASE_DIRECT_URL: `host=127.0.0.1 port=${port} user=u password='canary 3'`,
      BROKER_URL: `redis://:canary-4@127.0.0.1:${port}/1`,
      ADMIN_API_KEY: 'mg_canary-5x7Kq9ZpLw3Tn5Vb8Rc2J',
      MEMORYGUARD_API_KEY: 'mg_canary-6',
    }
    for (const format of [[], ['--json']]) {
      const { code, out, err } = await run(
        ['report', ...format, '--url', `http://u:canary-7@127.0.0.1:${port}`, '--api-key', 'mg_canary-8'],
        secrets,
      )
      expect(code).toBe(0)
      expect(out + err).not.toContain('canary')
      expect(out).toMatch(/The database does not respond \(connect ECONNREFUSED/)
      expect(out).toMatch(/The broker at 127\.0\.0\.1:\d+ does not respond \(connect ECONNREFUSED/)
      expect(out).toMatch(/No MemoryGuard responds at http:\/\/u:\*+@127/)
    }
  })
})

describe('the report where little works', () => {
  it('says that nothing runs, with exit code 0', async () => {
    const home = mkdtempSync(join(tmpdir(), 'memoryguard-report-'))
    const env = { MEMORYGUARD_HOME: home, PORT: String(await findFreePort('127.0.0.1')) }
    const { code, out } = await run(['report', '--json'], env)
    rmSync(home, { recursive: true })
    expect(code).toBe(0)
    const report = reportOf(out)
    for (const part of ['database', 'broker']) expect(report[part]?.unavailable).toMatch(/^DATABASE_URL is not set\./)
    for (const part of ['api', 'workers']) expect(report[part]?.unavailable).toMatch(/^No MemoryGuard responds at/)
  })

  it('says what is wrong with the configuration, and no value of it', async () => {
    const { code, out } = await run(['report', '--json'], { PORT: 'canary', DATABASE_URL: 'canary://x' })
    expect(code).toBe(0)
    expect(out).not.toContain('canary')
    const report = reportOf(out)
    expect(report['configuration']?.unavailable).toMatch(/PORT: must be a whole number/)
    expect(report['software']).toMatchObject({ node: process.versions.node })
    for (const part of ['database', 'broker', 'api', 'models', 'workers'])
      expect(report[part]?.unavailable).toMatch(/configuration is not valid/)
  })

  it('waits for no server that says nothing', async () => {
    const silent = createServer().listen(0, '127.0.0.1')
    await once(silent, 'listening')
    const { port } = silent.address() as { port: number }
    const { code, out } = await run(['report', '--json', '--url', `http://127.0.0.1:${port}`], {
      DATABASE_URL: `postgresql://u:canary@127.0.0.1:${port}/d`,
      BROKER_URL: `redis://127.0.0.1:${port}`,
    })
    silent.close()
    expect([code, out]).toEqual([0, expect.not.stringContaining('canary')])
    const report = reportOf(out)
    expect(report['api']?.unavailable).toBe('The API did not respond within 10 s.')
    expect(report['database']?.unavailable).toMatch(/^The database does not respond \(Connection terminated/)
    expect(report['broker']?.unavailable).toMatch(/no response within 5 s/)
  })
})
