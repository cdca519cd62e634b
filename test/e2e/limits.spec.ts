import pg from 'pg'
import { describe, expect, it } from 'vitest'
import { useStack } from '../support/use-stack.js'
import { waitFor } from '../support/wait-for.js'

describe('limits and headers of the API', () => {
  const stack = useStack({
    broker: 'postgres',
    workers: 0,
    logs: 'keep',
    env: { TRUST_PROXY: 'loopback', RATE_LIMIT_KEY_PER_MINUTE: '60', RATE_LIMIT_STREAMS_PER_KEY: '2' },
  })

  const get = (path: string, key = stack.key, headers: Readonly<Record<string, string>> = {}) =>
    fetch(stack.url + path, { headers: { authorization: `Bearer ${key}`, ...headers } })
  const from = (address: string) => ({ 'x-forwarded-for': address })
  const createKey = async (role: string): Promise<string> => {
    const { body } = await stack.request('POST', '/v1/api-keys', { name: role, role })
    return String(body['key'])
  }

  it('A6: an address has 20 wrong keys a minute, and then no look-up; others, and known keys, go on', async () => {
    const wrong = (index: number, address: string) => get('/v1/tasks', `mg_wrong-key-${index}`, from(address))
    const responses = await Promise.all(Array.from({ length: 60 }, (_, index) => wrong(index, '203.0.113.7')))
    const statuses = responses.map(({ status }) => status)
    expect([statuses.filter((status) => status === 401), statuses.filter((status) => status === 429)]).toMatchObject([
      { length: 20 },
      { length: 40 },
    ])
    const last = responses.find(({ status }) => status === 429)
    expect(last?.headers.get('content-type')).toMatch(/^application\/problem\+json/)
    expect(Number(last?.headers.get('retry-after'))).toBeGreaterThan(0)
    expect(await last?.json()).toMatchObject({ code: 'RATE_LIMITED', status: 429 })
    // Also a right one that was never seen is not looked up, until the minute is over.
    expect((await get('/v1/tasks', await createKey('viewer'), from('203.0.113.7'))).status).toBe(429)
    expect((await get('/v1/tasks', stack.key, from('203.0.113.7'))).status).toBe(200)
    expect((await wrong(1, '203.0.113.8')).status).toBe(401)
  })

  it('A6: many requests at once with one key that was never seen are one look-up, and all are let in', async () => {
    const key = await createKey('viewer')
    const client = new pg.Client({ connectionString: stack.databaseUrl })
    await client.connect()
    try {
      // Every look-up waits for this until all requests are there.
      await client.query('BEGIN; LOCK TABLE api_keys IN ACCESS EXCLUSIVE MODE')
      const asked = Array.from({ length: 50 }, () => get('/v1/models', key, from('203.0.113.9')))
      const waiting = `SELECT count(*)::int AS count FROM pg_locks WHERE relation = 'api_keys'::regclass AND NOT granted`
      await waitFor(async () => (await client.query<{ count: number }>(waiting)).rows[0]?.count === 1, {
        what: 'a look-up',
      })
      expect((await fetch(`${stack.url}/livez`)).status).toBe(200)
      await client.query('COMMIT')
      expect(new Set((await Promise.all(asked)).map(({ status }) => status))).toEqual(new Set([200]))
    } finally {
      await client.end()
    }
  })

  it('A6: the /64 of an IPv6 address counts as one', async () => {
    const wrong = (host: number) => get('/v1/tasks', `mg_wrong-${host}`, from(`2001:db8:1:2::${host.toString(16)}`))
    const responses = await Promise.all(Array.from({ length: 25 }, (_, index) => wrong(index + 1)))
    expect(responses.filter(({ status }) => status === 429)).toHaveLength(5)
  })

  it('A6: failed sign-ins are counted and logged with their address, and never with the key', async () => {
    const metrics = await (await fetch(`${stack.url}/metrics`)).text()
    expect(metrics).toMatch(/^memoryguard_failed_sign_ins_total\{reason="invalid"\} \d{2}$/m)
    expect(metrics).toMatch(/^memoryguard_failed_sign_ins_total\{reason="limited"\} \d{2}$/m)
    const logs = stack.readLogs()
    expect(logs).toMatch(/"address":"203\.0\.113\.7".*"msg":"sign-in failed"/)
    expect(logs).not.toContain('wrong-key')
    expect(logs.match(/"msg":"sign-in failed"/g)?.length).toBeLessThanOrEqual(40)
  })

  it('A6: a key has its share of the event streams', async () => {
    const key = await createKey('viewer')
    const closing = new AbortController()
    const streams = await Promise.all(
      Array.from({ length: 3 }, () =>
        fetch(`${stack.url}/v1/events`, { headers: { authorization: `Bearer ${key}` }, signal: closing.signal }),
      ),
    )
    expect(streams.map(({ status }) => status).sort()).toEqual([200, 200, 429])
    const others = await fetch(`${stack.url}/v1/events`, {
      headers: { authorization: `Bearer ${stack.key}` },
      signal: closing.signal,
    })
    expect([others.status, others.headers.get('cache-control')]).toEqual([200, 'no-store, no-transform'])
    closing.abort()
  })

  it('A6: a key has its requests of a minute, probes and other keys go on', async () => {
    const key = await createKey('viewer')
    const responses = await Promise.all(Array.from({ length: 70 }, () => get('/v1/models', key)))
    expect(responses.filter(({ status }) => status === 429)).toHaveLength(10)
    for (const path of ['/livez', '/readyz', '/metrics']) expect((await get(path, key)).status).toBe(200)
    expect((await get('/v1/models')).status).toBe(200)
  })

  it('A8: every response forbids caches, frames and guesses at its type', async () => {
    const paths = [
      '/v1/tasks',
      '/v1/tasks/nothing',
      '/v1/nothing',
      '/nothing',
      '/%E0%A4%A',
      '/livez',
      '/metrics',
      '/docs',
    ]
    for (const path of paths) {
      const { headers } = await get(path)
      expect([path, headers.get('cache-control'), headers.get('x-content-type-options')]).toEqual([
        path,
        'no-store',
        'nosniff',
      ])
      expect([path, headers.get('x-frame-options'), headers.get('referrer-policy')]).toEqual([
        path,
        'DENY',
        'no-referrer',
      ])
      expect(headers.get('content-security-policy')).toMatch(/^default-src 'none';.*frame-ancestors 'none'$/)
      expect([headers.get('server'), headers.get('x-powered-by')]).toEqual([null, null])
    }
    expect((await fetch(`${stack.url}/v1/tasks`)).headers.get('cache-control')).toBe('no-store')
  })

  it('A8: Swagger UI runs under its policy and forgets the key', async () => {
    expect((await get('/docs')).headers.get('content-security-policy')).toContain("script-src 'self'")
    const page = await (await get('/docs')).text()
    expect(page).not.toMatch(/<script>|<script (?!src="\.\/docs\/)/)
    const script = await (await get('/docs/swagger-ui-init.js')).text()
    expect(script).not.toMatch(/persistAuthorization"?: true/)
  })
})
