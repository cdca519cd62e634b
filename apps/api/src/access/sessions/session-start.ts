import type { Session, SessionHolder } from '#libs/database'
import { MemoryGuardError } from '#libs/platform'
import { Injectable } from '@nestjs/common'
import type { FastifyReply, FastifyRequest } from 'fastify'
import { CredentialCache } from '../credential-cache.js'
import { SignIns } from '../sign-ins.js'
import { BrowserRequests } from './browser-requests.js'
import { Sessions } from './sessions.js'

/** Gives browsers their session, each sign-in a new one, and takes it back. */
@Injectable()
export class SessionStart {
  constructor(
    private readonly sessions: Sessions,
    private readonly signIns: SignIns,
    private readonly browsers: BrowserRequests,
    private readonly credentials: CredentialCache,
  ) {}

  /**
   * Whom an API key signs in.
   * @throws {MemoryGuardError} ACCESS_KEY_INVALID, RATE_LIMITED
   */
  async holderOfKey(key: string, request: FastifyRequest): Promise<SessionHolder> {
    if (this.credentials.kindOf(key) !== 'key') {
      throw this.signIns.reject(
        request,
        new MemoryGuardError('ACCESS_KEY_INVALID', 'A browser signs in with an API key.'),
      )
    }
    const { id, name, role, userId } = await this.signIns.lookUp(key, request)
    return { principalId: id, name, role, userId, method: 'key' }
  }

  /** Starts a session and sets its cookie. One that the browser has had is ended. */
  async start(holder: SessionHolder, request: FastifyRequest, reply: FastifyReply): Promise<Session> {
    await this.endFormer(request)
    const { session, secret } = await this.sessions.start(holder, request.id)
    this.browsers.setSession(request, reply, secret, (session.expiresAt.getTime() - session.createdAt.getTime()) / 1000)
    return session
  }

  /** Removes the cookie, and what the browser has kept of responses. */
  signOut(request: FastifyRequest, reply: FastifyReply): void {
    this.browsers.clearSession(request, reply)
    void reply.header('clear-site-data', '"cache"')
  }

  private async endFormer(request: FastifyRequest): Promise<void> {
    const secret = this.browsers.sessionSecretOf(request)
    const former = secret === undefined ? null : await this.sessions.find(secret)
    if (!former?.session) return
    try {
      await this.sessions.end(former.session.id, { principal: former, requestId: request.id })
    } catch (error) {
      // It has ended meanwhile.
      if (!(error instanceof MemoryGuardError && error.code === 'RESOURCE_NOT_FOUND')) throw error
    }
    this.credentials.clear()
  }
}
