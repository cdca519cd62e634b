import type * as Jose from 'jose'
import { issuerSeconds, issuerUnavailable, type OidcIssuer } from './oidc-issuer.js'

/** Shortest time between two requests for the keys because of an unknown key id, in milliseconds. */
const cooldownMs = 30_000
/** How long keys are used before they are read again, in milliseconds. */
const freshMs = 600_000
/** How long keys are still used while the issuer cannot be reached, in milliseconds. */
const bridgeMs = 24 * 3_600_000

/** The public keys of the issuer. An issuer that is down for some hours keeps nobody out whose token is valid. */
export class IssuerKeys {
  private remote: Promise<Jose.RemoteJWKSet> | undefined
  private readAt = 0
  private silentUntil = 0

  constructor(
    private readonly jose: typeof Jose,
    private readonly issuer: OidcIssuer,
  ) {}

  /**
   * The key that a token was signed with.
   * @throws {MemoryGuardError} OIDC_UNAVAILABLE
   * @throws {Jose.errors.JOSEError} what is wrong with the token.
   */
  readonly find = async (header: Jose.JWSHeaderParameters, token: Jose.FlattenedJWSInput): Promise<Jose.CryptoKey> => {
    const remote = await this.open()
    if (Date.now() >= this.silentUntil) {
      try {
        return await remote(header, token)
      } catch (error) {
        if (this.isFaultOfToken(error)) throw error
        this.issuer.noteFailure(error, 'keys of the OIDC issuer not read')
        this.silentUntil = Date.now() + cooldownMs
      } finally {
        if (remote.fresh) this.readAt = Date.now()
      }
    }
    const known = remote.jwks()
    if (!known || Date.now() - this.readAt > bridgeMs) throw issuerUnavailable()
    return this.jose.createLocalJWKSet(known)(header, token)
  }

  private isFaultOfToken(error: unknown): boolean {
    const { JWKSNoMatchingKey, JWKSMultipleMatchingKeys, JOSENotSupported } = this.jose.errors
    return (
      error instanceof JWKSNoMatchingKey ||
      error instanceof JWKSMultipleMatchingKeys ||
      error instanceof JOSENotSupported
    )
  }

  private async open(): Promise<Jose.RemoteJWKSet> {
    this.remote ??= this.create()
    try {
      return await this.remote
    } catch (error) {
      this.remote = undefined
      throw error
    }
  }

  private async create(): Promise<Jose.RemoteJWKSet> {
    const { client } = await this.issuer.discover()
    const { issuer, jwks_uri: uri } = client.serverMetadata()
    // Keys that come over plain http could be anyone's.
    if (uri === undefined || (uri.startsWith('http:') && !issuer.startsWith('http:'))) throw issuerUnavailable()
    const options = { cooldownDuration: cooldownMs, cacheMaxAge: freshMs, timeoutDuration: issuerSeconds * 1000 }
    return this.jose.createRemoteJWKSet(new URL(uri), options)
  }
}
