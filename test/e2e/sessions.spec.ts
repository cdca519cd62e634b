import { request as send } from 'node:http'
import { once } from 'node:events'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { Browser } from '../support/browser.js'
import { insertKey, query, queryNumber } from '../support/query.js'
import { bearer, example, uuid } from '../support/requests.js'
import { runAsAdmin, runCommand } from '../support/run-command.js'
import { startStack, type Stack } from '../support/stack.js'
import { waitFor } from '../support/wait-for.js'

const idleSeconds = 12

describe('sessions of browsers', () => {
  let stack: Stack
  beforeAll(async () => {
    const env = {
      SESSION_IDLE_SECONDS: String(idleSeconds),
      RATE_LIMIT_WRONG_KEYS_PER_MINUTE: '30',
      EVENTS_HEARTBEAT_SECONDS: '0.2',
      ALLOWED_HOSTS: 'console.example.org',
      TRUST_PROXY: 'loopback',
    }
    stack = await startStack({ broker: 'postgres', workers: 0, env })
  })
  afterAll(() => stack.stop())

  const signIn = async (key: string = stack.key) => {
    const browser = new Browser(stack.url)
    const { status, body, headers } = await browser.request('POST', '/v1/session', { body: { api_key: key } })
    expect([status, body]).toEqual([201, expect.objectContaining({ id: expect.stringMatching(uuid) })])
    return { browser, session: body, setCookie: headers['set-cookie']?.[0] ?? '' }
  }
  const newKey = async (values: object) =>
    (await stack.request('POST', '/v1/api-keys', { name: 'of a test', role: 'admin', ...values })).body
  const makeLink = async (key: string = stack.key) => {
    const { status, body } = await stack.request('POST', '/v1/session/link', undefined, bearer(key))
    expect(status).toBe(201)
    return String(body['link_token'])
  }
  const entriesOf = (action: string, target: unknown) =>
    query<{ api_key_id: string; details: object }>(
      stack.databaseUrl,
      'SELECT api_key_id, details FROM audit_log WHERE action = $1 AND target = $2',
      [action, String(target)],
    )
  /** An address of its own, so that the trail has an entry of its own about what comes from there. */
  const from = (address: string) => ({ 'x-forwarded-for': address })
  const untilRejected = (address: string, code: string) =>
    waitFor(
      () =>
        queryNumber(
          stack.databaseUrl,
          `SELECT count(*)::int AS number FROM audit_log
           WHERE action = 'request.reject' AND target = $1 AND details -> 'codes' ? $2`,
          [address, code],
        ),
      { what: `an entry about ${code} of ${address}` },
    )

  it('begin with an API key, work without it, and end with a sign-out', async () => {
    const { browser, session, setCookie } = await signIn()
    expect(setCookie).toMatch(/^mg=[\w-]{43}; Path=\/; Max-Age=43200; HttpOnly; SameSite=Strict$/)
    expect(session).toMatchObject({
      name: 'first admin key',
      method: 'key',
      role: 'admin',
      user_id: null,
      is_current: true,
    })
    const [stored] = await query<{ text: string }>(
      stack.databaseUrl,
      'SELECT to_jsonb(s)::text AS text FROM sessions s WHERE id = $1',
      [session['id']],
    )
    expect(stored?.text).not.toContain(browser.cookiesOf()['mg'])

    expect((await browser.get('/v1/session')).body).toMatchObject({ id: session['id'], is_current: true })
    expect((await browser.get('/v1/me')).body).toMatchObject({
      name: 'first admin key',
      role: 'admin',
      roles: ['viewer', 'submitter', 'operator', 'admin'],
      method: 'session',
      features: { oidc: false, audit_reads: false },
    })
    expect((await browser.request('POST', '/v1/predictions', { body: example })).status).toBe(202)

    const out = await browser.request('DELETE', '/v1/session')
    expect([out.status, out.headers['clear-site-data']]).toEqual([204, '"cache"'])
    expect(browser.cookiesOf()).toEqual({})
    browser.setCookie('mg', setCookie.slice(3, 46))
    const { status, body } = await browser.get('/v1/me')
    expect([status, body['code']]).toEqual([401, 'ACCESS_SESSION_INVALID'])
    expect(browser.cookiesOf()).toEqual({})
    expect(await entriesOf('session.create', session['id'])).toMatchObject([
      { details: { method: 'key', role: 'admin' } },
    ])
    expect(await entriesOf('session.end', session['id'])).toHaveLength(1)
  })

  it('get a new id at each sign-in, which ends the one before', async () => {
    const { browser, session } = await signIn()
    const before = browser.cookiesOf()['mg']
    const again = await browser.request('POST', '/v1/session', { headers: bearer(stack.key) })
    expect([again.status, again.headers['location']]).toEqual([201, '/v1/session'])
    expect(again.body['id']).not.toBe(session['id'])
    expect(browser.cookiesOf()['mg']).not.toBe(before)
    expect(await entriesOf('session.end', session['id'])).toHaveLength(1)
    browser.setCookie('mg', before ?? '')
    expect((await browser.get('/v1/me')).status).toBe(401)
  })

  it('are a hundred of one key at most: the ones that were used longest ago end', async () => {
    const key = await insertKey(stack.databaseUrl, { role: 'viewer' })
    const { browser, session } = await signIn(key)
    const second = await signIn(key)
    await query(stack.databaseUrl, `UPDATE sessions SET last_seen_at = now() - interval '5 s' WHERE id = $1`, [
      session['id'],
    ])
    for (let count = 2; count < 101; count += 1) await signIn(key)
    expect((await second.browser.get('/v1/sessions')).body['items']).toHaveLength(100)
    expect((await browser.get('/v1/me')).status).toBe(401)
  })

  it('have the role and the person of their key', async () => {
    const { browser } = await signIn(await insertKey(stack.databaseUrl, { role: 'viewer', userId: 7 }))
    expect((await browser.get('/v1/me')).body).toMatchObject({ role: 'viewer', roles: ['viewer'], user_id: 7 })
    expect((await browser.request('POST', '/v1/predictions', { body: example })).status).toBe(403)
    expect((await browser.get('/v1/users/8/health-metrics')).status).toBe(403)
  })

  it('are listed and ended by their owner, and by administrators', async () => {
    const key = await insertKey(stack.databaseUrl, { role: 'operator' })
    const own = await signIn(key)
    const other = await signIn()
    const mine = await own.browser.get('/v1/sessions')
    expect(mine.body['items']).toEqual([expect.objectContaining({ id: own.session['id'], is_current: true })])
    const all = (await other.browser.get('/v1/sessions')).body['items'] as { id: string }[]
    expect(all.map(({ id }) => id)).toEqual(expect.arrayContaining([own.session['id'], other.session['id']]))
    const path = (id: unknown) => `/v1/sessions/${String(id)}`
    expect((await own.browser.request('DELETE', path(other.session['id']))).status).toBe(404)
    expect((await other.browser.get('/v1/me')).status).toBe(200)
    expect((await other.browser.request('DELETE', path(own.session['id']))).status).toBe(204)
    expect((await own.browser.get('/v1/me')).status).toBe(401)
  })

  it('are not made, shown or ended for callers with a key', async () => {
    for (const method of ['GET', 'DELETE']) expect((await stack.request(method, '/v1/session')).status).toBe(404)
    const { body } = await stack.request('GET', '/v1/me')
    expect(body).toMatchObject({ id: expect.stringMatching(uuid), name: 'first admin key', method: 'key' })
  })

  it.each([
    ['is revoked', (id: unknown) => stack.request('DELETE', `/v1/api-keys/${String(id)}`)],
    [
      'expires',
      (id: unknown) =>
        query(stack.databaseUrl, `UPDATE api_keys SET expires_at = now() - interval '1 s' WHERE id = $1`, [id]),
    ],
  ])('end within 5 s, with their streams, when their key %s', async (_, end) => {
    const { id, key } = await newKey({})
    const { browser } = await signIn(String(key))
    const { mg } = browser.cookiesOf()
    const [response] = await once(send(`${stack.url}/v1/events`, { headers: { cookie: `mg=${mg}` } }).end(), 'response')
    expect(response.statusCode).toBe(200)
    const ended = once(response.resume(), 'end')
    await end(id)
    const endedAt = performance.now()
    await ended
    await waitFor(async () => (await browser.get('/v1/me')).status === 401, { what: 'the session to end' })
    expect(performance.now() - endedAt).toBeLessThan(5_000)
  })

  it('end with their key’s expiry at the latest', async () => {
    const expires_at = new Date(Date.now() + 60_000).toISOString()
    const { key } = await newKey({ expires_at })
    expect((await signIn(String(key))).session).toMatchObject({ expires_at })
  })

  it('end when they are not used, and an open stream is no use', async () => {
    const used = await signIn()
    const idle = await signIn()
    const headers = { cookie: `mg=${idle.browser.cookiesOf()['mg']}` }
    const [response] = await once(send(`${stack.url}/v1/events`, { headers }).end(), 'response')
    const ended = once(response.resume(), 'end')
    const isUsed = await waitFor(
      async () => {
        const { status } = await used.browser.get('/v1/me')
        return status !== 200 || response.readableEnded ? { status } : false
      },
      { what: 'the idle session to end', timeoutMs: (idleSeconds + 8) * 1000 },
    )
    await ended
    expect(isUsed).toEqual({ status: 200 })
    expect((await idle.browser.get('/v1/me')).status).toBe(401)
  })

  it('end at their latest time, however much they are used', async () => {
    const { browser, session } = await signIn()
    await query(stack.databaseUrl, `UPDATE sessions SET expires_at = now() WHERE id = $1`, [session['id']])
    await waitFor(async () => (await browser.get('/v1/me')).status === 401, { what: 'the session to end' })
  })

  describe('from other sites', () => {
    const crossSite = [
      [{ 'sec-fetch-site': 'cross-site' }],
      [{ 'sec-fetch-site': 'same-site', origin: 'https://console.example.org' }],
      [{ 'sec-fetch-site': 'none' }],
      [{ 'sec-fetch-site': null, origin: 'https://evil.example' }],
      [{ 'sec-fetch-site': null, origin: 'null' }],
      [{ 'sec-fetch-site': null, origin: null }],
    ] as const
    it.each(crossSite)('nothing is changed with a cookie: %j', async (headers) => {
      const { browser } = await signIn()
      const { status, body } = await browser.request('POST', '/v1/queues/batch/pause', { headers })
      expect([status, body['code']]).toEqual([403, 'ACCESS_SITE_REJECTED'])
      expect((await browser.request('POST', '/v1/predictions', { body: example, headers })).status).toBe(403)
      expect((await browser.request('DELETE', '/v1/session', { headers })).status).toBe(403)
      expect((await browser.get('/v1/session')).status).toBe(200)
    })

    it.each(crossSite)('nobody is signed in: %j', async (headers) => {
      const browser = new Browser(stack.url)
      const { status, body } = await browser.request('POST', '/v1/session', { body: { api_key: stack.key }, headers })
      expect([status, body['code']]).toEqual([403, 'ACCESS_SITE_REJECTED'])
      expect(browser.cookiesOf()).toEqual({})
    })

    it('a browser that names its origin alone is believed', async () => {
      const { browser } = await signIn()
      const headers = { 'sec-fetch-site': null, origin: stack.url }
      expect((await browser.request('POST', '/v1/predictions', { body: example, headers })).status).toBe(202)
    })

    it('forms are not read, with a cookie or to sign in', async () => {
      const { browser } = await signIn()
      const form = { headers: { 'content-type': 'multipart/form-data; boundary=a' }, body: '--a--\r\n' }
      expect((await browser.request('POST', '/v1/batches', form)).status).toBe(415)
      const fields = new URLSearchParams({ api_key: stack.key })
      expect((await browser.request('POST', '/v1/session', { body: fields })).status).toBe(415)
    })

    it('requests with a key are as they were', async () => {
      const headers = { origin: 'https://evil.example', 'sec-fetch-site': 'cross-site', cookie: 'mg=none' }
      expect((await stack.request('POST', '/v1/predictions', example, headers)).status).toBe(202)
    })
  })

  describe('under other host names', () => {
    it('cookies and sign-ins are rejected, and keys and probes are not', async () => {
      const { browser } = await signIn()
      const headers = { host: 'rebound.example:3000' }
      const { status, body } = await browser.get('/v1/me', headers)
      expect([status, body['code']]).toEqual([403, 'ACCESS_HOST_REJECTED'])
      const attempt = await new Browser(stack.url).request('POST', '/v1/session', {
        body: { api_key: stack.key },
        headers,
      })
      expect([attempt.status, attempt.body['code']]).toEqual([403, 'ACCESS_HOST_REJECTED'])
      expect((await browser.get('/readyz', headers)).status).toBe(200)
      expect((await browser.get('/v1/me', { ...headers, cookie: null, ...bearer(stack.key) })).status).toBe(200)
    })

    it.each(['localhost:3000', '[::1]:3000', '127.9.9.9', 'a.localhost', '10.1.2.3:3000', 'CONSOLE.example.org:8443'])(
      'a session is used under %s',
      async (host) => {
        const { browser } = await signIn()
        expect((await browser.get('/v1/me', { host })).status).toBe(200)
      },
    )

    it.each(['10.1.2.3:3000', 'console.example.org'])(
      'no cookie is set over plain http for %s, where others could read it',
      async (host) => {
        const headers = { host, origin: `http://${host}`, 'sec-fetch-site': null }
        const attempt = await new Browser(stack.url).request('POST', '/v1/session', {
          body: { api_key: stack.key },
          headers,
        })
        expect([attempt.status, attempt.body['code']]).toEqual([403, 'ACCESS_HOST_REJECTED'])
      },
    )
  })

  describe('one-time links', () => {
    it('sign in once, with the key that made them', async () => {
      const key = await insertKey(stack.databaseUrl, { role: 'operator' })
      const link_token = await makeLink(key)
      const browser = new Browser(stack.url)
      const { status, body } = await browser.request('POST', '/v1/session', { body: { link_token } })
      expect([status, body]).toEqual([201, expect.objectContaining({ method: 'link', role: 'operator', name: 'test' })])
      expect((await browser.get('/v1/me')).status).toBe(200)
      const headers = from('192.0.2.1')
      const replay = await new Browser(stack.url).request('POST', '/v1/session', { body: { link_token }, headers })
      expect([replay.status, replay.body['code']]).toEqual([401, 'ACCESS_LINK_INVALID'])
      await untilRejected('192.0.2.1', 'ACCESS_LINK_INVALID')
    })

    it.each([
      ['expired', `UPDATE session_links SET expires_at = now() - interval '1 s'`],
      ['whose key was revoked', `UPDATE api_keys SET revoked_at = now() WHERE role = 'submitter'`],
    ])('that are %s sign nobody in', async (_, sql) => {
      const link_token = await makeLink(await insertKey(stack.databaseUrl, { role: 'submitter' }))
      await query(stack.databaseUrl, sql)
      const attempt = await new Browser(stack.url).request('POST', '/v1/session', { body: { link_token } })
      expect([attempt.status, attempt.body['code']]).toEqual([401, 'ACCESS_LINK_INVALID'])
    })

    it('two browsers at once are not both signed in', async () => {
      const link_token = await makeLink()
      const attempts = await Promise.all(
        Array.from({ length: 8 }, () =>
          new Browser(stack.url).request('POST', '/v1/session', { body: { link_token } }),
        ),
      )
      expect(attempts.map(({ status }) => status).toSorted()).toEqual([201, ...Array.from({ length: 7 }, () => 401)])
    })

    it('are twenty of one key at most', async () => {
      const key = await insertKey(stack.databaseUrl, { role: 'viewer' })
      const links: string[] = []
      for (let count = 0; count < 21; count += 1) links.push(await makeLink(key))
      const statuses: number[] = []
      for (const link_token of [links[0], links[1]])
        statuses.push((await new Browser(stack.url).request('POST', '/v1/session', { body: { link_token } })).status)
      expect(statuses).toEqual([401, 201])
    })

    it('are not made by a session, which they would prolong', async () => {
      const { browser } = await signIn()
      expect((await browser.request('POST', '/v1/session/link')).status).toBe(403)
    })

    it('are printed by the command line', async () => {
      const { code, out } = await runAsAdmin(stack, 'console-link')
      expect(code).toBe(0)
      const [, token] = /^http:\/\/127\.0\.0\.1:\d+\/#start=([\w-]{43})\n/.exec(out) ?? []
      const attempt = await new Browser(stack.url).request('POST', '/v1/session', { body: { link_token: token } })
      expect(attempt.status).toBe(201)
      const PUBLIC_URL = 'https://mg.example.org/clinic/'
      const env = { ...stack.env, MEMORYGUARD_HOME: '/nowhere', PUBLIC_URL }
      const shown = await runCommand(['console-link', '--api-key', stack.key], env)
      expect(shown.out).toMatch(/^https:\/\/mg\.example\.org\/clinic\/#start=[\w-]{43}\n/)
    })
  })

  it.each([
    ['no body', undefined, 401, 'ACCESS_KEY_MISSING'],
    ['an empty object', {}, 401, 'ACCESS_KEY_MISSING'],
    ['both', { api_key: 'mg_a', link_token: 'a' }, 422, 'REQUEST_INVALID'],
    ['an unknown member', { password: 'a' }, 422, 'REQUEST_INVALID'],
    ['a wrong key', { api_key: 'mg_wrong' }, 401, 'ACCESS_KEY_INVALID'],
    ['a long body', { api_key: 'a'.repeat(5_000) }, 413, 'REQUEST_TOO_LARGE'],
    ['no JSON', 'mg_', 400, 'REQUEST_MALFORMED'],
  ])('a sign-in with %s is rejected', async (_, body, status, code) => {
    const attempt = await new Browser(stack.url).request('POST', '/v1/session', { ...(body !== undefined && { body }) })
    expect([attempt.status, attempt.body['code'], attempt.headers['set-cookie']]).toEqual([status, code, undefined])
    expect(attempt.text).not.toContain('mg_wrong')
  })

  it('a browser learns how it can sign in', async () => {
    const { status, body } = await new Browser(stack.url).get('/v1/session/methods')
    expect([status, body]).toEqual([
      200,
      { is_required: true, api_key: true, link: true, oidc: false, oidc_label: null },
    ])
    for (const path of ['/v1/session/oidc', '/v1/session/oidc/callback?code=a&state=b'])
      expect((await new Browser(stack.url).get(path)).status).toBe(404)
  })

  it('A session in an Authorization header is none', async () => {
    const { browser } = await signIn()
    const { mg } = browser.cookiesOf()
    for (const value of [`Bearer ${mg}`, `Bearer session ${mg}`, `session ${mg}`, `Bearer session%20${mg}`])
      expect((await stack.get('/v1/me', { authorization: value })).status).toBe(401)
  })

  it('wrong cookies are limited by address, and keep nobody from signing in', async () => {
    const statuses = new Set<number>()
    for (let attempt = 0; attempt < 40; attempt += 1) {
      const browser = new Browser(stack.url)
      browser.setCookie('mg', `guess-${attempt}`)
      statuses.add((await browser.get('/v1/me', from('192.0.2.2'))).status)
    }
    expect([...statuses].toSorted()).toEqual([401, 429])
    const headers = from('192.0.2.2')
    const { status } = await new Browser(stack.url).request('POST', '/v1/session', {
      body: { api_key: stack.key },
      headers,
    })
    expect(status).toBe(201)
    await untilRejected('192.0.2.2', 'ACCESS_SESSION_INVALID')
  })

  it('wrong keys and links are limited by address, before the body is read', async () => {
    const attempt = (link_token: string) =>
      new Browser(stack.url).request('POST', '/v1/session', { body: { link_token }, headers: from('192.0.2.3') })
    const statuses: number[] = []
    for (let count = 0; count < 40; count += 1) statuses.push((await attempt(`guess-${count}`)).status)
    expect(statuses.at(-1)).toBe(429)
    expect((await stack.request('GET', '/v1/me')).status).toBe(200)
  })
})
