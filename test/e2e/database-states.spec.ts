import { describe, expect, it } from 'vitest'
import { findFreePort } from '#libs/platform'
import { query, queryNumber } from '../support/query.js'
import { example } from '../support/requests.js'
import { runCommand } from '../support/run-command.js'
import { startTcpProxy } from '../support/tcp-proxy.js'
import { useStack } from '../support/use-stack.js'
import { waitFor } from '../support/wait-for.js'

const statusOf = async (url: string) => (await fetch(url)).status

describe('the state of the database', () => {
  const stack = useStack({ broker: 'postgres', logs: 'keep', env: { RECONCILE_INTERVAL_SECONDS: '0.5' } })

  const submit = () => stack.request('POST', '/v1/predictions', example)
  const setReadOnly = async (isOn: boolean) => {
    await query(stack.databaseUrl, `ALTER SYSTEM SET default_transaction_read_only = ${isOn ? 'on' : 'off'}`)
    await query(stack.databaseUrl, 'SELECT pg_reload_conf()')
  }

  it('B4: that can only be read is 503 with Retry-After and not ready, and what was accepted is done once later', async () => {
    const [worker] = stack.workers
    const accepted = await Promise.all(Array.from({ length: 20 }, submit))
    expect(new Set(accepted.map(({ status }) => status))).toEqual(new Set([202]))
    await setReadOnly(true)
    await waitFor(async () => (await submit()).status === 503, { what: 'the API to refuse' })
    const refused = await submit()
    expect(refused).toMatchObject({ status: 503, body: { code: 'DATABASE_UNAVAILABLE' } })
    expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(0)
    for (const url of [stack.url, worker?.healthUrl]) {
      await waitFor(async () => (await statusOf(`${url}/readyz`)) === 503, { what: `${url} not to be ready` })
    }
    expect(await statusOf(`${stack.url}/livez`)).toBe(200)
    await setReadOnly(false)
    await waitFor(async () => (await statusOf(`${stack.url}/readyz`)) === 200, { what: 'the API to be ready' })
    await waitFor(
      async () =>
        (await queryNumber(
          stack.databaseUrl,
          `SELECT count(*)::int AS number FROM tasks WHERE state <> 'succeeded' OR attempt > 1`,
        )) === 0,
      { what: 'all to be done once' },
    )
  })

  const expectLastWords = async (command: string, env: Record<string, string>, ...words: readonly RegExp[]) => {
    const before = stack.readLogs().length
    const program = stack.run(command, { WORKER_HEALTH_PORT: '0', ...env })
    expect(await program.exited).toBe(1)
    const isSaid = () => words.every((each) => each.test(stack.readLogs().slice(before)))
    await waitFor(isSaid, { what: `${words.join(' and ')} in: ${stack.readLogs().slice(before)}` })
    expect(stack.readLogs().slice(before)).not.toMatch(/\n\s+at |\\n\s+at /)
  }

  it.each([
    ['28P01', { password: 'wrong' }, /refuses the user or the password/],
    ['3D000', { pathname: '/absent' }, /no such database/],
    ['TLS', { search: '?sslmode=require' }, /has no TLS/],
  ])('C4: %s ends migrate, api and worker with one sentence', async (_code, change, words) => {
    const url = Object.assign(new URL(stack.databaseUrl), change).href
    const port = String(await findFreePort('127.0.0.1'))
    for (const command of ['migrate', 'api', 'worker']) {
      await expectLastWords(command, { DATABASE_URL: url, PORT: port }, words)
      await expectLastWords(command, { DATABASE_DIRECT_URL: url, PORT: port }, words, /DATABASE_DIRECT_URL/)
    }
  })

  it('C4: a direct URL to another database ends migrate, api and worker with one sentence', async () => {
    await query(stack.databaseUrl, 'CREATE DATABASE elsewhere')
    const url = Object.assign(new URL(stack.databaseUrl), { pathname: '/elsewhere' }).href
    const port = String(await findFreePort('127.0.0.1'))
    for (const command of ['migrate', 'api', 'worker']) {
      const env = { DATABASE_DIRECT_URL: url, PORT: port }
      await expectLastWords(
        command,
        env,
        /DATABASE_DIRECT_URL leads to another database \(elsewhere\) than DATABASE_URL/,
      )
    }
    expect(
      await queryNumber(url, 'SELECT count(*)::int AS number FROM pg_tables WHERE tablename = $1', ['tasks']),
    ).toBe(0)
  })

  it('C4: a direct URL where nothing listens is waited for, by its name', async () => {
    const port = await findFreePort('127.0.0.1')
    const env = { DATABASE_DIRECT_URL: 'postgresql://app@127.0.0.1:1/x' }
    const words = /Is it running, is DATABASE_DIRECT_URL right\?/
    for (const command of ['api', 'worker']) {
      const before = stack.readLogs().length
      const program = stack.run(command, { ...env, PORT: String(port), WORKER_HEALTH_PORT: '0' })
      await waitFor(() => words.test(stack.readLogs().slice(before)), { what: 'the sentence' })
      expect(await program.kill('SIGTERM')).toBe(0)
      expect(stack.readLogs().slice(before)).not.toMatch(/\n\s+at |\\n\s+at /)
    }
  })

  it('C4: migrate waits for a database that is not there yet, says so once, and does its work when it is', async () => {
    const proxy = await startTcpProxy(1)
    const url = Object.assign(new URL(stack.databaseUrl), { port: String(proxy.port) }).href
    const before = stack.readLogs().length
    const said = () => stack.readLogs().slice(before)
    const migrate = stack.run('migrate', { DATABASE_URL: url })
    await waitFor(() => said().includes('Trying for up to 60 s.'), { what: 'the sentence' })
    proxy.redirect(Number(new URL(stack.databaseUrl).port))
    expect(await migrate.exited).toBe(0)
    await proxy.close()
    await waitFor(() => said().includes('The database is up to date.'), { what: 'the last words' })
    expect(said().match(/does not respond \(.*Is it running/g)).toHaveLength(1)
  })

  it('C4: migrate ends with one sentence when its time is over', async () => {
    const env = { ...stack.env, DATABASE_URL: 'postgresql://app@127.0.0.1:1/x' }
    const { code, out, err } = await runCommand(['migrate', '--wait', '0.1'], env)
    expect([code, out]).toEqual([1, ''])
    expect(err).toMatch(/^The database does not respond \(connect ECONNREFUSED .*is DATABASE_URL right\?\n$/)
  })

  it('C4: tables of another program end migrate, api and worker with one sentence', async () => {
    await query(stack.databaseUrl, 'CREATE DATABASE occupied')
    const url = Object.assign(new URL(stack.databaseUrl), { pathname: '/occupied' }).href
    await query(url, 'CREATE TABLE predictions (id int)')
    const port = String(await findFreePort('127.0.0.1'))
    for (const command of ['migrate', 'api', 'worker']) {
      const before = stack.readLogs().length
      await expectLastWords(command, { DATABASE_URL: url, PORT: port }, /tables of another program \(predictions\)/)
      expect(stack.readLogs().slice(before).trim().split('\n')).toHaveLength(1)
    }
  })

  it('B4: that can only be read at the start lets the api serve reads, and its key is installed later', async () => {
    await setReadOnly(true)
    const port = await findFreePort('127.0.0.1')
    const url = `http://127.0.0.1:${port}`
    const newKey = 'mg_Kx7Lw2Vn9Rt4Zc6Yb1Dj8Qe'
    const before = stack.readLogs().length
    const api = stack.run('api', { PORT: String(port), ADMIN_API_KEY: newKey, LOG_LEVEL: 'info' })
    const readAs = async (key: string) =>
      (await fetch(`${url}/v1/predictions`, { headers: { authorization: `Bearer ${key}` } })).status
    await waitFor(async () => (await readAs(stack.key)) === 200, { what: 'reads' })
    const probe = await fetch(`${url}/readyz`)
    expect([probe.status, await probe.text()]).toEqual([503, expect.stringContaining('can only be read')])
    await waitFor(() => stack.readLogs().slice(before).includes('"started, not ready"'), { what: 'the log line' })
    expect(stack.readLogs().slice(before)).toMatch(/"faults":\{"database":"can only be read"\}/)
    expect(stack.readLogs().slice(before)).not.toContain('"msg":"ready"')
    await setReadOnly(false)
    const countKeys = () => queryNumber(stack.databaseUrl, 'SELECT count(*)::int AS number FROM api_keys')
    await waitFor(async () => (await countKeys()) === 2, { what: 'the new key' })
    expect(await readAs(newKey)).toBe(200)
    // Probes may be told what was found a second ago.
    await waitFor(async () => (await statusOf(`${url}/readyz`)) === 200, { what: 'the API to be ready' })
    await waitFor(() => stack.readLogs().slice(before).includes('"msg":"ready"'), { what: 'the log line' })
    expect(
      stack
        .readLogs()
        .slice(before)
        .match(/admin key not installed yet/g),
    ).toHaveLength(1)
    expect(await api.kill('SIGTERM')).toBe(0)
    // The key of the tests is the bootstrap key again.
    await query(stack.databaseUrl, 'UPDATE api_keys SET revoked_at = NULL, is_bootstrap = false')
  })

  it('B10: that is absent leaves the probes of a starting api working, and the rest 503', async () => {
    const port = await findFreePort('127.0.0.1')
    const url = `http://127.0.0.1:${port}`
    const api = stack.run('api', { DATABASE_URL: 'postgresql://app@127.0.0.1:1/x', PORT: String(port) })
    await waitFor(() => statusOf(`${url}/livez`), { what: 'the port to be open' })
    expect(await statusOf(`${url}/livez`)).toBe(200)
    expect(await statusOf(`${url}/startupz`)).toBe(503)
    expect(await statusOf(`${url}/readyz`)).toBe(503)
    const response = await fetch(`${url}/v1/predictions`, { headers: { authorization: `Bearer ${stack.key}` } })
    expect([response.status, response.headers.get('retry-after')]).toEqual([503, '2'])
    expect(await api.kill('SIGTERM')).toBe(0)
  })
})
