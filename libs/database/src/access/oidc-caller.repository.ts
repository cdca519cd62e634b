import { createHash } from 'node:crypto'
import { Inject, Injectable } from '@nestjs/common'
import { DataSource } from 'typeorm'
import type { Database } from '../connection/database.js'
import { AuditRepository } from './audit.repository.js'

/** A person or a service as an OIDC issuer knows it. */
export interface OidcIdentity {
  readonly issuer: string
  readonly subject: string
}

/** The name of an OIDC caller in the audit trail and in lists. */
export const oidcName = (subject: string): string => `oidc:${subject}`

/**
 * The id of an OIDC caller: a UUID (version 8) of the SHA-256 of issuer and subject, so that every process and every
 * database gives a caller the same one.
 */
export const oidcCallerId = ({ issuer, subject }: OidcIdentity): string => {
  const bytes = createHash('sha256')
    .update(JSON.stringify([issuer, subject]))
    .digest()
    .subarray(0, 16)
  bytes.writeUInt8((bytes.readUInt8(6) & 0x0f) | 0x80, 6)
  bytes.writeUInt8((bytes.readUInt8(8) & 0x3f) | 0x80, 8)
  return bytes.toString('hex').replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-')
}

/** Who has used the API by OIDC, so that the ids in the audit trail can be resolved. */
@Injectable()
export class OidcCallerRepository {
  constructor(@Inject(DataSource) private readonly database: Database) {}

  /** Stores a caller that is seen for the first time, with an entry of the audit trail that names its id. */
  async note(identity: OidcIdentity): Promise<void> {
    const id = oidcCallerId(identity)
    await this.database.transaction(async (transaction) => {
      const rows: object[] = await transaction.query(
        `INSERT INTO oidc_callers (id, issuer, subject) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING RETURNING id`,
        [id, identity.issuer, identity.subject],
      )
      if (rows.length === 0) return
      await new AuditRepository(transaction).record({
        apiKeyId: id,
        action: 'oidc.first_use',
        target: oidcName(identity.subject),
        details: { issuer: identity.issuer },
        requestId: null,
      })
    })
  }
}
