import { readFileSync } from 'node:fs'
import { findFreePort } from '#libs/platform'
import { UnsecuredJWT } from 'jose'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { Browser } from '../support/browser.js'
import { audience, startIssuer, type TestIssuer } from '../support/oidc-issuer.js'
import { insertKey } from '../support/query.js'
import { bearer } from '../support/requests.js'
import { routeRules, type RouteRule } from '../support/route-rules.js'
import { startStack, type Stack } from '../support/stack.js'

type Headers = Readonly<Record<string, string>>
type Role = (typeof roles)[number]

const roles = ['viewer', 'submitter', 'operator', 'admin'] as const
/** The person of bound callers, and another one. */
const [own, other] = [7, 987_654]
const samePage = { 'sec-fetch-site': 'same-origin' }
const otherSite = { 'sec-fetch-site': 'cross-site' }
const uuid = '0198c0de-0000-7000-8000-000000000000'

/** One way to send a request, and what becomes of it. */
interface Principal {
  /** Made anew for each request: one of them ends its session. */
  readonly headers: () => Headers | Promise<Headers>
  /** Undefined: nobody is found, and the request is rejected with `code`. */
  readonly role?: Role
  readonly code?: string
  readonly isBound?: true
  readonly method?: 'key' | 'token' | 'session'
}

const document = JSON.parse(readFileSync(new URL('../../apps/api/openapi.json', import.meta.url), 'utf8')) as {
  readonly paths: Readonly<Record<string, Readonly<Record<string, unknown>>>>
}
const routes = [
  ...Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.keys(methods).map((method) => `${method.toUpperCase()} ${path}`),
  ),
  'GET /docs',
  'GET /openapi.json',
]

/** Values of parameters for which there is nothing, so that what is allowed changes nothing. */
const fill = (path: string, person: number): string =>
  path
    .replace('{user_id}', String(person))
    .replace(/(predictions|health-metrics)\/\{id\}/, '$1/999999999')
    .replace('{queue}', 'nowhere')
    .replace('{command}', 'ping')
    .replace('{version}', '1')
    .replace('{name}', 'nobody')
    .replaceAll(/\{\w+\}/g, uuid)

/** Bodies where one is read before the person of the path. */
const bodies: Readonly<Record<string, object>> = {
  'POST /v1/users/{user_id}/health-metrics': {
    recorded_at: '2026-01-31T12:00:00Z',
    health_metrics: { mmse_score: 24 },
  },
}

const isUnsafe = (route: string): boolean => !route.startsWith('GET ')

describe('every route, as everyone', () => {
  let stack: Stack
  let issuer: TestIssuer
  beforeAll(async () => {
    const port = await findFreePort('127.0.0.1')
    const publicUrl = `http://127.0.0.1:${port}`
    issuer = await startIssuer({ redirectUri: `${publicUrl}/v1/session/oidc/callback` })
    const env = {
      ...issuer.settings(publicUrl),
      RATE_LIMIT_WRONG_KEYS_PER_MINUTE: '0',
      RATE_LIMIT_STREAMS_PER_KEY: '1000',
    }
    stack = await startStack({ broker: 'postgres', workers: 0, port, env })
  })
  afterAll(async () => {
    await stack.stop()
    await issuer.stop()
  })

  const keys = new Map<string, string>()
  const keyOf = async (role: Role, userId?: number, more = {}): Promise<string> => {
    // The erasure of a person, which is tried too, takes their keys with it.
    if (userId !== undefined) return insertKey(stack.databaseUrl, { role, userId })
    const name = JSON.stringify([role, more])
    const key = keys.get(name) ?? (await insertKey(stack.databaseUrl, { role, ...more }))
    keys.set(name, key)
    return key
  }
  const cookieOf = async (role: Role, userId?: number): Promise<Headers> => {
    const browser = new Browser(stack.url)
    await browser.request('POST', '/v1/session', { body: { api_key: await keyOf(role, userId) } })
    return { cookie: `mg=${browser.cookiesOf()['mg']}` }
  }
  const token = async (...given: Parameters<TestIssuer['sign']>) => bearer(await issuer.sign(...given))
  const groupOf = {
    viewer: 'mg-readers',
    submitter: 'mg-doctors',
    operator: 'mg-operators',
    admin: 'mg-admins',
  } as const
  const past = new Date(Date.now() - 60_000)
  const now = Math.floor(Date.now() / 1000)

  const principals: Readonly<Record<string, Principal>> = {
    nobody: { headers: () => ({}), code: 'ACCESS_KEY_MISSING' },
    'nobody, on a page of the server': { headers: () => samePage, code: 'ACCESS_KEY_MISSING' },
    'another scheme': { headers: () => ({ authorization: 'Basic YTpi' }), code: 'ACCESS_KEY_MISSING' },
    'a cookie of others': { headers: () => ({ ...samePage, cookie: 'other=1' }), code: 'ACCESS_KEY_MISSING' },
    'an unknown key': { headers: () => bearer('mg_unknown'), code: 'ACCESS_KEY_INVALID' },
    'an expired key': {
      headers: async () => bearer(await keyOf('admin', undefined, { expiresAt: past })),
      code: 'ACCESS_KEY_INVALID',
    },
    'a revoked key': {
      headers: async () => bearer(await keyOf('admin', undefined, { revokedAt: past })),
      code: 'ACCESS_KEY_INVALID',
    },
    ...Object.fromEntries(
      roles.flatMap((role): [string, Principal][] => [
        [`a key, ${role}`, { role, method: 'key', headers: async () => bearer(await keyOf(role)) }],
        [
          `a session, ${role}`,
          { role, method: 'session', headers: async () => ({ ...samePage, ...(await cookieOf(role)) }) },
        ],
        [`a token, ${role}`, { role, method: 'token', headers: () => token({ groups: [groupOf[role]] }) }],
      ]),
    ),
    ...Object.fromEntries(
      (['viewer', 'submitter'] as const).map((role): [string, Principal] => [
        `a bound key, ${role}`,
        { role, method: 'key', isBound: true, headers: async () => bearer(await keyOf(role, own)) },
      ]),
    ),
    'a bound session': {
      role: 'submitter',
      method: 'session',
      isBound: true,
      headers: async () => ({ ...samePage, ...(await cookieOf('submitter', own)) }),
    },
    'a bound token': {
      role: 'viewer',
      method: 'token',
      isBound: true,
      headers: () => token({ groups: ['mg-patients'], person: own }),
    },
    'a session from another site': {
      role: 'admin',
      method: 'session',
      headers: async () => ({ ...otherSite, ...(await cookieOf('admin')) }),
    },
    'a session without headers of a browser': { role: 'admin', method: 'session', headers: () => cookieOf('admin') },
    'a session under another host name': {
      headers: async () => ({ ...samePage, host: 'rebound.example', ...(await cookieOf('admin')) }),
      code: 'ACCESS_HOST_REJECTED',
    },
    'an unknown session': { headers: () => ({ ...samePage, cookie: 'mg=unknown' }), code: 'ACCESS_SESSION_INVALID' },
    'a token without a role': { headers: () => token({ groups: ['others'] }), code: 'ACCESS_ROLE_MISSING' },
    'a token for another audience': { headers: () => token({ aud: 'other' }), code: 'ACCESS_TOKEN_INVALID' },
    'a token of another issuer': { headers: () => token({ iss: 'https://other' }), code: 'ACCESS_TOKEN_INVALID' },
    'an expired token': { headers: () => token({ exp: now - 300 }), code: 'ACCESS_TOKEN_INVALID' },
    'an ID token': { headers: () => token({ nonce: 'n' }, { typ: 'JWT' }), code: 'ACCESS_TOKEN_INVALID' },
    'a token without a signature': {
      headers: () => {
        const claims = { iss: issuer.url, aud: audience, sub: 'evil', groups: ['mg-admins'], exp: now + 900 }
        return bearer(new UnsecuredJWT(claims).encode())
      },
      code: 'ACCESS_TOKEN_INVALID',
    },
  }

  /** Error code of the rejection; undefined where the caller is let in. The one place that says who may what. */
  const expectedCode = (route: string, rule: RouteRule, principal: Principal, headers: Headers, person: number) => {
    if (rule === 'public') return undefined
    const isOwnPage = headers['sec-fetch-site'] === 'same-origin'
    if (rule === 'sign-in' || rule === 'redirect') {
      if (headers['host']) return 'ACCESS_HOST_REJECTED'
      if (rule === 'sign-in') return isOwnPage ? 'ACCESS_KEY_MISSING' : 'ACCESS_SITE_REJECTED'
      return route.endsWith('callback') ? 'ACCESS_SIGN_IN_FAILED' : undefined
    }
    const { role, code, method, isBound } = principal
    if (headers['cookie']?.startsWith('mg=') && !headers['host'] && isUnsafe(route) && !isOwnPage)
      return 'ACCESS_SITE_REJECTED'
    if (role === undefined) return code
    const [least = ''] = rule === 'owner' ? ['submitter'] : rule === 'key' ? ['viewer'] : rule.split(' ')
    const isAllowed = roles.indexOf(role) >= roles.indexOf(least as Role)
    const isOther = isBound === true && person !== own
    const isForbidden =
      (rule === 'key' && method !== 'key') ||
      (rule === 'owner' && (isBound ? isOther : roles.indexOf(role) < roles.indexOf('operator'))) ||
      (rule.endsWith('of the person') && isOther)
    return isAllowed && !isForbidden ? undefined : 'ACCESS_ROLE_MISSING'
  }

  /** Status and error code of a response, without waiting for the end of a stream. */
  const send = async (route: string, person: number, headers: Headers) => {
    const [method = '', path = ''] = route.split(' ')
    const answer = await new Browser(stack.url).request(method, fill(path, person), {
      headers: { 'sec-fetch-site': null, origin: null, ...headers },
      isStream: true,
      body: bodies[route],
    })
    const { status, body, headers: received } = answer
    return { status, code: body['code'], saysHow: received['www-authenticate'] !== undefined }
  }

  it('has a rule for every route of the document, and no other rule', () => {
    expect([...routeRules.keys()].toSorted()).toEqual(routes.toSorted())
  })

  it.each(Object.entries(principals))('%s', async (_, principal) => {
    const wrong: unknown[] = []
    for (const [route, rule] of routeRules) {
      for (const person of route.includes('{user_id}') ? [other, own] : [own]) {
        const headers = await principal.headers()
        const expected = expectedCode(route, rule, principal, headers, person)
        const seen = await send(route, person, headers)
        const isRejected = seen.status === 401 || seen.status === 403
        const isRight = expected === undefined ? !isRejected && seen.status < 500 : isRejected && seen.code === expected
        if (!isRight || (seen.status === 401) !== seen.saysHow) wrong.push({ route, person, expected, ...seen })
      }
    }
    expect(wrong).toEqual([])
  })
})
