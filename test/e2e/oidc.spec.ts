import { findFreePort } from '#libs/platform'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { Browser } from '../support/browser.js'
import { clientId, startIssuer, type TestIssuer } from '../support/oidc-issuer.js'
import { query, queryNumber } from '../support/query.js'
import { bearer, example } from '../support/requests.js'
import { startStack, type Stack } from '../support/stack.js'
import { waitFor } from '../support/wait-for.js'

const people = {
  anna: { groups: ['mg-admins'] },
  doctor: { groups: ['mg-doctors'] },
  patient: { groups: ['mg-patients'], person: 7 },
  stranger: { groups: ['others'] },
}

describe('sign-in by OIDC', () => {
  let issuer: TestIssuer
  let stack: Stack
  const callback = '/v1/session/oidc/callback'
  beforeAll(async () => {
    const port = await findFreePort('127.0.0.1')
    const publicUrl = `http://127.0.0.1:${port}`
    issuer = await startIssuer({ people, redirectUri: publicUrl + callback })
    const env = { ...issuer.settings(publicUrl), RATE_LIMIT_WRONG_KEYS_PER_MINUTE: '200', TRUST_PROXY: 'loopback' }
    stack = await startStack({ broker: 'postgres', workers: 0, port, env })
  })
  afterAll(async () => {
    await stack.stop()
    await issuer.stop()
  })

  /** Signs in at the issuer as a person does, up to the redirect back to the api, whose URL it returns. */
  const signInAtIssuer = async (browser: Browser, login: string, path = '/v1/session/oidc') => {
    const begun = await browser.get(path)
    expect(begun.status).toBe(302)
    const urls: string[] = [begun.headers['location'] ?? '']
    let answer = await browser.get(urls[0] ?? '')
    for (let step = 0; step < 20; step += 1) {
      if (answer.status === 303 || answer.status === 302) {
        const url = new URL(answer.headers['location'] ?? '', urls.at(-1)).href
        if (url.includes(callback)) return url
        urls.push(url)
        answer = await browser.get(url)
        continue
      }
      const [, action = ''] = /<form[^>]*action="([^"]+)"/.exec(answer.text) ?? []
      const [, prompt = ''] = /name="prompt" value="([^"]+)"/.exec(answer.text) ?? []
      const body = new URLSearchParams({ prompt, ...(prompt === 'login' && { login, password: 'any' }) })
      answer = await browser.request('POST', new URL(action, urls.at(-1)).href, { body })
    }
    throw new Error(`The issuer did not lead back: ${answer.status} ${answer.text}`)
  }

  const signIn = async (login: string, path?: string) => {
    const browser = new Browser(stack.url)
    const back = await signInAtIssuer(browser, login, path)
    const page = await browser.get(back, { 'sec-fetch-site': 'cross-site' })
    return { browser, back, page }
  }
  const rejection = (address: string) =>
    waitFor(
      () =>
        queryNumber(
          stack.databaseUrl,
          `SELECT count(*)::int AS number FROM audit_log WHERE action = 'request.reject' AND target = $1`,
          [address],
        ),
      { what: `an entry about ${address}` },
    )

  describe('of a browser', () => {
    it('a browser learns that it can sign in there, and what to call the issuer', async () => {
      const { body } = await new Browser(stack.url).get('/v1/session/methods')
      expect(body).toEqual({
        is_required: true,
        api_key: true,
        link: true,
        oidc: true,
        oidc_label: new URL(issuer.url).host,
      })
    })

    it('begins a session, by a page that goes on to where the browser was', async () => {
      const { browser, page } = await signIn(
        'doctor',
        '/v1/session/oidc?return_to=%2Ftasks%3Fstate%3Dfailed%26a%3D%22%3E',
      )
      expect([page.status, page.headers['content-type']]).toEqual([200, 'text/html; charset=utf-8'])
      expect(page.text).toContain('content="0; url=/tasks?state=failed&#38;a=&#34;&#62;"')
      expect(page.text).not.toContain('<script')
      expect(page.headers['content-security-policy']).toBe("default-src 'none'; frame-ancestors 'none'")
      expect(page.headers['set-cookie']).toContainEqual(
        expect.stringMatching(/^mg=[\w-]{43}; Path=\/; Max-Age=43200; HttpOnly; SameSite=Strict$/),
      )
      expect(Object.keys(browser.cookiesOf())).toEqual(['mg'])
      expect((await browser.get('/v1/session')).body).toMatchObject({
        name: 'oidc:doctor',
        method: 'oidc',
        role: 'submitter',
      })
      expect((await browser.get('/v1/me')).body).toMatchObject({ features: { oidc: true } })
      expect((await browser.request('POST', '/v1/predictions', { body: example })).status).toBe(202)
      expect((await browser.get('/v1/audit')).status).toBe(403)
    })

    it('is recorded under one id, which the trail explains', async () => {
      const { browser } = await signIn('anna')
      const { id } = (await browser.get('/v1/me')).body
      const entries = await query<{ action: string }>(
        stack.databaseUrl,
        'SELECT action, target FROM audit_log WHERE api_key_id = $1 ORDER BY id',
        [id],
      )
      expect(entries).toEqual([
        { action: 'oidc.first_use', target: 'oidc:anna' },
        { action: 'session.create', target: expect.any(String) },
      ])
      const token = await issuer.sign({ sub: 'anna', groups: ['mg-admins'] })
      expect((await stack.get('/v1/me', bearer(token))).body).toMatchObject({ id, method: 'token' })
    })

    it('binds a patient to their own data', async () => {
      const { browser } = await signIn('patient')
      expect((await browser.get('/v1/me')).body).toMatchObject({ role: 'viewer', user_id: 7 })
      expect((await browser.get('/v1/users/8/health-metrics')).status).toBe(403)
      const [created] = await query<{ details: object }>(
        stack.databaseUrl,
        `SELECT details FROM audit_log WHERE action = 'session.create' ORDER BY id DESC LIMIT 1`,
      )
      expect(created?.details).toEqual({ method: 'oidc', role: 'viewer', person: expect.stringMatching(/^person-/) })
    })

    it('ends with the erasure of the person that it is bound to', async () => {
      const { browser } = await signIn('patient')
      expect((await stack.request('DELETE', '/v1/users/7')).status).toBe(200)
      expect((await browser.get('/v1/me')).status).toBe(401)
    })

    it('is refused without a role', async () => {
      const { browser, page } = await signIn('stranger')
      expect([page.status, page.body['code']]).toEqual([403, 'ACCESS_ROLE_MISSING'])
      expect(browser.cookiesOf()).toEqual({})
    })

    it('asks the issuer for a code, with PKCE, state, nonce and the redirect of PUBLIC_URL', async () => {
      const headers = { host: 'localhost:1', 'x-forwarded-host': 'localhost:2', 'x-forwarded-proto': 'https' }
      const begun = await new Browser(stack.url).get('/v1/session/oidc', headers)
      const url = new URL(begun.headers['location'] ?? '')
      expect(url.origin).toBe(issuer.url)
      expect(Object.fromEntries(url.searchParams)).toEqual({
        client_id: clientId,
        response_type: 'code',
        redirect_uri: stack.url + callback,
        scope: 'openid',
        state: expect.stringMatching(/^[\w-]{43}$/),
        nonce: expect.stringMatching(/^[\w-]{43}$/),
        code_challenge: expect.stringMatching(/^[\w-]{43}$/),
        code_challenge_method: 'S256',
      })
      expect(begun.headers['set-cookie']).toEqual([
        expect.stringMatching(/^mg-oidc=[\w-]+; Path=\/; Max-Age=600; HttpOnly; SameSite=Lax$/),
      ])
    })

    it('shows no token to the browser', async () => {
      const browser = new Browser(stack.url)
      const back = await signInAtIssuer(browser, 'doctor')
      const page = await browser.get(back, { 'sec-fetch-site': 'cross-site' })
      const seen = [back, page.text, JSON.stringify(page.headers), JSON.stringify(browser.cookiesOf())].join('\n')
      expect(seen).not.toMatch(/eyJ[\w-]+\.[\w-]+\.|access_token|id_token/)
    })

    it.each([
      '//evil.example',
      '/\\evil.example',
      '/%5cevil.example/..//evil.example\\',
      'https://evil.example',
      'evil.example',
      'javascript:alert(1)',
      '/\t/evil.example',
      '/ /evil.example',
      '/\n/evil.example',
      '/a\u00e4',
      `/${'a'.repeat(600)}`,
    ])('leads nowhere else: %j', async (path) => {
      const { status, body } = await new Browser(stack.url).get(
        `/v1/session/oidc?return_to=${encodeURIComponent(path)}`,
      )
      expect([status, body['code']]).toEqual([422, 'REQUEST_INVALID'])
      expect(JSON.stringify(body)).not.toContain('evil')
    })

    it('leads nowhere else with a cookie that someone has put there', async () => {
      const browser = new Browser(stack.url)
      const back = await signInAtIssuer(browser, 'doctor')
      const kept = JSON.parse(Buffer.from(browser.cookiesOf()['mg-oidc'] ?? '', 'base64url').toString()) as object
      const changed = JSON.stringify({ ...kept, path: '//evil.example' })
      browser.setCookie('mg-oidc', Buffer.from(changed).toString('base64url'))
      const { status, body } = await browser.get(back)
      expect([status, body['code']]).toEqual([401, 'ACCESS_SIGN_IN_FAILED'])
    })

    describe('shows a person a page when it fails', () => {
      const accept = 'text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8'
      const marker = '%3Cb%3Emarked%22'

      it.each([
        ['of a callback that nobody began', `${callback}?code=${marker}&state=${marker}&error=${marker}`, 401],
        ['of a parameter that is not known', `/v1/session/oidc?colour=${marker}`, 422],
      ])('%s', async (_, path, status) => {
        const page = await new Browser(stack.url).get(path, { accept, 'x-forwarded-for': '192.0.2.80' })
        expect([page.status, page.headers['content-type']]).toEqual([status, 'text/html; charset=utf-8'])
        expect(page.text).toMatch(/^<!doctype html>/)
        expect(page.text).toContain('You are not signed in')
        expect(page.text).toContain('<a href="/">')
        expect(page.text).toContain(`<code>${String(page.headers['x-request-id'])}</code>`)
        expect(page.text).not.toMatch(/marked|colour|<script|<style|style=|\son\w+=/)
        expect(page.headers['content-security-policy']).toBe("default-src 'none'; frame-ancestors 'none'")
        const program = await new Browser(stack.url).get(path, { accept: '*/*', 'x-forwarded-for': '192.0.2.80' })
        expect([program.status, program.headers['content-type']]).toEqual([
          status,
          'application/problem+json; charset=utf-8',
        ])
      })

      it('of an account without a role, with what to do', async () => {
        const browser = new Browser(stack.url)
        const back = await signInAtIssuer(browser, 'stranger')
        const page = await browser.get(back, { accept, 'sec-fetch-site': 'cross-site' })
        expect(page.status).toBe(403)
        expect(page.text).toContain('<p>Your account has no role here. Ask your administrator for one.</p>')
        expect(browser.cookiesOf()).toEqual({})
      })
    })

    describe('fails, with an entry in the audit trail, when the way back', () => {
      const failsFrom = async (address: string, browser: Browser, url: string) => {
        const headers = { 'x-forwarded-for': address, 'sec-fetch-site': 'cross-site' }
        const { status, body, headers: received } = await browser.get(url, headers)
        expect([status, body['code']]).toEqual([401, 'ACCESS_SIGN_IN_FAILED'])
        expect(JSON.stringify(body)).not.toMatch(/state|nonce|code=|invalid_grant/)
        expect(received['set-cookie']?.filter((line) => line.startsWith('mg='))).toEqual([])
        await rejection(address)
      }

      it('was begun by someone else (login CSRF)', async () => {
        const back = await signInAtIssuer(new Browser(stack.url), 'doctor')
        await failsFrom('192.0.2.1', new Browser(stack.url), back)
        const victim = new Browser(stack.url)
        await victim.get('/v1/session/oidc')
        await failsFrom('192.0.2.2', victim, back)
      })

      it('is taken twice', async () => {
        const { browser, back } = await signIn('doctor')
        await failsFrom('192.0.2.3', browser, back)
      })

      it('has a code that was used', async () => {
        const browser = new Browser(stack.url)
        const back = await signInAtIssuer(browser, 'doctor')
        const kept = browser.cookiesOf()['mg-oidc'] ?? ''
        expect((await browser.get(back)).status).toBe(200)
        browser.setCookie('mg-oidc', kept)
        await failsFrom('192.0.2.4', browser, back)
      })

      it.each([
        ['192.0.2.5', 'no state', (url: URL) => url.searchParams.delete('state')],
        ['192.0.2.6', 'another state', (url: URL) => url.searchParams.set('state', 'other')],
        ['192.0.2.7', 'no code', (url: URL) => url.searchParams.delete('code')],
        ['192.0.2.8', 'another code', (url: URL) => url.searchParams.set('code', 'other')],
        ['192.0.2.9', 'another issuer', (url: URL) => url.searchParams.set('iss', 'https://evil.example')],
        ['192.0.2.10', 'an error of the issuer', (url: URL) => url.searchParams.set('error', 'access_denied')],
      ])('from %s has %s', async (address, _, change) => {
        const browser = new Browser(stack.url)
        const url = new URL(await signInAtIssuer(browser, 'doctor'))
        change(url)
        await failsFrom(address, browser, url.href)
      })

      it.each(['garbage', 'e30', Buffer.from('{"state":1}').toString('base64url'), 'A'.repeat(4_000)])(
        'comes with a cookie that is none of ours: %s',
        async (cookie) => {
          const browser = new Browser(stack.url)
          browser.setCookie('mg-oidc', cookie)
          const { status, body } = await browser.get(`${callback}?code=a&state=b`)
          expect([status, body['code']]).toEqual([401, 'ACCESS_SIGN_IN_FAILED'])
        },
      )
    })

    it('is limited by address', async () => {
      const statuses = new Set<number>()
      const headers = { 'x-forwarded-for': '192.0.2.77' }
      for (let count = 0; count < 210; count += 1)
        statuses.add((await new Browser(stack.url).get(`${callback}?code=a&state=b`, headers)).status)
      expect([...statuses]).toEqual([401, 429])
    })
  })

  describe('of services, with access tokens', () => {
    it('lets them work within their role', async () => {
      const headers = bearer(await issuer.fetchToken())
      expect((await stack.post('/v1/predictions', example, headers)).status).toBe(202)
      expect((await stack.get('/v1/audit', headers)).status).toBe(403)
      expect((await stack.get('/v1/me', headers)).body).toMatchObject({
        name: 'oidc:memoryguard-service',
        role: 'submitter',
      })
    })

    it('names them as the submitter of a task', async () => {
      const headers = bearer(await issuer.sign({ sub: 'submitter' }))
      const { body } = await stack.post('/v1/predictions', example, headers)
      const { id } = (await stack.get('/v1/me', headers)).body
      const count = 'SELECT count(*)::int AS number FROM tasks WHERE id = $1 AND submitted_by = $2'
      expect(await queryNumber(stack.databaseUrl, count, [body['task_id'], id])).toBe(1)
    })

    it('is refused without a role, or with a token for others; the trail has both', async () => {
      const stranger = { ...bearer(await issuer.sign({ groups: ['others'] })), 'x-forwarded-for': '192.0.2.20' }
      const first = await stack.get('/v1/me', stranger)
      expect([first.status, first.body['code']]).toEqual([403, 'ACCESS_ROLE_MISSING'])
      const other = { ...bearer(await issuer.sign({ aud: 'other' })), 'x-forwarded-for': '192.0.2.21' }
      const second = await stack.get('/v1/me', other)
      expect([second.status, second.body['code']]).toEqual([401, 'ACCESS_TOKEN_INVALID'])
      expect(second.text).not.toMatch(/aud|other|claim/)
      await rejection('192.0.2.20')
      await rejection('192.0.2.21')
    })

    it('does not make sessions', async () => {
      const token = await issuer.sign({})
      const { status } = await new Browser(stack.url).request('POST', '/v1/session', { headers: bearer(token) })
      expect(status).toBe(401)
      expect((await stack.request('POST', '/v1/session/link', undefined, bearer(token))).status).toBe(403)
    })
  })

  it('an issuer that is down is told apart from a wrong token, and keys work on', async () => {
    const port = await findFreePort('127.0.0.1')
    const publicUrl = `http://127.0.0.1:${port}`
    const silent = await startIssuer()
    const token = await silent.sign({})
    await silent.stop()
    const program = stack.run('api', { ...silent.settings(publicUrl), PORT: String(port) })
    await waitFor(async () => (await fetch(`${publicUrl}/readyz`).catch(() => undefined))?.ok ?? false, {
      what: 'the api',
    })
    const get = async (path: string, headers = {}) => {
      const { status, body, headers: received } = await new Browser(publicUrl).get(path, headers)
      return [status, body['code'], received['retry-after']]
    }
    expect(await get('/v1/me', bearer(token))).toEqual([503, 'OIDC_UNAVAILABLE', '2'])
    expect(await get('/v1/session/oidc')).toEqual([503, 'OIDC_UNAVAILABLE', '2'])
    expect((await get('/v1/me', bearer(stack.key)))[0]).toBe(200)
    await program.kill('SIGTERM')
  })

  describe('behind a proxy for https', () => {
    const headers = { host: 'memoryguard.example.org' }
    let secure: string
    beforeAll(async () => {
      const port = await findFreePort('127.0.0.1')
      secure = `http://127.0.0.1:${port}`
      stack.run('api', { ...issuer.settings('https://memoryguard.example.org/mg'), PORT: String(port) })
      await waitFor(async () => (await fetch(`${secure}/readyz`).catch(() => undefined))?.ok ?? false, {
        what: 'the api',
      })
    })

    it('cookies are secure and tied to the host, and others are not read', async () => {
      const origin = 'https://memoryguard.example.org'
      const browser = new Browser(secure)
      const page = { headers: { ...headers, origin, 'sec-fetch-site': null }, body: { api_key: stack.key } }
      const { status, headers: received } = await browser.request('POST', '/v1/session', page)
      expect(status).toBe(201)
      expect(received['location']).toBe(`${origin}/mg/v1/session`)
      expect(received['set-cookie']).toEqual([
        expect.stringMatching(/^__Host-mg=[\w-]{43}; Path=\/; Max-Age=43200; HttpOnly; SameSite=Strict; Secure$/),
      ])
      expect((await browser.get('/v1/me', headers)).status).toBe(200)
      const other = new Browser(secure)
      other.setCookie('mg', browser.cookiesOf()['__Host-mg'] ?? '')
      const { status: refused, body } = await other.get('/v1/me', headers)
      expect([refused, body['code']]).toEqual([401, 'ACCESS_KEY_MISSING'])
    })

    it('the issuer leads back to the public URL', async () => {
      const begun = await new Browser(secure).get('/v1/session/oidc', headers)
      const url = new URL(begun.headers['location'] ?? '')
      expect(url.searchParams.get('redirect_uri')).toBe(`https://memoryguard.example.org/mg${callback}`)
      expect(begun.headers['set-cookie']).toEqual([expect.stringMatching(/^__Host-mg-oidc=.*; Secure$/)])
    })
  })
})
