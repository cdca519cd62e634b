import { Inject, Injectable } from '@nestjs/common'
import { DataSource } from 'typeorm'
import type { Database } from '../connection/database.js'
import * as sql from './celery.sql.js'

/** The key of a revoke by a stamped header; a revoke by id has the id as its key. */
export const stampKey = (header: string, value: string): string => JSON.stringify([header, value])

/** Revokes of Celery callers, kept for calls that may still come. */
@Injectable()
export class CeleryRevokeRepository {
  constructor(@Inject(DataSource) private readonly database: Database) {}

  /** Remembers revokes of calls that may still come. */
  async store(keys: readonly string[]): Promise<void> {
    if (keys.length > 0) await this.database.query(sql.storeRevokes, [keys])
  }

  /** Whether one of these keys was revoked. */
  async isRevoked(keys: readonly string[]): Promise<boolean> {
    const rows: unknown[] = await this.database.query(
      'SELECT 1 FROM celery_revokes WHERE key = ANY($1::text[]) LIMIT 1',
      [keys],
    )
    return rows.length > 0
  }

  /** Calls that were revoked lately, the newest first: ids, not stamps. */
  async listRecent(limit: number): Promise<readonly string[]> {
    const rows: { key: string }[] = await this.database.query(
      `SELECT key FROM celery_revokes WHERE NOT starts_with(key, '["') ORDER BY revoked_at DESC LIMIT $1`,
      [limit],
    )
    return rows.map(({ key }) => key)
  }
}
