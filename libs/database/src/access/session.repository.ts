import { randomBytes, randomUUID } from 'node:crypto'
import { Inject, Injectable } from '@nestjs/common'
import { DataSource } from 'typeorm'
import type { Database } from '../connection/database.js'
import type { Role } from './api-key.entity.js'
import { hashKey } from './api-key.repository.js'
import { insertLink, insertSession, selectSession, selectSessions, takeLink } from './sessions.sql.js'

/** How the person behind a session has signed in. */
export const signInMethods = ['key', 'link', 'oidc'] as const
export type SignInMethod = (typeof signInMethods)[number]

/** Whom a session acts for. */
export interface SessionHolder {
  /** Id under which the audit trail knows the caller: of the API key, or of the OIDC caller. */
  readonly principalId: string
  readonly name: string
  readonly method: SignInMethod
  readonly role: Role
  /** Set if the session reaches only this person's data. */
  readonly userId: number | null
}

/** A session as it is shown: what the cookie holds is not part of it. */
export interface Session extends SessionHolder {
  readonly id: string
  readonly createdAt: Date
  readonly lastSeenAt: Date
  readonly expiresAt: Date
}

/** The API key that a one-time link signs in. */
export interface LinkedKey {
  readonly id: string
  readonly name: string
  readonly role: Role
  readonly userId: number | null
}

/** Random bytes of a session id and of a link. */
const secretBytes = 32

const newSecret = (): string => randomBytes(secretBytes).toString('base64url')

/** Sessions of browsers and the one-time links that start them. Of both only the SHA-256 is stored. */
@Injectable()
export class SessionRepository {
  constructor(@Inject(DataSource) private readonly database: Database) {}

  /** Starts a session; the result holds the secret of its cookie, which nothing else keeps. */
  async create(
    { principalId, name, method, role, userId }: SessionHolder,
    maxSeconds: number,
  ): Promise<{ readonly session: Session; readonly secret: string }> {
    const secret = newSecret()
    const apiKeyId = method === 'oidc' ? null : principalId
    const [session]: Session[] = await this.database.query(insertSession, [
      randomUUID(),
      hashKey(secret),
      principalId,
      name,
      method,
      role,
      userId,
      apiKeyId,
      maxSeconds,
    ])
    if (!session) throw new Error('An insert returned no row')
    return { session, secret }
  }

  /** The session of a cookie, if neither it nor its API key has ended. */
  async findValid(secret: string, idleSeconds: number): Promise<Session | null> {
    const [session]: Session[] = await this.database.query(selectSession, [idleSeconds, hashKey(secret)])
    return session ?? null
  }

  /** Valid sessions of a principal, or all of them; newest first, 1,000 at most. */
  async list(idleSeconds: number, principalId?: string): Promise<readonly Session[]> {
    return this.database.query(selectSessions, [idleSeconds, principalId ?? null])
  }

  /** Notes that a session was used now. */
  async touch(id: string): Promise<void> {
    await this.database.query('UPDATE sessions SET last_seen_at = now() WHERE id = $1', [id])
  }

  /** Ends a session, given a principal only one of theirs. Returns whether there was one. */
  async end(id: string, principalId?: string): Promise<boolean> {
    const rows: object[] = await this.database.query(
      `WITH gone AS (
         DELETE FROM sessions WHERE id = $1 AND ($2::uuid IS NULL OR principal_id = $2) RETURNING id
       ) SELECT id FROM gone`,
      [id, principalId ?? null],
    )
    return rows.length > 0
  }

  /** Makes a one-time link for an API key. */
  async createLink(apiKeyId: string, seconds: number): Promise<{ readonly token: string; readonly expiresAt: Date }> {
    const token = newSecret()
    const [row]: { expiresAt: Date }[] = await this.database.query(insertLink, [hashKey(token), apiKeyId, seconds])
    if (!row) throw new Error('An insert returned no row')
    return { token, expiresAt: row.expiresAt }
  }

  /** Takes a one-time link: the API key it was made for, or null if it is unknown, used, expired, or the key is invalid. */
  async takeLink(token: string): Promise<LinkedKey | null> {
    const [key]: LinkedKey[] = await this.database.query(takeLink, [hashKey(token)])
    return key ?? null
  }
}
