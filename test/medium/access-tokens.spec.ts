import { oidcCallerId } from '#libs/database'
import { exportJWK, generateKeyPair, SignJWT, UnsecuredJWT, type CryptoKey, type JWTPayload } from 'jose'
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest'
import type { AccessTokens } from '../../apps/api/src/access/oidc/access-tokens.js'
import { createCredentialCache } from '../support/credential-cache.js'
import { audience, clientId, startIssuer, type TestIssuer } from '../support/oidc-issuer.js'
import { query } from '../support/query.js'
import { createTestDatabase, type TestDatabase } from '../support/test-database.js'

const minutes = 60
const now = () => Math.floor(Date.now() / 1000)

describe('access tokens of an OIDC issuer', () => {
  let issuer: TestIssuer
  let database: TestDatabase
  let tokens: AccessTokens
  const create = () => createCredentialCache(database)
  beforeAll(async () => {
    issuer = await startIssuer()
    database = await createTestDatabase({ env: issuer.settings('http://127.0.0.1:3000') })
  })
  beforeEach(() => {
    tokens = create().tokens
  })
  afterAll(async () => {
    await issuer.stop()
    await database.drop()
  })

  it('name their caller, whose id is the same everywhere', async () => {
    const principal = await tokens.find(await issuer.fetchToken())
    const id = oidcCallerId({ issuer: issuer.url, subject: 'memoryguard-service' })
    expect(principal).toEqual({
      id,
      name: 'oidc:memoryguard-service',
      role: 'submitter',
      userId: null,
      method: 'token',
    })
    expect(await create().tokens.find(await issuer.fetchToken())).toMatchObject({ id })
    const entries = await query(database.url, `SELECT target, details FROM audit_log WHERE api_key_id = $1`, [id])
    expect(entries).toEqual([{ target: 'oidc:memoryguard-service', details: { issuer: issuer.url } }])
  })

  it.each(['RS256', 'PS256', 'ES256', 'EdDSA'] as const)('are accepted with a signature by %s', async (alg) => {
    expect(await tokens.find(await issuer.sign({}, { alg }))).toMatchObject({ role: 'submitter' })
  })

  it('are rejected with a signature by another algorithm, though the key would fit', async () => {
    for (const alg of ['RS256', 'PS256']) expect(await tokens.find(await issuer.signOpenly(alg))).not.toBeNull()
    for (const alg of ['RS384', 'RS512', 'PS512']) expect(await tokens.find(await issuer.signOpenly(alg))).toBeNull()
  })

  it.each(['at+jwt', 'application/at+jwt', 'JWT', 'jwt'])('are accepted with the type %s', async (typ) => {
    expect(await tokens.find(await issuer.sign({}, { typ }))).toMatchObject({ role: 'submitter' })
  })

  it.each([
    ['the audience among others', { aud: ['other', audience] }, {}],
    ['a clock that is 20 s behind', { exp: now() - 20 }, {}],
    ['a clock that is 20 s ahead', { iat: now() + 20, nbf: now() + 20 }, {}],
  ])('are accepted with %s', async (_, claims, header) => {
    expect(await tokens.find(await issuer.sign(claims, header))).not.toBeNull()
  })

  it.each([
    ['another audience', { aud: 'https://other.example.org' }],
    ['no audience', { aud: undefined }],
    ['another issuer', { iss: 'https://other.example.org' }],
    ['the issuer with a slash', { iss: 'http://127.0.0.1/' }],
    ['an expiry that is over', { exp: now() - 5 * minutes }],
    ['no expiry', { exp: undefined }],
    ['an expiry that is no number', { exp: 'never' }],
    ['no subject', { sub: undefined }],
    ['an empty subject', { sub: '' }],
    ['a subject that is too long', { sub: 'a'.repeat(256) }],
    ['a subject with control characters', { sub: 'a\u001b[31m' }],
    ['a beginning in 5 minutes', { nbf: now() + 5 * minutes }],
    ['an issue in 5 minutes', { iat: now() + 5 * minutes }],
  ])('are rejected with %s', async (_, claims) => {
    expect(await tokens.find(await issuer.sign(claims as JWTPayload))).toBeNull()
  })

  it.each([
    ['a nonce', { nonce: 'n' }, { typ: 'JWT' }],
    ['the hash of an access token', { at_hash: 'h' }, { typ: 'JWT' }],
    ['the client as one of its audiences', { aud: [clientId, audience] }, { typ: 'JWT' }],
    ['the type of Keycloak', { typ: 'ID' }, { typ: 'JWT' }],
  ])('ID tokens are rejected: %s', async (_, claims, header) => {
    expect(await tokens.find(await issuer.sign(claims, header))).toBeNull()
  })

  it.each([
    ['a refresh token of Keycloak', { typ: 'Refresh' }, 'JWT'],
    ['a logout token', {}, 'logout+jwt'],
  ])('other tokens are rejected: %s', async (_, claims, typ) => {
    expect(await tokens.find(await issuer.sign(claims, { typ }))).toBeNull()
  })

  describe('that are forged', () => {
    const claims = () => ({ iss: issuer.url, aud: audience, sub: 'evil', groups: ['mg-admins'], exp: now() + 300 })
    const sign = (key: CryptoKey | Uint8Array, header: { alg: string; kid?: string; jwk?: object; jku?: string }) =>
      new SignJWT(claims()).setProtectedHeader({ typ: 'at+jwt', ...header }).sign(key)

    it('without a signature', async () => {
      const unsigned = new UnsecuredJWT(claims()).encode()
      expect(await tokens.find(unsigned)).toBeNull()
      for (const alg of ['none', 'None', 'NONE']) {
        const header = Buffer.from(JSON.stringify({ alg, typ: 'at+jwt' })).toString('base64url')
        expect(await tokens.find(`${header}.${unsigned.split('.')[1]}.`)).toBeNull()
      }
    })

    it('with the public key as a common secret', async () => {
      const { keys } = (await (await fetch(`${issuer.url}/jwks`)).json()) as { keys: readonly { n?: string }[] }
      for (const text of [JSON.stringify(keys[0]), keys[0]?.n ?? ''])
        expect(await tokens.find(await sign(Buffer.from(text.padEnd(64)), { alg: 'HS256', kid: 'RS256' }))).toBeNull()
    })

    it('with another key, whatever the header says of it', async () => {
      const { privateKey, publicKey } = await generateKeyPair('RS256')
      const jwk = await exportJWK(publicKey)
      for (const more of [{ kid: 'RS256' }, { kid: 'RS256', jwk }, { jku: 'https://evil.example/jwks' }, {}])
        expect(await tokens.find(await sign(privateKey, { alg: 'RS256', ...more }))).toBeNull()
    })

    it('with another content under the signature of a true one', async () => {
      const [header, , signature] = (await issuer.sign({})).split('.')
      const content = Buffer.from(JSON.stringify(claims())).toString('base64url')
      expect(await tokens.find(`${header}.${content}.${signature}`)).toBeNull()
    })

    it.each(['', 'a', 'a.b.c', '..', 'e30.e30.', 'a.b.c.d.e', `${'A'.repeat(8_000)}.b.c`, 'eyJhbGciOiJSUzI1NiJ9..'])(
      'and are no tokens at all: %j',
      async (text) => {
        expect(await tokens.find(text)).toBeNull()
      },
    )
  })

  describe('have their role from a claim', () => {
    const roleOf = async (claims: object) => tokens.find(await issuer.sign(claims as JWTPayload))

    it.each([
      [{ groups: ['mg-readers', 'mg-admins', 'other'] }, { role: 'admin', userId: null }],
      [{ groups: 'mg-readers' }, { role: 'viewer', userId: null }],
      [
        { groups: ['mg-patients'], person: 7 },
        { role: 'viewer', userId: 7 },
      ],
      [
        { groups: ['mg-patients'], person: '7' },
        { role: 'viewer', userId: 7 },
      ],
      [
        { groups: ['mg-patients', 'mg-readers'], person: 7 },
        { role: 'viewer', userId: null },
      ],
    ])('%j', async (claims, expected) => {
      expect(await roleOf(claims)).toMatchObject(expected)
    })

    it.each([
      { groups: [] },
      { groups: undefined },
      { groups: ['other', 'admin', 'MG-ADMINS'] },
      { groups: { 'mg-admins': true } },
      { groups: 1 },
      { groups: ['mg-patients'] },
      { groups: ['mg-patients'], person: 0 },
      { groups: ['mg-patients'], person: '7 or 8' },
      { groups: ['mg-patients'], person: -7 },
      { groups: ['mg-patients'], person: [7] },
    ])('and are refused without one: %j', async (claims) => {
      await expect(roleOf(claims)).rejects.toMatchObject({ code: 'ACCESS_ROLE_MISSING' })
    })
  })

  describe('and the keys of the issuer', () => {
    it('are read once, and once more for an unknown key after half a minute at the earliest', async () => {
      const before = issuer.keyReads
      await tokens.find(await issuer.sign({}))
      for (let count = 0; count < 20; count += 1) {
        expect(await tokens.find(await issuer.sign({ jti: String(count) }, { kid: `unknown-${count}` }))).toBeNull()
      }
      expect(issuer.keyReads - before).toBe(1)
      const sign = await issuer.addKey('rotated')
      expect(await tokens.find(await sign({}))).toBeNull()
      vi.setSystemTime(Date.now() + 31_000)
      try {
        expect(await tokens.find(await sign({}))).toMatchObject({ role: 'submitter' })
        expect(issuer.keyReads - before).toBe(2)
      } finally {
        vi.useRealTimers()
      }
    })

    it('that are known bridge an outage of the issuer; without them the caller is told to try again', async () => {
      const token = await issuer.sign({ exp: now() + 3 * 86_400 })
      const later = await issuer.sign({ exp: now() + 3 * 86_400, jti: 'later' }, { kid: 'unknown' })
      expect(await tokens.find(token)).not.toBeNull()
      await issuer.stop()
      try {
        const { tokens: started } = create()
        await expect(started.find(token)).rejects.toMatchObject({ code: 'OIDC_UNAVAILABLE' })
        vi.setSystemTime(Date.now() + 3_600_000)
        expect(await tokens.find(token)).not.toBeNull()
        expect(await tokens.find(later)).toBeNull()
        vi.setSystemTime(Date.now() + 25 * 3_600_000)
        await expect(tokens.find(token)).rejects.toMatchObject({ code: 'OIDC_UNAVAILABLE' })
        vi.useRealTimers()
        await issuer.start()
        vi.setSystemTime(Date.now() + 10_000)
        expect(await started.find(token)).not.toBeNull()
      } finally {
        vi.useRealTimers()
      }
    })
  })
})
