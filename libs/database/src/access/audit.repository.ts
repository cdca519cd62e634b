import { createHmac } from 'node:crypto'
import { Inject, Injectable } from '@nestjs/common'
import { DataSource } from 'typeorm'
import type { Database } from '../connection/database.js'
import { expiry, judgeRemoval, type AuditCheckpoint, type StoredRemoval } from './audit-removal.js'

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

/** What a check of the chain has found. */
export interface AuditVerification {
  readonly entries: number
  /** The first entry that does not fit the one before it, or its own content; null if all fit. */
  readonly firstBrokenId: number | null
  /** The newest entry that there should be. */
  readonly head: AuditCheckpoint
  /** Whether the newest entries are there. */
  readonly isTailThere: boolean
  /** The newest entry that was removed for its age; null if the trail has its beginning. */
  readonly lastRemovedId: number | null
  /** Whether what was removed had been kept for its time. */
  readonly isRemovalDue: boolean
  /** Whether the given checkpoint is part of the chain, or was removed for its age; null if none was given. */
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

/** Entries that one removal takes, not counting the records of earlier removals between them. */
const removedAtOnce = 1_000
/** Records of removals that a check reads: the newest is the one, unless someone forged more. */
const removalsRead = 100
/** What the hash of an entry covers beside the hash before it, as the function `audit_entry_hash` of the database has it. */
const contentOf = `jsonb_build_array(id, (extract(epoch FROM at) * 1000000)::bigint, api_key_id, action, target, details,
  request_id)::text`
/** The hash that an entry must have. A check computes it itself: a function of the database may have been replaced. */
const hashOf = `sha256(previous_hash || convert_to(${contentOf}, 'UTF8'))`
/** From now on in this transaction, nothing in another schema hides what belongs to PostgreSQL. */
const trustPostgres = `SELECT pg_catalog.set_config('search_path',
  pg_catalog.concat('pg_catalog, ', pg_catalog.current_setting('search_path')), true)`

/** Selects entries of the trail; what is absent selects all. */
export interface AuditFilter {
  /** The person whom entries are about. */
  readonly userId?: number | undefined
  readonly action?: string | undefined
  /** The API key or OIDC caller. */
  readonly apiKeyId?: string | undefined
  readonly target?: string | undefined
  /** The first time that is selected. */
  readonly since?: Date | undefined
  /** The first time that is no longer selected. */
  readonly until?: Date | undefined
}

/** The audit trail: a chain of entries, which the database links as they are stored. */
@Injectable()
export class AuditRepository {
  private key: Promise<Buffer> | undefined

  constructor(@Inject(DataSource) private readonly database: Database) {}

  /** The pseudonym of a person in the audit trail: without the database's key nobody can identify the person by it. */
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

  /** Appends an entry about what the service did by itself: it has no key and no request. */
  recordOwn(action: string, target: string, details: AuditEntry['details']): Promise<void> {
    return this.record({ apiKeyId: null, action, target, details, requestId: null })
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

  /** Newest first; `before` is the id of the last entry of the page before. */
  async list(before: number | undefined, limit: number, filter: AuditFilter = {}): Promise<readonly AuditRecord[]> {
    const { userId, action, apiKeyId, target, since, until } = filter
    const ofPerson = userId === undefined ? '' : `AND coalesce(details ->> 'person', target) = $8`
    const rows: AuditRow[] = await this.database.query(
      `SELECT * FROM audit_log
       WHERE ($1::bigint IS NULL OR id < $1) AND ($3::text IS NULL OR action = $3)
         AND ($4::uuid IS NULL OR api_key_id = $4) AND ($5::text IS NULL OR target = $5)
         AND ($6::timestamptz IS NULL OR at >= $6) AND ($7::timestamptz IS NULL OR at < $7) ${ofPerson}
       ORDER BY id DESC LIMIT $2`,
      [
        before ?? null,
        limit,
        action ?? null,
        apiKeyId ?? null,
        target ?? null,
        since ?? null,
        until ?? null,
        ...(userId === undefined ? [] : [await this.pseudonymOf(userId)]),
      ],
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
   * Removes the oldest entries and records that; the chain goes on from the hash that the next one holds. The record has
   * the content of the last one removed, so that its time can be proved by that hash. The last one is never the
   * record of an earlier removal: records would hold each other, and idle systems would write one after the other.
   */
  async removeExpired(ttlSeconds: number): Promise<boolean> {
    const [row]: { removed: number }[] = await this.database.query(
      `WITH oldest AS (
         SELECT max(id) AS last_id FROM (
           SELECT id FROM audit_log WHERE action <> '${expiry}' ORDER BY id LIMIT ${removedAtOnce}) page
       ), expired AS (
         SELECT a.id, a.action FROM oldest, audit_log a WHERE a.id <= last_id AND a.id < coalesce(
           (SELECT min(id) FROM audit_log WHERE id <= last_id AND at >= now() - make_interval(secs => $1)), last_id + 1)
       ), gone AS (
         DELETE FROM audit_log WHERE id <= (SELECT max(id) FROM expired WHERE action <> '${expiry}') RETURNING *
       ), record AS (
         INSERT INTO audit_log (action, target, details)
         SELECT '${expiry}', id, jsonb_build_object(
           'removed', (SELECT count(*) FROM gone), 'ttl_seconds', $1::float8,
           'last_previous_hash', encode(previous_hash, 'hex'), 'last_entry', ${contentOf})
         FROM gone ORDER BY id DESC LIMIT 1
       )
       SELECT count(*)::int AS removed FROM gone`,
      [ttlSeconds],
    )
    return (row?.removed ?? 0) >= removedAtOnce
  }

  /**
   * Reads the whole trail and checks every link.
   * @param known Where an earlier check ended.
   * @param ttlSeconds `AUDIT_TTL_SECONDS`, which removals since that check are judged by.
   */
  async verify(known: AuditCheckpoint | undefined, ttlSeconds: number): Promise<AuditVerification> {
    const row = await this.database.transaction(async (transaction) => {
      await transaction.query(trustPostgres)
      const [found]: [VerificationRow] = await transaction.query(verification, [known?.id ?? null, known?.hash ?? null])
      return found
    })
    const brokenId = row.broken_id === null ? null : Number(row.broken_id)
    const found = {
      entries: row.entries,
      head: { id: Number(row.id), hash: row.hash, at: row.at },
      isTailThere: row.is_tail_there,
      isCheckpointThere: known ? row.is_known_there : null,
    }
    if (row.first_id === null || row.first_previous_hash === '') {
      return { ...found, firstBrokenId: brokenId, lastRemovedId: null, isRemovalDue: true }
    }
    const first = { id: Number(row.first_id), previousHash: row.first_previous_hash }
    const evidence = { first, removals: row.removals, known, ttlSeconds, nowUs: Number(row.now_us) }
    const { isRecorded, isDue, isCheckpointExpired } = judgeRemoval(evidence)
    const isBefore = known !== undefined && known.id > 0 && known.id < first.id
    return {
      ...found,
      firstBrokenId: isRecorded ? brokenId : first.id,
      lastRemovedId: first.id - 1,
      isRemovalDue: isDue,
      isCheckpointThere: isBefore ? isCheckpointExpired : found.isCheckpointThere,
    }
  }
}

/** What a check reads: the links, the head, and what a removal is judged by. `$1` and `$2` are the id and the hash of a checkpoint. */
const verification = `
  WITH links AS (
    SELECT id, coalesce(hash = ${hashOf}
      AND previous_hash = coalesce(lag(hash) OVER (ORDER BY id), previous_hash), false) AS fits
    FROM audit_log
  ), first AS (
    SELECT id, encode(previous_hash, 'hex') AS previous_hash FROM audit_log ORDER BY id LIMIT 1
  ), removals AS (
    SELECT id, (extract(epoch FROM at) * 1000000)::bigint AS "atUs", target, details
    FROM audit_log WHERE action = '${expiry}' ORDER BY id DESC LIMIT ${removalsRead}
  )
  SELECT (SELECT count(*)::int FROM links) AS entries, (SELECT min(id) FROM links WHERE NOT fits) AS broken_id,
    h.id, encode(h.hash, 'hex') AS hash, end_entry.at,
    h.id = 0 OR end_entry.id IS NOT NULL AS is_tail_there,
    $1::bigint = 0 OR EXISTS (SELECT FROM audit_log a WHERE a.id = $1 AND encode(a.hash, 'hex') = $2) AS is_known_there,
    first.id AS first_id, first.previous_hash AS first_previous_hash,
    (SELECT coalesce(jsonb_agg(r), '[]') FROM removals r) AS removals,
    (extract(epoch FROM clock_timestamp()) * 1000000)::bigint AS now_us
  FROM audit_head h
  LEFT JOIN audit_log end_entry ON end_entry.id = h.id AND end_entry.hash = h.hash
  LEFT JOIN first ON true`

interface VerificationRow {
  entries: number
  broken_id: string | null
  id: string
  hash: string
  at: Date | null
  is_tail_there: boolean
  is_known_there: boolean
  first_id: string | null
  first_previous_hash: string
  removals: readonly StoredRemoval[]
  now_us: string
}
