import { CONFIG, LOGGER, MemoryGuardError, SampledLines, type Config, type Logger } from '#libs/platform'
import { Inject, Injectable } from '@nestjs/common'
import type { FastifyReply, FastifyRequest } from 'fastify'
import { clientAddressOf } from '../http/client-address.js'
import { requestLimitOf, type RequestLimit } from '../http/request-limits.js'
import type { Principal } from './access.js'
import { CredentialCache, type CredentialKind } from './credential-cache.js'
import { BrowserRequests } from './sessions/browser-requests.js'
import { Sessions } from './sessions/sessions.js'

/** Most log lines about failed sign-ins a second. */
const failuresPerSecond = 10

const invalid: Readonly<Record<CredentialKind, () => MemoryGuardError>> = {
  key: () => new MemoryGuardError('ACCESS_KEY_INVALID', 'The key is unknown, revoked or past its expiry.'),
  token: () =>
    new MemoryGuardError('ACCESS_TOKEN_INVALID', 'The access token is not meant for this API, or is expired.'),
  session: () => new MemoryGuardError('ACCESS_SESSION_INVALID', 'The session has ended: sign in again.'),
}

/** Failures of one kind: how many an address may have, and the checks in progress, which may add to them. */
interface Failures {
  readonly limit: RequestLimit | undefined
  /** By address. */
  readonly underWay: Map<string, Set<Promise<unknown>>>
}

/**
 * Finds who a request is from. Wrong credentials are counted by address: a caller who sends too many is rejected without
 * a check until the minute is over. A credential that has been valid is still checked, so that guesses from behind the
 * same proxy shut nobody out. Sessions are counted apart: a page that goes on with one that has ended keeps nobody from
 * signing in.
 */
@Injectable()
export class SignIns {
  /** Called with every failed sign-in. */
  onFailure: ((reason: 'invalid' | 'limited') => void) | undefined
  private readonly wrong: Failures
  private readonly endedSessions: Failures
  private readonly lines: SampledLines

  constructor(
    private readonly credentials: CredentialCache,
    private readonly browsers: BrowserRequests,
    private readonly sessions: Sessions,
    @Inject(CONFIG) { http }: Config,
    @Inject(LOGGER) log: Logger,
  ) {
    const { wrongKeysPerMinute } = http.rateLimits
    this.wrong = { limit: requestLimitOf(wrongKeysPerMinute), underWay: new Map() }
    this.endedSessions = { limit: requestLimitOf(wrongKeysPerMinute), underWay: new Map() }
    const furtherMessage = 'further sign-ins failed within a second'
    const perSecond = failuresPerSecond
    this.lines = new SampledLines(log, { level: 'warn', message: 'sign-in failed', perSecond, furtherMessage })
  }

  /**
   * The caller of a request, at once if its credential is known.
   * @throws {MemoryGuardError} ACCESS_KEY_MISSING
   * @throws {MemoryGuardError} as a rejection: ACCESS_KEY_INVALID and its kin, ACCESS_ROLE_MISSING for a token without a
   * role, ACCESS_SITE_REJECTED or ACCESS_HOST_REJECTED for a cookie, RATE_LIMITED.
   */
  find(request: FastifyRequest, reply: FastifyReply): Principal | Promise<Principal> {
    const credential = this.credentials.of(request)
    if (credential === undefined) {
      throw new MemoryGuardError('ACCESS_KEY_MISSING', 'Send your key as `Authorization: Bearer mg_...`.')
    }
    if (request.headers.authorization === undefined) return this.findBySession(credential, request, reply)
    return this.credentials.peek(credential) ?? this.lookUp(credential, request)
  }

  /**
   * Checks a request that is to sign in, before its body is read: by `body` a page of this server must have sent it.
   * @throws {MemoryGuardError} ACCESS_SITE_REJECTED, ACCESS_HOST_REJECTED, RATE_LIMITED
   */
  admit(request: FastifyRequest, by: 'body' | 'redirect'): void {
    this.browsers.mustKnowHost(request)
    this.browsers.mustKeepCookies(request)
    if (by === 'body') this.browsers.mustBeSameOrigin(request)
    const { limit } = this.wrong
    if (limit) this.roomOf(request, limit)
  }

  /** The caller of a credential that a sign-in names. @throws {MemoryGuardError} as `find` does. */
  async lookUp(credential: string, request: FastifyRequest): Promise<Principal> {
    const { credentials } = this
    const principal = await (credentials.wasValid(credential) || credentials.isUnderWay(credential)
      ? credentials.find(credential)
      : this.tryOut(credential, request))
    if (principal) return principal
    this.note(request, 'invalid')
    throw invalid[credentials.kindOf(credential)]()
  }

  /** Counts a sign-in that has failed by what was sent, and returns the error. */
  reject(request: FastifyRequest, error: MemoryGuardError): MemoryGuardError {
    this.wrong.limit?.count(clientAddressOf(request))
    this.note(request, 'invalid')
    return error
  }

  private async findBySession(credential: string, request: FastifyRequest, reply: FastifyReply): Promise<Principal> {
    this.browsers.mustBeOwn(request)
    try {
      const principal = this.credentials.peek(credential) ?? (await this.lookUp(credential, request))
      if (principal.session) await this.sessions.noteUse(principal.session)
      return principal
    } catch (error) {
      const isEnded = error instanceof MemoryGuardError && error.code === 'ACCESS_SESSION_INVALID'
      if (isEnded) this.browsers.clearSession(request, reply)
      throw error
    }
  }

  /** Checks a credential, with at most as many checks in progress for its address as it may still have failures. */
  private async tryOut(credential: string, request: FastifyRequest): Promise<Principal | null> {
    const { limit, underWay } = this.credentials.kindOf(credential) === 'session' ? this.endedSessions : this.wrong
    if (!limit) return this.credentials.find(credential)
    const address = clientAddressOf(request)
    const others = underWay.get(address) ?? new Set()
    underWay.set(address, others)
    // Many callers behind one address that all come at once have right keys, most likely: they wait for each other.
    while (others.size >= this.roomOf(request, limit)) await Promise.race(others)
    const lookUp = this.findAndCount(credential, address, limit)
    const end = () => {
      others.delete(ended)
      if (others.size === 0) underWay.delete(address)
    }
    const ended: Promise<unknown> = lookUp.then(end, end)
    others.add(ended)
    return lookUp
  }

  private async findAndCount(credential: string, address: string, limit: RequestLimit): Promise<Principal | null> {
    const principal = await this.credentials.find(credential)
    if (!principal) limit.count(address)
    return principal
  }

  /**
   * How many wrong credentials the address may still send.
   * @throws {MemoryGuardError} RATE_LIMITED for none.
   */
  private roomOf(request: FastifyRequest, limit: RequestLimit): number {
    try {
      return limit.room(clientAddressOf(request))
    } catch (error) {
      this.note(request, 'limited')
      throw error
    }
  }

  private note(request: FastifyRequest, reason: 'invalid' | 'limited'): void {
    this.onFailure?.(reason)
    this.lines.add(() => ({ request_id: request.id, address: clientAddressOf(request), reason }))
  }
}
