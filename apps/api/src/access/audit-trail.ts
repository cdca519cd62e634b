import { AuditRepository } from '#libs/database'
import { Injectable } from '@nestjs/common'
import type { Principal } from './access.js'

/** Records what operators and administrators do. */
@Injectable()
export class AuditTrail {
  constructor(private readonly entries: AuditRepository) {}

  /** `details` hold identifiers and counts only, never health data. */
  record(
    { id: apiKeyId }: Principal,
    requestId: string,
    action: string,
    target: string,
    details: Readonly<Record<string, unknown>> = {},
  ): Promise<void> {
    return this.entries.record({ apiKeyId, requestId, action, target, details })
  }
}
