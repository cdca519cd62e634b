import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { query, queryNumber } from '../support/query.js'
import { startStack, type Stack } from '../support/stack.js'
import { waitFor } from '../support/wait-for.js'

const cli = fileURLToPath(new URL('../../dist/bin/memoryguard.js', import.meta.url))
const rotated = 'mg_P4sHy8WmQe1Gu7Xf0Ba5Nk'

describe('A5: the admin key of an api', () => {
  let stack: Stack
  const home = mkdtempSync(join(tmpdir(), 'memoryguard-keys-'))
  beforeAll(async () => {
    stack = await startStack({ broker: 'postgres', workers: 0 })
  })
  afterAll(async () => {
    await stack.stop()
    rmSync(home, { recursive: true, force: true })
  })

  /** Runs an api of its own on the stack's database: until it is ready, or until it has ended. */
  const runApi = async (env: Readonly<Record<string, string>>) => {
    const child = spawn(process.execPath, [cli, 'api'], {
      env: { ...stack.env, PORT: '0', ADMIN_API_KEY: '', LOG_LEVEL: 'info', ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    let output = ''
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (data: Buffer) => (output += data.toString()))
    const ended = once(child, 'close')
    await waitFor(() => child.exitCode !== null || output.includes('"ready"'), { what: 'the api' })
    const [url] = /http:\/\/127\.0\.0\.1:\d+/.exec(output) ?? []
    const stop = async () => {
      child.kill('SIGTERM')
      await ended
      return { code: child.exitCode, output }
    }
    return { url, stop }
  }

  const countKeys = () =>
    queryNumber(stack.databaseUrl, 'SELECT count(*)::int AS number FROM api_keys WHERE revoked_at IS NULL')
  const statusOf = async (url: string | undefined, key: string) =>
    (await fetch(`${url}/v1/api-keys`, { headers: { authorization: `Bearer ${key}` } })).status

  it('is not added by replicas without a key and without a home', async () => {
    for (const replica of ['a', 'b']) {
      const api = await runApi({ MEMORYGUARD_HOME: join(home, replica) })
      expect(await statusOf(api.url, stack.key)).toBe(200)
      expect((await api.stop()).code).toBe(0)
      expect(existsSync(join(home, replica))).toBe(false)
    }
    expect(await countKeys()).toBe(1)
  })

  it.each(['mg_aaaaaaaaaaaaaaaaaaaaaaaa', 'mg_change-me-change-me-change-me', 'mg_short'])(
    'is refused at the start if it is weak: %s',
    async (key) => {
      const { code, output } = await (await runApi({ ADMIN_API_KEY: key })).stop()
      expect(code).toBe(1)
      expect(output).toContain('openssl rand -hex 32')
      expect(output).not.toContain(key)
      expect(await countKeys()).toBe(1)
    },
  )

  it('is replaced by a new value; within 5 s every process refuses the old one, which does not come back', async () => {
    const api = await runApi({ ADMIN_API_KEY: rotated })
    const replacedAt = performance.now()
    expect([await statusOf(api.url, rotated), await statusOf(api.url, stack.key)]).toEqual([200, 401])
    await waitFor(async () => (await statusOf(stack.url, stack.key)) === 401, { what: 'the other api to refuse it' })
    expect(performance.now() - replacedAt).toBeLessThan(5_000)
    expect(await countKeys()).toBe(1)
    const { body } = await stack.request('GET', '/v1/audit?limit=2', undefined, { authorization: `Bearer ${rotated}` })
    expect(body['items']).toMatchObject([{ action: 'api_key.revoke' }, { action: 'api_key.create' }])
    await api.stop()
    const again = await runApi({ ADMIN_API_KEY: stack.key })
    expect([await statusOf(again.url, stack.key), await statusOf(again.url, rotated)]).toEqual([401, 200])
    expect((await again.stop()).output).toContain('The configured admin key is not valid')
  })

  it('is made and kept once where the database has none, and that file counts as configured', async () => {
    await query(stack.databaseUrl, 'UPDATE api_keys SET revoked_at = now() WHERE revoked_at IS NULL')
    const folder = join(home, 'c')
    const first = await runApi({ MEMORYGUARD_HOME: folder })
    const key = readFileSync(join(folder, 'admin-key'), 'utf8').trim()
    expect(await statusOf(first.url, key)).toBe(200)
    await first.stop()
    const second = await runApi({ MEMORYGUARD_HOME: folder })
    expect(await statusOf(second.url, key)).toBe(200)
    await second.stop()
    expect(await countKeys()).toBe(1)
  })
})
