import { isDatabaseUnavailable, OidcCallerRepository } from '#libs/database'
import { CONFIG, LOGGER, SampledLines, type Config, type Logger, type OidcConfig } from '#libs/platform'
import { Inject, Injectable } from '@nestjs/common'
import type * as Jose from 'jose'
import type { Principal } from '../access.js'
import { IssuerKeys } from './issuer-keys.js'
import { callerOfClaims, isSubject, type Claims } from './oidc-claims.js'
import { OidcIssuer, toleranceSeconds } from './oidc-issuer.js'

/** Signatures by a private key of the issuer; with HMAC everyone who checks a token could make one. */
const algorithms = ['RS256', 'PS256', 'ES256', 'EdDSA']

/** The type of an access token by RFC 9068. Issuers that do not follow it write `JWT` or nothing. */
const accessTokenTypes = ['at+jwt', 'application/at+jwt']
const plainTypes = ['jwt', 'application/jwt']

/** Claims that only ID tokens have: they tell a client who has signed in, and are no permission to use an API. */
const idTokenClaims = ['nonce', 'at_hash', 'c_hash', 's_hash']
/** Values of the claim `typ` by which Keycloak tells its other tokens. */
const otherTokens = new Set(['ID', 'Refresh', 'Offline', 'Logout'])

/** Most log lines about rejected tokens a second. */
const rejectionsPerSecond = 10
/** Beyond this many callers the notes start anew. */
const maxNoted = 10_000

/** The library and the keys of the issuer, from the first token on. */
interface Verifier {
  readonly jose: typeof Jose
  readonly keys: IssuerKeys
}

/** Access tokens of an OIDC issuer (JSON Web Tokens), as services and applications send them. */
@Injectable()
export class AccessTokens {
  /** Callers that were noted in the database. */
  private readonly noted = new Set<string>()
  private verifier: Promise<Verifier> | undefined
  private readonly lines: SampledLines

  constructor(
    private readonly callers: OidcCallerRepository,
    private readonly issuer: OidcIssuer,
    @Inject(CONFIG) private readonly config: Config,
    @Inject(LOGGER) log: Logger,
  ) {
    const furtherMessage = 'further access tokens rejected within a second'
    const perSecond = rejectionsPerSecond
    this.lines = new SampledLines(log, { level: 'info', message: 'access token rejected', perSecond, furtherMessage })
  }

  get areAccepted(): boolean {
    return this.config.oidc?.audience !== undefined
  }

  /**
   * The caller of a token; null if it is not valid here.
   * @throws {MemoryGuardError} ACCESS_ROLE_MISSING for a valid token whose owner has no role; OIDC_UNAVAILABLE.
   */
  async find(token: string): Promise<Principal | null> {
    const { oidc } = this.config
    if (!oidc) return null
    const claims = await this.verify(token, oidc)
    if (!claims) return null
    const { sub: subject } = claims
    if (!isSubject(subject)) return null
    const caller = callerOfClaims(claims, subject, oidc)
    await this.note(caller.id, { issuer: oidc.issuer, subject })
    return { ...caller, method: 'token' }
  }

  /** Notes a caller in the database, once for each process. */
  async note(id: string, identity: { readonly issuer: string; readonly subject: string }): Promise<void> {
    if (this.noted.has(id)) return
    try {
      await this.callers.note(identity)
      if (this.noted.size >= maxNoted) this.noted.clear()
      this.noted.add(id)
    } catch (error) {
      // What can be read while the database takes no writes is read with a token too.
      if (!isDatabaseUnavailable(error)) throw error
    }
  }

  private async verify(token: string, oidc: OidcConfig): Promise<Claims | undefined> {
    this.verifier ??= this.load()
    const { jose, keys } = await this.verifier
    try {
      const { payload, protectedHeader } = await jose.jwtVerify(token, keys.find, {
        issuer: oidc.issuer,
        audience: oidc.audience ?? [],
        algorithms,
        requiredClaims: ['exp', 'sub'],
        clockTolerance: toleranceSeconds,
      })
      const fault = faultOf(protectedHeader.typ, payload, oidc)
      if (fault === undefined) return payload
      this.lines.add(() => ({ reason: fault }))
      return undefined
    } catch (error) {
      if (!(error instanceof jose.errors.JOSEError)) throw error
      this.lines.add(() => ({ reason: error.code, claim: 'claim' in error ? error.claim : undefined }))
      return undefined
    }
  }

  private async load(): Promise<Verifier> {
    const jose = await import('jose')
    return { jose, keys: new IssuerKeys(jose, this.issuer) }
  }
}

/** Why a token with a valid signature is no access token; undefined if it is one. */
const faultOf = (type: string | undefined, claims: Claims, oidc: OidcConfig): string | undefined => {
  const { iat, aud, typ } = claims
  if (typeof iat === 'number' && iat > Date.now() / 1000 + toleranceSeconds) return 'issued in the future'
  const form = type?.toLowerCase()
  if (form !== undefined && accessTokenTypes.includes(form)) return undefined
  if (form !== undefined && !plainTypes.includes(form)) return 'another type of token'
  if (idTokenClaims.some((name) => name in claims)) return 'an ID token'
  if (typeof typ === 'string' && otherTokens.has(typ)) return 'another type of token'
  const { audience, clientId } = oidc
  const isForClient = clientId !== undefined && clientId !== audience && [aud].flat().includes(clientId)
  return isForClient ? 'an ID token' : undefined
}
