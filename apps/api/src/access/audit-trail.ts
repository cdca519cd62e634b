import { AuditRepository, type AuditEntry, type Database } from '#libs/database'
import { Injectable } from '@nestjs/common'
import { principalOf, type Principal, type RequestWithPrincipal } from './access.js'

/** Under which id the trail records who makes a change, and by which request. */
interface Actor {
  readonly principal: Pick<Principal, 'id'>
  readonly requestId: string
}

/** Who makes a change, and by which request. */
export interface Caller extends Actor {
  readonly principal: Principal
}

export const callerOf = (request: RequestWithPrincipal): Caller => ({
  principal: principalOf(request),
  requestId: request.id,
})

/** What was done. `details` hold identifiers, counts and pseudonyms only, never health data or the number of a person. */
export interface AuditedAction {
  /** `noun.verb`, for example `task.revoke`. */
  readonly action: string
  /** What it was done to: an id or a name. */
  readonly target: string
  readonly details?: Readonly<Record<string, unknown>>
}

/** Has what callers change recorded with the change itself. */
@Injectable()
export class AuditTrail {
  constructor(private readonly entries: AuditRepository) {}

  /**
   * Makes a change and records it in one transaction: if one of them fails, neither is stored. What `change` throws
   * rolls both back. Send notifications outside the database only after this has resolved.
   */
  change<Outcome>(
    caller: Actor,
    change: (database: Database) => Promise<Outcome>,
    describe: (outcome: Outcome) => AuditedAction,
  ): Promise<Outcome> {
    return this.entries.recordChange(change, (outcome) => toEntry(caller, describe(outcome)))
  }

  /** Records what is no change of rows, or is about to become one. */
  record(caller: Caller, action: AuditedAction): Promise<void> {
    return this.entries.record(toEntry(caller, action))
  }

  /** The name of a person in the trail. */
  pseudonymOf(userId: number): Promise<string> {
    return this.entries.pseudonymOf(userId)
  }
}

/** The entry of what a caller did. */
export const toEntry = (
  { principal, requestId }: Actor,
  { action, target, details = {} }: AuditedAction,
): AuditEntry => ({
  apiKeyId: principal.id,
  requestId,
  action,
  target,
  details,
})
