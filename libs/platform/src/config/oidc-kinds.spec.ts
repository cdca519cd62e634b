import { describe, expect, it } from 'vitest'
import { loadConfig } from './load-config.js'
import { printableConfig } from './print-config.js'

const tokens = {
  OIDC_ISSUER: 'https://login.example.org/realms/clinic',
  OIDC_AUDIENCE: 'memoryguard',
  OIDC_ROLE_MAP: 'mg-admins=admin, a=b=viewer,mg-patients=viewer:bound',
  OIDC_USER_CLAIM: 'person',
}
const browsers = { ...tokens, OIDC_CLIENT_ID: 'console', PUBLIC_URL: 'https://memoryguard.example.org' }

describe('settings of OIDC', () => {
  it('are off by default', () => {
    expect(loadConfig({}).oidc).toBeUndefined()
    expect(loadConfig({}).sessions).toEqual({ idleSeconds: 1_800, maxSeconds: 43_200 })
  })

  it('map values of a claim to roles', () => {
    const { oidc } = loadConfig({ ...browsers, OIDC_CLIENT_SECRET: 'canary' })
    expect(oidc).toMatchObject({
      issuer: tokens.OIDC_ISSUER,
      scopes: 'openid',
      roleClaim: 'roles',
      clientSecret: 'canary',
    })
    expect([...(oidc?.roleMap ?? [])]).toEqual([
      ['mg-admins', { role: 'admin', isBound: false }],
      ['a=b', { role: 'viewer', isBound: false }],
      ['mg-patients', { role: 'viewer', isBound: true }],
    ])
  })

  it('are printed without the secret', () => {
    const printed = printableConfig({ ...browsers, OIDC_CLIENT_SECRET: 'canary' })
    expect(printed).toMatchObject({
      OIDC_ROLE_MAP: 'mg-admins=admin,a=b=viewer,mg-patients=viewer:bound',
      OIDC_CLIENT_SECRET: '********',
    })
  })

  it.each(['http://127.0.0.1:8080/realms/a', 'http://localhost:9000', 'http://[::1]:1', 'https://h/a/'])(
    'take the issuer %s',
    (issuer) => {
      expect(loadConfig({ ...tokens, OIDC_ISSUER: issuer }).oidc?.issuer).toBe(issuer)
    },
  )

  it.each([
    ['an issuer over plain http', 'OIDC_ISSUER', { ...tokens, OIDC_ISSUER: 'http://login.example.org' }],
    [
      'an issuer whose name begins as a loopback one',
      'OIDC_ISSUER',
      { ...tokens, OIDC_ISSUER: 'http://127.0.0.1.a.org' },
    ],
    ['an issuer with a query', 'OIDC_ISSUER', { ...tokens, OIDC_ISSUER: 'https://h/?a' }],
    ['no text of an issuer', 'OIDC_ISSUER', { ...tokens, OIDC_ISSUER: 'login' }],
    ['no roles', 'OIDC_ROLE_MAP', { ...tokens, OIDC_ROLE_MAP: '' }],
    ['an unknown role', 'OIDC_ROLE_MAP', { ...tokens, OIDC_ROLE_MAP: 'a=root' }],
    ['a value without a role', 'OIDC_ROLE_MAP', { ...tokens, OIDC_ROLE_MAP: 'admin' }],
    ['a role without a value', 'OIDC_ROLE_MAP', { ...tokens, OIDC_ROLE_MAP: '=admin' }],
    ['a value twice', 'OIDC_ROLE_MAP', { ...tokens, OIDC_ROLE_MAP: 'a=viewer,a=admin' }],
    ['a bound administrator', 'OIDC_ROLE_MAP', { ...tokens, OIDC_ROLE_MAP: 'a=admin:bound' }],
    ['another suffix', 'OIDC_ROLE_MAP', { ...tokens, OIDC_ROLE_MAP: 'a=viewer:bound:bound' }],
    ['a bound role without a claim', 'OIDC_USER_CLAIM', { ...tokens, OIDC_USER_CLAIM: '' }],
    ['a claim without a bound role', 'OIDC_USER_CLAIM', { ...tokens, OIDC_ROLE_MAP: 'a=viewer' }],
    ['neither audience nor client', 'OIDC_AUDIENCE', { ...tokens, OIDC_AUDIENCE: '' }],
    ['a client without a public URL', 'PUBLIC_URL', { ...browsers, PUBLIC_URL: '' }],
    ['a secret without a client', 'OIDC_CLIENT_ID', { ...tokens, OIDC_CLIENT_SECRET: 'canary' }],
    ['no issuer', 'OIDC_AUDIENCE', { OIDC_AUDIENCE: 'a' }],
    ['scopes without openid', 'OIDC_SCOPES', { ...browsers, OIDC_SCOPES: 'profile email' }],
    ['scopes with a comma', 'OIDC_SCOPES', { ...browsers, OIDC_SCOPES: 'openid "' }],
    ['a host with a port', 'ALLOWED_HOSTS', { ALLOWED_HOSTS: 'a.example.org:3000' }],
    ['a host with a scheme', 'ALLOWED_HOSTS', { ALLOWED_HOSTS: 'https://a.example.org' }],
    ['any host', 'ALLOWED_HOSTS', { ALLOWED_HOSTS: '*' }],
  ])('are rejected with %s', (_, pointer, env) => {
    const load = () => loadConfig(env)
    expect(load).toThrow(expect.objectContaining({ code: 'CONFIG_INVALID' }))
    expect(load).toThrow(new RegExp(`${pointer}: `))
    expect(load).not.toThrow(/canary/)
  })
})
