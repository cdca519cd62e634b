import { Injectable } from '@nestjs/common'
import { DataSource } from 'typeorm'

/** Something that an operator or administrator did. It holds identifiers only, never health data. */
export interface AuditEntry {
  /** Id of the API key that did it. */
  readonly apiKeyId: string
  /** `noun.verb`, for example `task.revoke`. */
  readonly action: string
  /** What it was done to: an id or a name. */
  readonly target: string
  readonly details: Readonly<Record<string, unknown>>
  readonly requestId: string
}

/** An entry as it is stored. */
export interface AuditRecord extends Omit<AuditEntry, 'apiKeyId' | 'requestId'> {
  readonly id: number
  readonly at: Date
  readonly apiKeyId: string | null
  readonly requestId: string | null
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

@Injectable()
export class AuditRepository {
  constructor(private readonly dataSource: DataSource) {}

  async record({ apiKeyId, action, target, details, requestId }: AuditEntry): Promise<void> {
    await this.dataSource.query(
      'INSERT INTO audit_log (api_key_id, action, target, details, request_id) VALUES ($1, $2, $3, $4, $5)',
      [apiKeyId, action, target, JSON.stringify(details), requestId],
    )
  }

  /** Newest first; `before` is the id of the last entry of the page before. */
  async list(before: number | undefined, limit: number): Promise<readonly AuditRecord[]> {
    const rows: AuditRow[] = await this.dataSource.query(
      'SELECT * FROM audit_log WHERE ($1::bigint IS NULL OR id < $1) ORDER BY id DESC LIMIT $2',
      [before ?? null, limit],
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
}
