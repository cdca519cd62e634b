import { SessionRepository, type SessionHolder } from '#libs/database'
import { MemoryGuardError } from '#libs/platform'
import { Injectable } from '@nestjs/common'
import type { FastifyRequest } from 'fastify'
import { AuditTrail, type Caller } from '../audit-trail.js'
import { SignIns } from '../sign-ins.js'

/** How long a link can be used, in seconds. */
const linkSeconds = 600

/** One-time links that sign in a browser with the API key that made them. */
@Injectable()
export class SessionLinks {
  constructor(
    private readonly rows: SessionRepository,
    private readonly audit: AuditTrail,
    private readonly signIns: SignIns,
  ) {}

  /** @throws {MemoryGuardError} ACCESS_ROLE_MISSING to others than API keys: a session would outlive itself with links. */
  async create(caller: Caller): Promise<{ readonly token: string; readonly expiresAt: Date }> {
    const { id, method } = caller.principal
    if (method !== 'key') {
      throw new MemoryGuardError(
        'ACCESS_ROLE_MISSING',
        'Only an API key makes links: send it as `Authorization: Bearer mg_...`.',
      )
    }
    return this.audit.change(
      caller,
      (database) => new SessionRepository(database).createLink(id, linkSeconds),
      () => ({ action: 'session_link.create', target: id }),
    )
  }

  /**
   * Whom a link signs in; it can be used once.
   * @throws {MemoryGuardError} ACCESS_LINK_INVALID
   */
  async redeem(token: string, request: FastifyRequest): Promise<SessionHolder> {
    const key = await this.rows.takeLink(token)
    if (key) return { principalId: key.id, name: key.name, role: key.role, userId: key.userId, method: 'link' }
    throw this.signIns.reject(
      request,
      new MemoryGuardError(
        'ACCESS_LINK_INVALID',
        'The link was used, or has expired. Make a new one: `memoryguard console-link`.',
      ),
    )
  }
}
