import { PlanRepository, TaskListRepository, type Database, type PlanEntity } from '#libs/database'
import { MemoryGuardError } from '#libs/platform'
import { PlanRunner } from '#libs/tasks'
import { Injectable } from '@nestjs/common'
import { v7 as uuidv7 } from 'uuid'
import type { Principal } from '../access/access.js'
import { AuditTrail, type Caller } from '../access/audit-trail.js'
import { toPage } from '../http/paging.js'
import { toTaskFilter } from '../tasks/search-filter.js'
import { conditionsOf } from '../tasks/search-language.js'
import type { TaskConditions } from '../tasks/task-filter.schemas.js'
import { failureStates } from '../tasks/task-search.schemas.js'
import { toPlanResponse, toPlanSummary } from './plan-responses.js'
import type { PlanPage, PlanQuery, PlanRequest, PlanResponse } from './plans.schemas.js'

/** Plans changes of many tasks, and has them run. */
@Injectable()
export class PlansService {
  constructor(
    private readonly plans: PlanRepository,
    private readonly tasks: TaskListRepository,
    private readonly runner: PlanRunner,
    private readonly audit: AuditTrail,
  ) {}

  /**
   * Fixes the tasks of a plan; changes none of them.
   * @throws {MemoryGuardError} REQUEST_INVALID when the search text is not understood; ACCESS_ROLE_MISSING.
   */
  async create({ action, filter, terminate }: PlanRequest, caller: Caller): Promise<PlanResponse> {
    mustReachAll(caller.principal)
    const { ids, state, ...rest } = filter
    const given = conditionsOf({ ...rest, state: typeof state === 'string' ? [state] : state }, '/filter')
    const conditions = action === 'retry' && !given.state ? { ...given, state: [...failureStates] } : given
    // A search that can find nothing still makes a plan, of nothing.
    const found = toTaskFilter(conditions, caller.principal)
    const tasks = await this.tasks.withIds(found ? { ...found, ids } : { ids: [] })
    const shown = { ...(await this.withoutPerson(conditions)), ...(ids && { ids }) }
    const plan = { id: uuidv7(), action, terminate, tasks, shown, plannedBy: caller.principal.id }
    const made = await this.audit.change(
      caller,
      (database) => new PlanRepository(database).create(plan),
      ({ id, total }) => ({
        action: 'plan.create',
        target: id,
        details: { action, terminate, filter: { ...shown, ...(ids && { ids: ids.length }) }, total },
      }),
    )
    return this.toResponse(made)
  }

  /**
   * Has a plan run; running one again changes nothing.
   * @throws {MemoryGuardError} PLAN_EXPIRED when it was not run in time; RESOURCE_NOT_FOUND; ACCESS_ROLE_MISSING.
   */
  async run(id: string, caller: Caller): Promise<PlanResponse> {
    const plan = await this.find(id, caller.principal)
    if (!plan.startedAt) await this.start(plan, caller)
    return this.get(id, caller.principal)
  }

  async get(id: string, principal: Principal): Promise<PlanResponse> {
    return this.toResponse(await this.find(id, principal))
  }

  async list({ cursor, limit }: PlanQuery, principal: Principal): Promise<PlanPage> {
    mustReachAll(principal)
    return toPage(await this.plans.list(cursor, limit + 1), limit, toPlanSummary, ({ id }) => id)
  }

  private async start({ id, action, total }: PlanEntity, caller: Caller): Promise<void> {
    const start = async (database: Database) => {
      if (await new PlanRepository(database).start(id, caller.principal.id)) return
      throw new MemoryGuardError('PLAN_EXPIRED', 'It was not run within five minutes. Plan it again.')
    }
    try {
      await this.audit.change(caller, start, () => ({ action: 'plan.run', target: id, details: { action, total } }))
    } catch (error) {
      // Two callers at the same moment start the same run.
      const now = await this.plans.find(id)
      if (!now?.startedAt) throw error
    }
    this.runner.loop.wake()
  }

  private async find(id: string, principal: Principal): Promise<PlanEntity> {
    mustReachAll(principal)
    const plan = await this.plans.find(id)
    if (plan) return plan
    throw new MemoryGuardError(
      'RESOURCE_NOT_FOUND',
      'There is no such plan, or it is past the time for which it is kept.',
    )
  }

  private async toResponse(plan: PlanEntity): Promise<PlanResponse> {
    const { rows } = await this.tasks.list({ ids: plan.sample }, plan.sample.length)
    return toPlanResponse(plan, rows)
  }

  /** The conditions with the pseudonym of a person: neither plans nor the audit trail hold the numbers of people. */
  private async withoutPerson({ user_id: userId, ...rest }: TaskConditions): Promise<Record<string, unknown>> {
    return { ...rest, ...(userId !== undefined && { person: await this.audit.pseudonymOf(userId) }) }
  }
}

/** Plans are about everyone's tasks. @throws {MemoryGuardError} ACCESS_ROLE_MISSING for a key of one person. */
const mustReachAll = ({ userId }: Principal): void => {
  if (userId === null) return
  throw new MemoryGuardError('ACCESS_ROLE_MISSING', 'This needs a key that is not bound to a person.')
}
