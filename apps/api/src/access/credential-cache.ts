import { ApiKeyRepository } from '#libs/database'
import { Injectable } from '@nestjs/common'
import type { FastifyRequest } from 'fastify'
import { parseBearer, type Principal } from './access.js'
import { AccessTokens } from './oidc/access-tokens.js'
import { BrowserRequests } from './sessions/browser-requests.js'
import { Sessions } from './sessions/sessions.js'

/**
 * How long the result of a check is used again, in milliseconds. Together with `streamCheckMs` it makes sure that a
 * revoked key works for 5 s at most.
 */
const ttlMs = 3_000
/** How often an open stream checks its credential, in milliseconds. */
export const streamCheckMs = 1_500
/** Beyond this many credentials the cache starts anew, so that guessing costs no memory. */
const maxCredentials = 1_000

/** Before the secret of a session. It has a blank, so that no Authorization header can hold such a credential. */
const sessionPrefix = 'session '

interface CachedCredential {
  readonly principal: Promise<Principal | null>
  until: number
  /** Absent during the check. */
  found?: Principal | null
  /** By the check before this one, or by this one when it has ended. */
  wasValid: boolean
}

/** What a credential is: an API key, an OIDC access token, or the cookie of a session. */
export type CredentialKind = 'key' | 'token' | 'session'

/** The credentials seen lately, valid or not, so that a request costs no query and no signature check. */
@Injectable()
export class CredentialCache {
  private readonly cached = new Map<string, CachedCredential>()

  constructor(
    private readonly keys: ApiKeyRepository,
    private readonly tokens: AccessTokens,
    private readonly sessions: Sessions,
    private readonly browsers: BrowserRequests,
  ) {}

  /** The credential of a request. An Authorization header wins over a cookie, also if it holds no credential. */
  of(request: FastifyRequest): string | undefined {
    const { authorization, cookie } = request.headers
    if (authorization !== undefined) return parseBearer(authorization)
    const secret = cookie === undefined ? undefined : this.browsers.sessionSecretOf(request)
    return secret && sessionPrefix + secret
  }

  kindOf(credential: string): CredentialKind {
    if (credential.startsWith(sessionPrefix)) return 'session'
    return credential.startsWith('mg_') || !this.tokens.areAccepted ? 'key' : 'token'
  }

  /** The caller of a credential, null if it is not valid. @throws the error that kept it from being checked. */
  find(credential: string): Promise<Principal | null> {
    const now = Date.now()
    const hit = this.cached.get(credential)
    if (hit && hit.until > now) return hit.principal
    if (this.cached.size >= maxCredentials) this.cached.clear()
    const principal = this.load(credential)
    const entry: CachedCredential = { principal, until: now + ttlMs, wasValid: hit?.wasValid ?? false }
    this.cached.set(credential, entry)
    void this.note(credential, entry)
    return principal
  }

  /** The result of a check, if a recent one is known. */
  peek(credential: string): Principal | null | undefined {
    const hit = this.cached.get(credential)
    return hit && hit.until > Date.now() ? hit.found : undefined
  }

  /** Whether the last check, however long ago, found the credential valid. */
  wasValid(credential: string): boolean {
    return this.cached.get(credential)?.wasValid ?? false
  }

  /** Whether a check of the credential is in progress; other requests with the same one share its result. */
  isUnderWay(credential: string): boolean {
    const hit = this.cached.get(credential)
    return hit !== undefined && hit.until > Date.now() && hit.found === undefined
  }

  /** Forgets the results of all checks, because a key or a session has changed. */
  clear(): void {
    for (const entry of this.cached.values()) entry.until = 0
  }

  private async note(credential: string, entry: CachedCredential): Promise<void> {
    try {
      entry.found = await entry.principal
      entry.wasValid = entry.found !== null
    } catch {
      // A failed check says nothing about the credential.
      this.cached.delete(credential)
    }
  }

  private load(credential: string): Promise<Principal | null> {
    switch (this.kindOf(credential)) {
      case 'session':
        return this.sessions.find(credential.slice(sessionPrefix.length))
      case 'token':
        return this.tokens.find(credential)
      case 'key':
        return this.loadKey(credential)
    }
  }

  private async loadKey(key: string): Promise<Principal | null> {
    const row = await this.keys.findValid(key)
    if (!row) return null
    const { id, name, role, userId } = row
    return { id, name, role, userId: userId === null ? null : Number(userId), method: 'key' }
  }
}
