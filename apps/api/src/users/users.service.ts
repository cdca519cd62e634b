import { ErasureRepository } from '#libs/database'
import { MemoryGuardError } from '#libs/platform'
import { Enqueuer, ResultParts, revokeTasks } from '#libs/tasks'
import { Injectable } from '@nestjs/common'
import { mayActAs, mustReach, type Principal } from '../access/access.js'
import { AuditTrail, toEntry } from '../access/audit-trail.js'
import { CredentialCache } from '../access/credential-cache.js'
import type { ErasureResponse } from './users.schemas.js'

/** Erases people. */
@Injectable()
export class UsersService {
  constructor(
    private readonly erasures: ErasureRepository,
    private readonly results: ResultParts,
    private readonly enqueuer: Enqueuer,
    private readonly keys: CredentialCache,
    private readonly audit: AuditTrail,
  ) {}

  /**
   * Erases all data of a person. Running tasks are cancelled; the result of one that ends too late finds no task and is dropped.
   * @throws MemoryGuardError ACCESS_ROLE_MISSING
   */
  async erase(userId: number, principal: Principal, requestId: string): Promise<ErasureResponse> {
    mustReach(principal, userId)
    if (principal.userId === null && !mayActAs(principal.role, 'operator')) {
      throw new MemoryGuardError(
        'ACCESS_ROLE_MISSING',
        'This needs a key with the role operator, or one that is bound to the person.',
      )
    }
    const caller = { principal, requestId }
    const pseudonym = await this.audit.pseudonymOf(userId)
    // An erasure is many transactions: one that is cut off between them leaves this entry without `user.erase`.
    await this.audit.record(caller, { action: 'user.erase_begin', target: pseudonym })
    await revokeTasks(this.results, await this.erasures.listUnfinished(userId), false)
    const { counts, jobs, restarted } = await this.erasures.erase(userId, (erased) =>
      toEntry(caller, { action: 'user.erase', target: pseudonym, details: { erased } }),
    )
    for (const task of restarted) void this.enqueuer.enqueue(task)
    await this.results.broker.removeIfThere(jobs)
    this.keys.clear()
    return { pseudonym, erased: counts, remaining: 0 }
  }
}
