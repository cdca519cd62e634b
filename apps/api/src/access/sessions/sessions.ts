import { isDatabaseUnavailable, SessionRepository, type Session, type SessionHolder } from '#libs/database'
import { CONFIG, MemoryGuardError, type Config } from '#libs/platform'
import { Inject, Injectable } from '@nestjs/common'
import type { Principal } from '../access.js'
import { AuditTrail, type Caller } from '../audit-trail.js'

/** Longest time between two notes of the use of a session, in milliseconds. */
const maxNoteMs = 60_000
/** Beyond this many sessions the notes start anew. */
const maxNoted = 10_000

/** Sessions of browsers: a session ends a while after its last use, at its latest time, and with its API key. */
@Injectable()
export class Sessions {
  /** When the use of a session was noted last by this process, in milliseconds of its clock. */
  private readonly notedAt = new Map<string, number>()
  private readonly noteMs: number

  constructor(
    private readonly rows: SessionRepository,
    private readonly audit: AuditTrail,
    @Inject(CONFIG) private readonly config: Config,
  ) {
    this.noteMs = Math.min(maxNoteMs, config.sessions.idleSeconds * 250)
  }

  /** The caller of a session, by what its cookie holds. An open stream looks this up too, so it is no use of the session. */
  async find(secret: string): Promise<Principal | null> {
    const session = await this.rows.findValid(secret, this.config.sessions.idleSeconds)
    return session && principalOfSession(session)
  }

  /** Valid sessions of a principal, or of everyone. */
  list(principalId?: string): Promise<readonly Session[]> {
    return this.rows.list(this.config.sessions.idleSeconds, principalId)
  }

  /** Notes that a request came with the session, if the last note is some time ago. */
  async noteUse({ id }: Session): Promise<void> {
    const now = performance.now()
    const notedAt = this.notedAt.get(id)
    if (notedAt !== undefined && now - notedAt < this.noteMs) return
    if (this.notedAt.size >= maxNoted) this.notedAt.clear()
    this.notedAt.set(id, now)
    try {
      await this.rows.touch(id)
    } catch (error) {
      // What can be read while the database takes no writes is read with a session too.
      if (!isDatabaseUnavailable(error)) throw error
    }
  }

  /** Starts a session, with an entry of the audit trail; returns it with the secret for its cookie. */
  async start(
    holder: SessionHolder,
    requestId: string,
  ): Promise<{ readonly session: Session; readonly secret: string }> {
    const { method, role, userId } = holder
    const person = userId === null ? undefined : await this.audit.pseudonymOf(userId)
    return this.audit.change(
      { principal: { id: holder.principalId }, requestId },
      (database) => new SessionRepository(database).create(holder, this.config.sessions.maxSeconds),
      ({ session }) => ({
        action: 'session.create',
        target: session.id,
        details: { method, role, ...(person && { person }) },
      }),
    )
  }

  /**
   * Ends a session, given an owner only one of theirs, with an entry of the audit trail.
   * @throws {MemoryGuardError} RESOURCE_NOT_FOUND
   */
  async end(id: string, caller: Caller, ownerId?: string): Promise<void> {
    await this.audit.change(
      caller,
      async (database) => {
        const isKnown = await new SessionRepository(database).end(id, ownerId)
        if (!isKnown) throw new MemoryGuardError('RESOURCE_NOT_FOUND', 'There is no such session.')
      },
      () => ({ action: 'session.end', target: id }),
    )
  }
}

const principalOfSession = (session: Session): Principal => {
  const { principalId: id, name, role, userId } = session
  return { id, name, role, userId, method: 'session', session }
}
