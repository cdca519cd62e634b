import { Inject, Injectable } from '@nestjs/common'
import { createHash, randomBytes, randomUUID } from 'node:crypto'
import { DataSource } from 'typeorm'
import type { Database } from '../connection/database.js'
import { readDatabaseTime } from '../connection/database-time.js'
import { ApiKeyEntity } from './api-key.entity.js'

/** A new key; shown once, stored only as its hash. */
export const createKeyText = (): string => `mg_${randomBytes(32).toString('base64url')}`

export const hashKey = (key: string): Buffer => createHash('sha256').update(key).digest()

@Injectable()
export class ApiKeyRepository {
  constructor(@Inject(DataSource) private readonly database: Database) {}

  private get rows() {
    return this.database.getRepository(ApiKeyEntity)
  }

  private readTime(): Promise<Date> {
    return readDatabaseTime(this.database)
  }

  /** The key's row if it is known, not revoked and not past its expiry. */
  async findValid(key: string): Promise<ApiKeyEntity | null> {
    return this.rows
      .createQueryBuilder('key')
      .where('key.hash = :hash AND key.revoked_at IS NULL', { hash: hashKey(key) })
      .andWhere('(key.expires_at IS NULL OR key.expires_at > now())')
      .getOne()
  }

  /** Makes a key; the returned value holds its text, which nothing else keeps. */
  async create(
    values: Pick<ApiKeyEntity, 'name' | 'role' | 'expiresAt'> & { readonly userId: number | null },
  ): Promise<{ readonly row: ApiKeyEntity; readonly key: string }> {
    const key = createKeyText()
    const { name, role, expiresAt } = values
    const userId = values.userId === null ? null : String(values.userId)
    const row = {
      id: randomUUID(),
      name,
      hash: hashKey(key),
      role,
      userId,
      createdAt: await this.readTime(),
      expiresAt,
      revokedAt: null,
      isBootstrap: false,
    }
    await this.rows.insert(row)
    return { row, key }
  }

  /** Newest first. */
  async list(): Promise<readonly ApiKeyEntity[]> {
    return this.rows.find({ order: { createdAt: 'DESC' } })
  }

  /** @returns false if there is no such key; one that was revoked before stays so. */
  async revoke(id: string): Promise<boolean> {
    const rows: unknown[] = await this.database.query(
      `WITH revoked AS (
         UPDATE api_keys SET revoked_at = coalesce(revoked_at, now()) WHERE id = $1 RETURNING id
       ) SELECT id FROM revoked`,
      [id],
    )
    return rows.length > 0
  }
}
