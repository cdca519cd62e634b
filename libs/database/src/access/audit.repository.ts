import { createHmac } from 'node:crypto'
import { Inject, Injectable } from '@nestjs/common'
import { DataSource } from 'typeorm'
import type { Database } from '../connection/database.js'

/** Something that an operator or administrator did. It holds identifiers and pseudonyms only, never health data. */
export interface AuditEntry {
  /** Id of the API key that did it; null for the service itself. */
  readonly apiKeyId: string | null
  /** `noun.verb`, for example `task.revoke`. */
  readonly action: string
  /** What it was done to: an id or a name. */
  readonly target: string
  readonly details: Readonly<Record<string, unknown>>
  readonly requestId: string | null
}

/** An entry about what has happened once or several times up to now; the times become part of its details. */
export interface CountedAuditEntry extends AuditEntry {
  /** Milliseconds since it happened first. */
  readonly firstAgeMs: number
  /** Milliseconds since it happened last. */
  readonly lastAgeMs: number
}

/** An entry as it is stored. */
export interface AuditRecord extends AuditEntry {
  readonly id: number
  readonly at: Date
}

/** An entry and its hash, by which a later check finds out whether the chain up to it is still the same. */
export interface AuditCheckpoint {
  readonly id: number
  /** SHA-256, 64 hexadecimal digits. */
  readonly hash: string
}

/** What a check of the chain has found. */
export interface AuditVerification {
  readonly entries: number
  /** The first entry that does not fit the one before it, or its own content; null if all fit. */
  readonly firstBrokenId: number | null
  /** The newest entry that there should be. */
  readonly head: AuditCheckpoint
  /** Whether the newest entries are there. */
  readonly isTailThere: boolean
  /** Whether the given checkpoint is still part of the chain; null if none was given. */
  readonly isCheckpointThere: boolean | null
}

interface AuditRow {
  id: string
  at: Date
  api_key_id: string | null
  action: string
  target: string
  details: Record<string, unknown>
  request_id: string | null
}

/** The action of the entry that is written when old entries are removed; its details name the last one. */
const expiry = 'audit.expire'
/** Entries that are looked at by one removal. */
const removedAtOnce = 1_000

/** The audit trail: a chain of entries, which the database links as they are stored. */
@Injectable()
export class AuditRepository {
  private key: Promise<Buffer> | undefined

  constructor(@Inject(DataSource) private readonly database: Database) {}

  /** The name of a person in the audit trail: nobody can tell the person by it without the database's key. */
  async pseudonymOf(userId: number): Promise<string> {
    this.key ??= this.readKey()
    this.key.catch(() => (this.key = undefined))
    return `person-${createHmac('sha256', await this.key)
      .update(String(userId))
      .digest('hex')
      .slice(0, 32)}`
  }

  private async readKey(): Promise<Buffer> {
    const [row]: { key: Buffer }[] = await this.database.query('SELECT key FROM pseudonym_key')
    if (!row) throw new Error('The key of the pseudonyms is not in the database')
    return row.key
  }

  /** Appends an entry; until the transaction ends, others wait to append theirs. */
  async record({ apiKeyId, action, target, details, requestId }: AuditEntry): Promise<void> {
    await this.database.query(
      'INSERT INTO audit_log (api_key_id, action, target, details, request_id) VALUES ($1, $2, $3, $4, $5)',
      [apiKeyId, action, target, JSON.stringify(details), requestId],
    )
  }

  /** Appends entries together; `first_at` and `last_at` in their details are times of the database's clock. */
  async recordCounted(entries: readonly CountedAuditEntry[]): Promise<void> {
    await this.database.query(
      `INSERT INTO audit_log (api_key_id, action, target, request_id, details)
       SELECT "apiKeyId", action, target, "requestId", details || jsonb_build_object(
         'first_at', now() - make_interval(secs => "firstAgeMs" / 1000),
         'last_at', now() - make_interval(secs => "lastAgeMs" / 1000))
       FROM jsonb_to_recordset($1) AS entry("apiKeyId" uuid, action text, target text, "requestId" text, details jsonb,
         "firstAgeMs" float8, "lastAgeMs" float8)`,
      [JSON.stringify(entries)],
    )
  }

  /** Makes a change and appends the entry of its outcome in one transaction: both are stored, or neither. */
  async recordChange<Outcome>(
    change: (database: Database) => Promise<Outcome>,
    toEntry: (outcome: Outcome) => AuditEntry,
  ): Promise<Outcome> {
    return this.database.transaction(async (transaction) => {
      const outcome = await change(transaction)
      await new AuditRepository(transaction).record(toEntry(outcome))
      return outcome
    })
  }

  /** Newest first; `before` is the id of the last entry of the page before, `userId` a person whom entries are about. */
  async list(before: number | undefined, limit: number, userId?: number): Promise<readonly AuditRecord[]> {
    const ofPerson = userId === undefined ? '' : `AND coalesce(details ->> 'person', target) = $3`
    const rows: AuditRow[] = await this.database.query(
      `SELECT * FROM audit_log WHERE ($1::bigint IS NULL OR id < $1) ${ofPerson} ORDER BY id DESC LIMIT $2`,
      [before ?? null, limit, ...(userId === undefined ? [] : [await this.pseudonymOf(userId)])],
    )
    return rows.map(({ id, at, api_key_id: apiKeyId, action, target, details, request_id: requestId }) => ({
      id: Number(id),
      at,
      apiKeyId,
      action,
      target,
      details,
      requestId,
    }))
  }

  /**
   * Removes the oldest entries and records that; the chain goes on from the hash that the next one holds. The record of
   * an earlier removal is not removed alone: that would only leave another one.
   */
  async removeExpired(ttlSeconds: number): Promise<boolean> {
    return this.database.transaction(async (transaction) => {
      const [row]: [{ removed: number; last_id: string | null }] = await transaction.query(
        `WITH oldest AS (
           SELECT id, action, at < now() - make_interval(secs => $1) AS is_past
           FROM audit_log ORDER BY id LIMIT ${removedAtOnce}
         ), expired AS (
           SELECT id, action FROM oldest
           WHERE id < coalesce((SELECT min(id) FROM oldest WHERE NOT is_past), (SELECT max(id) + 1 FROM oldest))
         ), gone AS (
           DELETE FROM audit_log WHERE id IN (SELECT id FROM expired)
             AND (SELECT count(*) > 1 OR bool_or(action <> '${expiry}') FROM expired)
           RETURNING id
         )
         SELECT count(*)::int AS removed, max(id) AS last_id FROM gone`,
        [ttlSeconds],
      )
      if (row.last_id === null) return false
      const details = { removed: row.removed }
      const entry = { apiKeyId: null, action: expiry, target: row.last_id, details, requestId: null }
      await new AuditRepository(transaction).record(entry)
      return row.removed === removedAtOnce
    })
  }

  /** Reads the whole trail and checks every link; `known` is where an earlier check ended. */
  async verify(known: AuditCheckpoint | undefined): Promise<AuditVerification> {
    const [row]: [VerificationRow] = await this.database.query(
      `WITH links AS (
         SELECT a.id, a.hash = audit_entry_hash(a) AND a.previous_hash = coalesce(
             lag(a.hash) OVER (ORDER BY a.id),
             -- The first one follows nothing, or what was removed for its age.
             CASE WHEN a.previous_hash = '' THEN '' ELSE
               (SELECT a.previous_hash FROM audit_log e WHERE e.action = '${expiry}' AND e.target = (a.id - 1)::text LIMIT 1)
             END) IS TRUE AS fits
         FROM audit_log a
       )
       SELECT (SELECT count(*)::int FROM links) AS entries, (SELECT min(id) FROM links WHERE fits IS NOT TRUE) AS broken_id,
         h.id, encode(h.hash, 'hex') AS hash,
         h.id = 0 OR EXISTS (SELECT FROM audit_log a WHERE a.id = h.id AND a.hash = h.hash) AS is_tail_there,
         $1::bigint = 0 OR EXISTS (SELECT FROM audit_log a WHERE a.id = $1 AND encode(a.hash, 'hex') = $2)
           OR EXISTS (SELECT FROM audit_log a
             WHERE CASE WHEN a.action = '${expiry}' THEN a.target::bigint >= $1 ELSE false END) AS is_known_there
       FROM audit_head h`,
      [known?.id ?? null, known?.hash ?? null],
    )
    return {
      entries: row.entries,
      firstBrokenId: row.broken_id === null ? null : Number(row.broken_id),
      head: { id: Number(row.id), hash: row.hash },
      isTailThere: row.is_tail_there,
      isCheckpointThere: known ? row.is_known_there : null,
    }
  }
}

interface VerificationRow {
  entries: number
  broken_id: string | null
  id: string
  hash: string
  is_tail_there: boolean
  is_known_there: boolean
}
