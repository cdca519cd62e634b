import type { SessionHolder } from '#libs/database'
import { CONFIG, MemoryGuardError, type Config, type OidcConfig } from '#libs/platform'
import { Inject, Injectable } from '@nestjs/common'
import type * as OpenIdClient from 'openid-client'
import { z } from 'zod'
import { AccessTokens } from './access-tokens.js'
import { callerOfClaims, isSubject, type Claims } from './oidc-claims.js'
import { issuerUnavailable, OidcIssuer } from './oidc-issuer.js'
import { localPath } from './return-path.js'

/** Where the issuer sends the browser back to, below `PUBLIC_URL`. */
export const callbackPath = '/v1/session/oidc/callback'

/** What the browser keeps between the redirect to the issuer and the way back: it binds the two to each other. */
const transaction = z.strictObject({ state: z.string(), nonce: z.string(), verifier: z.string(), path: localPath })

type Transaction = z.infer<typeof transaction>

/** Errors of the token endpoint that are about the code, and so about the browser. */
const codeErrors = ['invalid_grant', 'access_denied']

/** Codes of `openid-client` for responses and tokens that do not fit the sign-in. */
const rejections = new Set([
  'OAUTH_JWT_CLAIM_COMPARISON_FAILED',
  'OAUTH_JWT_TIMESTAMP_CHECK_FAILED',
  'OAUTH_INVALID_RESPONSE',
  'OAUTH_AUTHORIZATION_RESPONSE_ERROR',
  'OAUTH_KEY_SELECTION_FAILED',
])

/** Sign-in of a browser at an OIDC issuer: authorization code with PKCE, state and nonce. */
@Injectable()
export class OidcSignIn {
  constructor(
    private readonly issuer: OidcIssuer,
    private readonly tokens: AccessTokens,
    @Inject(CONFIG) private readonly config: Config,
  ) {}

  /** Whether browsers can sign in at the issuer. */
  get isConfigured(): boolean {
    return this.config.oidc?.clientId !== undefined
  }

  /** What people know the issuer by; null if browsers cannot sign in there. */
  get label(): string | null {
    return this.isConfigured ? this.oidc.label : null
  }

  /**
   * Where the browser is sent, and what it keeps meanwhile.
   * @throws {MemoryGuardError} OIDC_UNAVAILABLE
   */
  async begin(path: string): Promise<{ readonly url: string; readonly kept: string }> {
    const { library, client } = await this.issuer.discover()
    const verifier = library.randomPKCECodeVerifier()
    const kept: Transaction = { state: library.randomState(), nonce: library.randomNonce(), verifier, path }
    const url = library.buildAuthorizationUrl(client, {
      redirect_uri: this.callbackUrl,
      scope: this.oidc.scopes,
      state: kept.state,
      nonce: kept.nonce,
      code_challenge: await library.calculatePKCECodeChallenge(verifier),
      code_challenge_method: 'S256',
    })
    return { url: url.href, kept: Buffer.from(JSON.stringify(kept)).toString('base64url') }
  }

  /**
   * Who has signed in, and the path to go on to.
   * @param search The query of the request that the issuer has sent the browser with.
   * @param kept What the browser has kept.
   * @throws {MemoryGuardError} ACCESS_SIGN_IN_FAILED, ACCESS_ROLE_MISSING, OIDC_UNAVAILABLE
   */
  async finish(
    search: string,
    kept: string | undefined,
  ): Promise<{ readonly holder: SessionHolder; readonly path: string }> {
    const begun = readTransaction(kept)
    if (!begun) throw failed()
    const claims = await this.redeem(new URL(this.callbackUrl + search), begun)
    const { sub: subject } = claims
    if (!isSubject(subject)) throw failed()
    const { id, ...caller } = callerOfClaims(claims, subject, this.oidc)
    await this.tokens.note(id, { issuer: this.oidc.issuer, subject })
    return { holder: { ...caller, principalId: id, method: 'oidc' }, path: begun.path }
  }

  /** Exchanges the code for the ID token, whose content is returned; the tokens are not kept. */
  private async redeem(url: URL, { state, nonce, verifier }: Transaction): Promise<Claims> {
    const { library, client } = await this.issuer.discover()
    try {
      const tokens = await library.authorizationCodeGrant(client, url, {
        expectedState: state,
        expectedNonce: nonce,
        pkceCodeVerifier: verifier,
        idTokenExpected: true,
      })
      return { ...tokens.claims() }
    } catch (error) {
      this.issuer.noteFailure(error, 'sign-in at the OIDC issuer not completed')
      throw isRejection(error, library) ? failed(error) : issuerUnavailable(error)
    }
  }

  private get oidc(): OidcConfig {
    const { oidc } = this.config
    if (!oidc) throw new Error('OIDC is not configured')
    return oidc
  }

  /** Never from the request: a forged `Host` would send the code elsewhere. */
  private get callbackUrl(): string {
    return `${this.config.http.publicUrl}${callbackPath}`
  }
}

/** Nothing of the cause, which could help an attacker: it is in the log. */
const failed = (cause?: unknown): MemoryGuardError =>
  new MemoryGuardError('ACCESS_SIGN_IN_FAILED', 'The sign-in was not completed. Start it again.', { cause })

const readTransaction = (kept: string | undefined): Transaction | undefined => {
  if (kept === undefined) return undefined
  try {
    return transaction.safeParse(JSON.parse(Buffer.from(kept, 'base64url').toString())).data
  } catch {
    // Not JSON: no cookie of ours.
    return undefined
  }
}

/** Whether it is about this sign-in, and not about the issuer or how it is configured. */
const isRejection = (error: unknown, library: typeof OpenIdClient): boolean => {
  if (error instanceof library.AuthorizationResponseError) return true
  if (error instanceof library.ResponseBodyError) return codeErrors.includes(error.error)
  return error instanceof library.ClientError && error.code !== undefined && rejections.has(error.code)
}
