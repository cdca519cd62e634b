import { Injectable } from '@nestjs/common'
import { createHash, randomBytes, randomUUID } from 'node:crypto'
import { DataSource, IsNull } from 'typeorm'
import { ApiKeyEntity, type Role } from '../entities/api-key.entity.js'

/** A new key; shown once, stored only as its hash. */
export const createKeyText = (): string => `mg_${randomBytes(32).toString('base64url')}`

const hashKey = (key: string): Buffer => createHash('sha256').update(key).digest()

@Injectable()
export class ApiKeyRepository {
  constructor(private readonly dataSource: DataSource) {}

  private get rows() {
    return this.dataSource.getRepository(ApiKeyEntity)
  }

  /** The key's row if it is known, not revoked and not past its expiry. */
  async findValid(key: string): Promise<ApiKeyEntity | null> {
    const row = await this.rows.findOneBy({ hash: hashKey(key), revokedAt: IsNull() })
    return row && (row.expiresAt === null || row.expiresAt > new Date()) ? row : null
  }

  /** Makes sure that a given key exists with this role; a key that was revoked stays revoked. */
  async ensure(key: string, name: string, role: Role): Promise<void> {
    await this.rows
      .createQueryBuilder()
      .insert()
      .values({ id: randomUUID(), name, hash: hashKey(key), role, createdAt: new Date() })
      .orIgnore()
      .execute()
  }

  async count(): Promise<number> {
    return this.rows.countBy({ revokedAt: IsNull() })
  }
}
