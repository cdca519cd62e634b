import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import { findFreePort } from '#libs/platform'
import { exportJWK, generateKeyPair, importJWK, SignJWT, type CryptoKey, type JWK, type JWTPayload } from 'jose'
import { Provider, type Configuration } from 'oidc-provider'

export const clientId = 'memoryguard-console'
export const serviceId = 'memoryguard-service'
export const audience = 'https://memoryguard.example.org/api'
const secret = 'a-secret-of-the-tests'

/** Algorithms that the issuer has a key for; each has the name of the key. */
type Algorithm = 'RS256' | 'PS256' | 'ES256' | 'EdDSA'

/** Name of a key that is published without its algorithm, so that it fits several. */
const openKey = 'open'

/** A real OIDC issuer on a free port of 127.0.0.1, whose people and services have the given claims. */
export interface TestIssuer {
  readonly url: string
  /** Settings of an api that accepts its tokens and, with a `publicUrl`, its sign-ins. */
  settings(publicUrl?: string): Record<string, string>
  /** An access token of the issuer by the client credentials grant. */
  fetchToken(): Promise<string>
  /** A token with its key, as an attacker who has none cannot make. */
  sign(claims: JWTPayload, header?: { alg?: Algorithm; typ?: string; kid?: string }): Promise<string>
  /** The same with the open key, by another algorithm for RSA. */
  signOpenly(alg: string): Promise<string>
  /** How often the keys were read. */
  readonly keyReads: number
  /** Adds a key, as a rotation does. */
  addKey(kid: string): Promise<(claims: JWTPayload) => Promise<string>>
  stop(): Promise<void>
  /** Serves again after `stop`. */
  start(): Promise<void>
}

interface IssuerOptions {
  /** Claims of each person by their subject, who signs in with any password. */
  readonly people?: Readonly<Record<string, Readonly<Record<string, unknown>>>>
  readonly redirectUri?: string
}

const configuration = ({ people = {}, redirectUri }: IssuerOptions, jwks: readonly JWK[]): Configuration => ({
  jwks: { keys: [...jwks] },
  clients: [
    {
      client_id: clientId,
      client_secret: secret,
      redirect_uris: redirectUri === undefined ? ['http://127.0.0.1/unused'] : [redirectUri],
    },
    {
      client_id: serviceId,
      client_secret: secret,
      grant_types: ['client_credentials'],
      redirect_uris: [],
      response_types: [],
    },
  ],
  claims: { openid: ['sub', 'groups', 'person'] },
  conformIdTokenClaims: false,
  findAccount: (_context, accountId) => ({
    accountId,
    claims: () => ({ sub: accountId, ...people[accountId] }),
  }),
  features: {
    clientCredentials: { enabled: true },
    resourceIndicators: {
      enabled: true,
      defaultResource: () => audience,
      getResourceServerInfo: () => ({ scope: 'api', audience, accessTokenFormat: 'jwt', accessTokenTTL: 300 }),
    },
  },
  extraTokenClaims: (_context, token) => (token.kind === 'ClientCredentials' ? { groups: ['mg-services'] } : {}),
})

/** Adds the claims that every token needs to be valid for five minutes. */
const withDefaults = (issuer: string, claims: JWTPayload): JWTPayload => {
  const now = Math.floor(Date.now() / 1000)
  return { iss: issuer, aud: audience, sub: 'somebody', iat: now, exp: now + 300, groups: ['mg-doctors'], ...claims }
}

export const startIssuer = async (options: IssuerOptions = {}): Promise<TestIssuer> => {
  const port = await findFreePort('127.0.0.1')
  const url = `http://127.0.0.1:${port}`
  const keys = new Map<string, CryptoKey>()
  const jwks: JWK[] = []
  for (const [kid, alg] of [
    ['RS256', 'RS256'],
    ['PS256', 'PS256'],
    ['ES256', 'ES256'],
    ['EdDSA', 'EdDSA'],
  ] as const) {
    const { privateKey } = await generateKeyPair(alg, { extractable: true })
    keys.set(kid, privateKey)
    jwks.push({ ...(await exportJWK(privateKey)), kid, alg, use: 'sig' })
  }
  const { privateKey: open } = await generateKeyPair('RS256', { extractable: true })
  const openJwk = await exportJWK(open)
  let keyReads = 0
  let added: JWK[] = []
  const provider = new Provider(url, configuration(options, jwks))
  const handle = provider.callback()
  let server: Server
  const start = async () => {
    server = createServer((request, response) => {
      if (request.url === '/jwks') {
        keyReads += 1
        response.setHeader('content-type', 'application/jwk-set+json')
        return void response.end(
          JSON.stringify({ keys: [...jwks.map(publicPart), publicPart({ ...openJwk, kid: openKey }), ...added] }),
        )
      }
      return void handle(request, response)
    }).listen(port, '127.0.0.1')
    await once(server, 'listening')
  }
  await start()
  return {
    url,
    settings: (publicUrl) => ({
      OIDC_ISSUER: url,
      OIDC_AUDIENCE: audience,
      OIDC_ROLE_CLAIM: 'groups',
      OIDC_ROLE_MAP:
        'mg-admins=admin,mg-operators=operator,mg-doctors=submitter,mg-services=submitter,mg-readers=viewer,mg-patients=viewer:bound',
      OIDC_USER_CLAIM: 'person',
      ...(publicUrl !== undefined && {
        PUBLIC_URL: publicUrl,
        OIDC_CLIENT_ID: clientId,
        OIDC_CLIENT_SECRET: secret,
      }),
    }),
    fetchToken: async () => {
      const response = await fetch(`${url}/token`, {
        method: 'POST',
        headers: { authorization: `Basic ${Buffer.from(`${serviceId}:${secret}`).toString('base64')}` },
        body: new URLSearchParams({ grant_type: 'client_credentials' }),
      })
      const { access_token: token } = (await response.json()) as { access_token: string }
      return token
    },
    sign: async (claims, { alg = 'RS256', typ = 'at+jwt', kid = alg } = {}) =>
      new SignJWT(withDefaults(url, claims)).setProtectedHeader({ alg, typ, kid }).sign(keys.get(alg) as CryptoKey),
    signOpenly: async (alg) =>
      new SignJWT(withDefaults(url, {}))
        .setProtectedHeader({ alg, typ: 'at+jwt', kid: openKey })
        .sign(await importJWK(openJwk, alg)),
    get keyReads() {
      return keyReads
    },
    addKey: async (kid) => {
      const { privateKey } = await generateKeyPair('ES256', { extractable: true })
      added = [...added, publicPart({ ...(await exportJWK(privateKey)), kid, alg: 'ES256', use: 'sig' })]
      return (claims) =>
        new SignJWT(withDefaults(url, claims)).setProtectedHeader({ alg: 'ES256', typ: 'at+jwt', kid }).sign(privateKey)
    },
    stop: async () => {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
    start,
  }
}

const publicPart = ({ d: _d, p: _p, q: _q, dp: _dp, dq: _dq, qi: _qi, ...key }: JWK): JWK => key
