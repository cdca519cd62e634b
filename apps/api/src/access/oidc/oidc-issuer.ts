import { CONFIG, LOGGER, MemoryGuardError, reasonOf, type Config, type Logger, type OidcConfig } from '#libs/platform'
import { Inject, Injectable } from '@nestjs/common'
import type * as OpenIdClient from 'openid-client'

/** Time limit of a request to the issuer, in seconds. */
export const issuerSeconds = 5
/** How far the clocks of issuer and server may differ, in seconds. */
export const toleranceSeconds = 30
/** How long a failure is believed, in milliseconds, so that an issuer that is down is not asked by every request. */
const failureMs = 5_000

/** The package, which is loaded only where OIDC is used, and a client that knows the issuer's addresses. */
export interface DiscoveredIssuer {
  readonly library: typeof OpenIdClient
  readonly client: OpenIdClient.Configuration
}

/** The error for a caller whom the issuer's state keeps from signing in. */
export const issuerUnavailable = (cause?: unknown): MemoryGuardError =>
  new MemoryGuardError(
    'OIDC_UNAVAILABLE',
    'The OIDC issuer cannot be reached now, or its response cannot be used. Try again in a minute.',
    {
      cause,
      retryable: true,
    },
  )

/** The OIDC issuer of the configuration. What it says of itself is read once, when somebody signs in. */
@Injectable()
export class OidcIssuer {
  private discovered: Promise<DiscoveredIssuer> | undefined
  private failedUntil = 0

  constructor(
    @Inject(CONFIG) private readonly config: Config,
    @Inject(LOGGER) private readonly log: Logger,
  ) {}

  /** @throws {MemoryGuardError} OIDC_UNAVAILABLE */
  async discover(): Promise<DiscoveredIssuer> {
    const { oidc } = this.config
    if (!oidc) throw new Error('OIDC is not configured')
    if (Date.now() < this.failedUntil) throw issuerUnavailable()
    this.discovered ??= discover(oidc)
    try {
      return await this.discovered
    } catch (error) {
      this.discovered = undefined
      this.noteFailure(error, 'OIDC issuer not usable')
      this.failedUntil = Date.now() + failureMs
      throw issuerUnavailable(error)
    }
  }

  /** Logs what an operator has to know of, with the name of the claim or setting that does not fit. */
  noteFailure(error: unknown, message: string): void {
    this.log.warn({ reason: reasonOf(error), code: codeOf(error) }, message)
  }
}

const codeOf = (error: unknown): unknown => (error instanceof Error && 'code' in error ? error.code : undefined)

const discover = async ({ issuer, clientId, clientSecret }: OidcConfig): Promise<DiscoveredIssuer> => {
  const library = await import('openid-client')
  const isPlain = issuer.startsWith('http:')
  const client = await library.discovery(
    new URL(issuer),
    // For access tokens alone nothing is sent to the issuer that would need one.
    clientId ?? 'memoryguard',
    { [library.clockTolerance]: toleranceSeconds },
    clientSecret === undefined ? library.None() : secretAuthentication(library, clientSecret),
    {
      timeout: issuerSeconds,
      execute: [library.enableNonRepudiationChecks, ...(isPlain ? [library.allowInsecureRequests] : [])],
    },
  )
  client.timeout = issuerSeconds
  return { library, client }
}

/** The secret in the header, as the standard has it, or in the body where the issuer takes it only there. */
const secretAuthentication = (library: typeof OpenIdClient, secret: string): OpenIdClient.ClientAuth => {
  const [basic, post] = [library.ClientSecretBasic(secret), library.ClientSecretPost(secret)]
  return (server, ...rest) => {
    const methods = server.token_endpoint_auth_methods_supported ?? ['client_secret_basic']
    return (methods.includes('client_secret_basic') ? basic : post)(server, ...rest)
  }
}
