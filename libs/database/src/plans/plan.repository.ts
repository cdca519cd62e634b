import { Inject, Injectable } from '@nestjs/common'
import type { TaskState } from '#libs/tasks/contracts'
import { DataSource, LessThan, type FindOptionsWhere } from 'typeorm'
import { AuditRepository } from '../access/audit.repository.js'
import type { Database } from '../connection/database.js'
import { isDatabaseUnavailable } from '../connection/database-unavailable.js'
import { Conditions } from '../lists/list-sources.js'
import { sourceList } from '../tasks/task-sql.js'
import { replayableStates } from '../tasks/task-call.repository.js'
import { addFilter, type TaskFilter } from '../tasks/task-filter.js'
import { PlanEntity, type PlanAction } from './plan.entity.js'
import * as sql from './plans.sql.js'

/** A plan to be made. */
export interface NewPlan {
  readonly id: string
  readonly action: PlanAction
  readonly terminate: boolean
  /** Which tasks, with `ids` for what `TaskListRepository.withIds` resolves. */
  readonly tasks: TaskFilter
  /** The filter as it may be stored. */
  readonly shown: Readonly<Record<string, unknown>>
  readonly plannedBy: string
}

/** Tasks of a running plan that are to be changed in one transaction. */
export interface PlanSlice {
  readonly planId: string
  readonly slice: number
  readonly ids: readonly string[]
  /** Times that changing them has failed. */
  readonly failures: number
  readonly action: PlanAction
  readonly terminate: boolean
  readonly runBy: string
}

/** Makes the change of a slice for those of its tasks to which it applies; returns how many it has changed. */
export type ChangeTasks = (database: Database, slice: PlanSlice, ids: readonly string[]) => Promise<number>

/** What became of a turn: nothing runs, others were changing every task that was tried, or some tasks are done with. */
export type SliceTurn = 'idle' | 'busy' | 'done'

/** Most tasks of one plan. */
const maxTasks = 1_000_000
/** From the third time on the tasks of a slice are changed one by one, so that one alone can fail. */
const failuresOfMany = 2

/** States of tasks to which each action applies. */
const conditionOf: Readonly<Record<PlanAction, string>> = {
  retry: `t.finished_at IS NOT NULL AND t.error_code IS NOT NULL AND t.state IN (${replayableStates
    .map((state) => `'${state}'`)
    .join(', ')})`,
  revoke: 't.finished_at IS NULL',
  purge: `t.finished_at IS NULL AND t.state IN (${sourceList('running')})`,
}

/** Plans, and the slices of them that are still to be done. */
@Injectable()
export class PlanRepository {
  constructor(@Inject(DataSource) private readonly database: Database) {}

  /** Fixes the tasks of a plan in one statement. */
  async create({ id, action, terminate, tasks, shown, plannedBy }: NewPlan, most = maxTasks): Promise<PlanEntity> {
    const fitting = new Conditions().add(conditionOf[action])
    addFilter(fitting, { ...tasks, mayReplay: action === 'retry' }, tasks.states)
    const parameters = {
      id: fitting.bind(id),
      action: fitting.bind(action),
      terminate: fitting.bind(terminate),
      filter: fitting.bind(JSON.stringify(shown)),
      plannedBy: fitting.bind(plannedBy),
      most: fitting.bind(most),
    }
    await this.database.query(sql.insertPlan(fitting.text, parameters), fitting.values)
    return this.database.getRepository(PlanEntity).findOneByOrFail({ id })
  }

  async find(id: string): Promise<PlanEntity | null> {
    return this.database.getRepository(PlanEntity).findOneBy({ id })
  }

  /** Newest first; `before` is the id of the last plan of the page before. */
  async list(before: string | undefined, limit: number): Promise<readonly PlanEntity[]> {
    const where: FindOptionsWhere<PlanEntity> = before === undefined ? {} : { id: LessThan(before) }
    return this.database.getRepository(PlanEntity).find({ where, order: { id: 'DESC' }, take: limit })
  }

  /** Has a plan run from now on; returns false if it runs already, has run or has expired. */
  async start(id: string, runBy: string): Promise<boolean> {
    const rows: unknown[] = await this.database.query(sql.startPlan, [id, runBy])
    return rows.length > 0
  }

  /**
   * Changes a slice of a running plan, in one transaction with the progress of the plan: a process that dies has changed
   * nothing, and none changes a task twice.
   * @throws what `change` throws; the slice is then left for later.
   */
  async runSlice(change: ChangeTasks): Promise<SliceTurn> {
    let taken: PlanSlice | undefined
    try {
      return await this.database.transaction(async (transaction) => {
        const [slice]: PlanSlice[] = await transaction.query(sql.takeSlice)
        if (!slice) return 'idle'
        taken = slice
        return changeSlice(transaction, slice, change)
      })
    } catch (error) {
      if (taken && !isDatabaseUnavailable(error)) await this.noteFailure(taken)
      throw error
    }
  }

  /** Removes plans that nobody will run or ask for any more. */
  async removeOld(keptSeconds: number): Promise<void> {
    await this.database.query(sql.deleteOldPlans, [keptSeconds])
  }

  /** Counts the failure of a slice; one task that has failed alone is given up. */
  private async noteFailure({ planId, slice, ids, failures }: PlanSlice): Promise<void> {
    if (failures < failuresOfMany) return void (await this.database.query(sql.countFailure, [planId, slice]))
    await this.database.transaction(async (transaction) => {
      const rows: { ids: string[] }[] = await transaction.query(sql.lockSlice, [planId, slice, ids[0]])
      for (const { ids: held } of rows)
        await endTasks(transaction, { planId, slice }, { left: held.slice(1), done: 0, skipped: 0, failed: 1 })
    })
  }
}

interface LockedTask {
  readonly id: string
  /** Null if someone else is just changing it. */
  readonly state: TaskState | null
  readonly hasEnded: boolean | null
}

const changeSlice = async (transaction: Database, slice: PlanSlice, change: ChangeTasks): Promise<SliceTurn> => {
  const tried = slice.failures < failuresOfMany ? slice.ids : slice.ids.slice(0, 1)
  const rows: LockedTask[] = await transaction.query(sql.lockTasks, [tried])
  const busy = rows.filter(({ state }) => state === null).map(({ id }) => id)
  const fitting = rows.filter((task) => isApplicable(slice.action, task)).map(({ id }) => id)
  const done = fitting.length > 0 ? await change(transaction, slice, fitting) : 0
  const left = [...busy, ...slice.ids.slice(tried.length)]
  await endTasks(transaction, slice, { left, done, skipped: tried.length - busy.length - done, failed: 0 })
  return busy.length === tried.length ? 'busy' : 'done'
}

const isApplicable = (action: PlanAction, { state, hasEnded }: LockedTask): boolean => {
  if (state === null) return false
  if (action === 'retry') return replayableStates.includes(state)
  return !hasEnded && (action === 'revoke' || state !== 'running')
}

interface EndOfTasks {
  /** Tasks that are still to be changed. */
  readonly left: readonly string[]
  readonly done: number
  readonly skipped: number
  readonly failed: number
}

/** Stores what has become of tasks of a slice, and the end of the plan with its entry in the audit trail. */
const endTasks = async (
  transaction: Database,
  { planId, slice }: Pick<PlanSlice, 'planId' | 'slice'>,
  { left, done, skipped, failed }: EndOfTasks,
): Promise<void> => {
  if (left.length > 0) await transaction.query(sql.keepInSlice, [planId, slice, left])
  else await transaction.query(sql.deleteSlice, [planId, slice])
  await transaction.query(sql.addProgress, [planId, done, skipped, failed])
  if (left.length > 0) return
  const rows: { runBy: string; [count: string]: unknown }[] = await transaction.query(sql.finishPlan, [planId])
  for (const { runBy: apiKeyId, ...details } of rows) {
    const entry = { apiKeyId, action: 'plan.finish', target: planId, details, requestId: null }
    await new AuditRepository(transaction).record(entry)
  }
}
