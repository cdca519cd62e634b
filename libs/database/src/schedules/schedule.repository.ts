import { Inject, Injectable } from '@nestjs/common'
import type { TaskState } from '#libs/tasks/contracts'
import { DataSource, QueryFailedError } from 'typeorm'
import { AuditRepository } from '../access/audit.repository.js'
import type { Database } from '../connection/database.js'
import { v7 as uuidv7, validate as isUuid } from 'uuid'
import { readDatabaseTime } from '../connection/database-time.js'
import { ScheduleEntity } from './schedule.entity.js'
import { toEnqueueable, type EnqueueableTask, type EnqueueRow } from '../tasks/enqueue-row.js'
import type { StoredSubmission } from '../tasks/submission.js'

/** What an operator decides of a schedule. */
export type ScheduleSettings = Omit<
  ScheduleEntity,
  'id' | 'name' | 'lastRunAt' | 'lastTaskId' | 'createdAt' | 'updatedAt'
>

/** What a due schedule does now. */
export interface Firing {
  /** Ticks that run, oldest first. */
  readonly ticks: readonly Date[]
  /** The tick after them; null if there is none. */
  readonly nextRunAt: Date | null
}

/** A task that a schedule has sent. */
export interface ScheduleRun {
  /** The tick, or when it was run by hand. */
  readonly at: Date
  readonly taskId: string
  readonly state: TaskState
}

/** The schedule that sent a task; its name is null if it was deleted since. */
export interface ScheduleOrigin {
  readonly id: string
  readonly name: string | null
  readonly at: Date
}

/** SQLSTATE */
const uniqueViolation = '23505'

/** Most schedules that one transaction fires: after an outage each takes some milliseconds to plan. */
const pageSize = 25

/** Together they distinguish one tick from another for all time, under the unique index of idempotency keys. */
const scopePrefix = 'schedule:'
/** The time comes first, so that the keys of a schedule sort by it. */
const timeOf = (key: string): Date => new Date(key.split(' ')[0] ?? key)

/** Schedules, and the tasks that they send. */
@Injectable()
export class ScheduleRepository {
  constructor(@Inject(DataSource) private readonly database: Database) {}

  /** @returns null if another schedule has the name. */
  async create(name: string, settings: ScheduleSettings): Promise<ScheduleEntity | null> {
    const [rows, at] = [this.database.getRepository(ScheduleEntity), await this.readTime()]
    const row = { ...settings, id: uuidv7(), name, lastRunAt: null, lastTaskId: null, createdAt: at, updatedAt: at }
    try {
      return await rows.save(rows.create(row))
    } catch (error) {
      if (
        error instanceof QueryFailedError &&
        'code' in error.driverError &&
        error.driverError.code === uniqueViolation
      )
        return null
      throw error
    }
  }

  /** The clock by which schedules fire. */
  readTime(): Promise<Date> {
    return readDatabaseTime(this.database)
  }

  /** By id or by name. */
  async find(idOrName: string): Promise<ScheduleEntity | null> {
    return this.database.getRepository(ScheduleEntity).findOneBy(keyOf(idOrName))
  }

  /** By name; `userId` leaves those that are about this person. */
  async list(userId: number | null, afterName: string | undefined, limit: number): Promise<readonly ScheduleEntity[]> {
    const query = this.database.getRepository(ScheduleEntity).createQueryBuilder('schedule')
    if (userId !== null) query.andWhere('schedule.user_id = :userId', { userId })
    if (afterName !== undefined) query.andWhere('schedule.name > :afterName', { afterName })
    return query.orderBy('schedule.name').limit(limit).getMany()
  }

  /** Changes a schedule while no tick of it fires. @returns null if there is none. */
  async update(
    idOrName: string,
    change: (schedule: ScheduleEntity) => Promise<Partial<ScheduleSettings>>,
  ): Promise<ScheduleEntity | null> {
    return this.database.transaction(async (manager) => {
      const schedule = await manager.findOne(ScheduleEntity, {
        where: keyOf(idOrName),
        lock: { mode: 'pessimistic_write' },
      })
      const updatedAt = await readDatabaseTime(manager)
      return schedule && manager.save(Object.assign(schedule, await change(schedule), { updatedAt }))
    })
  }

  /** Its tasks stay. @returns the deleted schedule, or null if there is none. */
  async remove(idOrName: string): Promise<ScheduleEntity | null> {
    const schedule = await this.find(idOrName)
    return schedule && this.database.getRepository(ScheduleEntity).remove(schedule)
  }

  /** Milliseconds until the next tick of any schedule, negative if it is overdue; null without one. */
  async findDueInMs(): Promise<number | null> {
    const [row]: { ms: number | null }[] = await this.database.query(
      `SELECT (extract(epoch FROM min(next_run_at) - now()) * 1000)::float8 AS ms
       FROM schedules WHERE next_run_at IS NOT NULL`,
    )
    return row?.ms ?? null
  }

  /**
   * Fires what is due, at most a page of it: in one transaction the due schedules are locked (another process skips
   * them), the tasks of their ticks are stored, and they move on to their next tick. `plan` must not throw. Returns
   * the stored tasks, which are to be enqueued now; should that not happen, the reconciler does it.
   */
  async fireDue(plan: (schedule: ScheduleEntity, now: Date) => Firing): Promise<readonly EnqueueableTask[]> {
    return this.database.transaction(async (manager) => {
      const schedules = await manager
        .createQueryBuilder(ScheduleEntity, 'schedule')
        .setLock('pessimistic_write')
        .setOnLocked('skip_locked')
        .where('schedule.next_run_at <= now()')
        .orderBy('schedule.next_run_at')
        .limit(pageSize)
        .getMany()
      if (schedules.length === 0) return []
      const now = await readDatabaseTime(manager)
      const fired = schedules.map((schedule) => {
        const { id } = schedule
        const { ticks, nextRunAt } = plan(schedule, now)
        const tasks = ticks.map((tick) => ({ id: uuidv7(), schedule: id, key: tick.toISOString() }))
        return { id, nextRunAt, tasks, lastRunAt: ticks.at(-1) ?? null, lastTaskId: tasks.at(-1)?.id ?? null }
      })
      const made = await storeTasks(
        manager,
        fired.flatMap(({ tasks }) => tasks),
      )
      await manager.query(
        `UPDATE schedules s SET next_run_at = f."nextRunAt", last_run_at = coalesce(f."lastRunAt", s.last_run_at),
           last_task_id = coalesce(f."lastTaskId", s.last_task_id)
         FROM jsonb_to_recordset($1::jsonb) AS f(
           id uuid, "nextRunAt" timestamptz, "lastRunAt" timestamptz, "lastTaskId" uuid)
         WHERE s.id = f.id`,
        [JSON.stringify(fired)],
      )
      const trail = new AuditRepository(manager)
      for (const { id, nextRunAt } of fired) if (!nextRunAt) await trail.recordOwn('schedule.stop', id, {})
      return made
    })
  }

  /** Stores a task of the schedule now, apart from its ticks; returns null if the schedule is gone. */
  async runNow({ id }: ScheduleEntity, taskId: string): Promise<StoredSubmission | null> {
    const key = `${(await this.readTime()).toISOString()} ${taskId}`
    const tasks = await storeTasks(this.database, [{ id: taskId, schedule: id, key }])
    return tasks.length === 0 ? null : { taskId, isNew: true, tasks }
  }

  /** The last tasks of a schedule that the history still holds, newest first. */
  async listRuns(id: string, limit: number): Promise<readonly ScheduleRun[]> {
    const rows: { id: string; state: TaskState; key: string }[] = await this.database.query(
      `SELECT id, state, idempotency_key AS key FROM tasks
       WHERE idempotency_scope = $1 AND idempotency_key IS NOT NULL ORDER BY idempotency_key DESC LIMIT $2`,
      [`${scopePrefix}${id}`, limit],
    )
    return rows.map((row) => ({ at: timeOf(row.key), taskId: row.id, state: row.state }))
  }

  /** The schedule that sent a task; null if it was sent otherwise. */
  async findOrigin(taskId: string): Promise<ScheduleOrigin | null> {
    const [row]: { id: string; name: string | null; key: string }[] = await this.database.query(
      `SELECT o.id, s.name, o.key FROM (
         SELECT substr(idempotency_scope, ${scopePrefix.length + 1}) AS id, idempotency_key AS key FROM tasks
         WHERE id = $1 AND idempotency_scope LIKE '${scopePrefix}%'
       ) o LEFT JOIN schedules s ON s.id::text = o.id`,
      [taskId],
    )
    return row ? { id: row.id, name: row.name, at: timeOf(row.key) } : null
  }
}

const keyOf = (idOrName: string) => (isUuid(idOrName) ? { id: idOrName } : { name: idOrName })

/** Stores the tasks of ticks; a tick that has its task already is left out. */
const storeTasks = async (
  database: Database,
  tasks: readonly { readonly id: string; readonly schedule: string; readonly key: string }[],
): Promise<readonly EnqueueableTask[]> => {
  if (tasks.length === 0) return []
  const rows: EnqueueRow[] = await database.query(
    `WITH made AS (
       INSERT INTO tasks AS t (id, name, queue, state, args, user_id, prediction_id, priority, expires_at,
         idempotency_scope, idempotency_key)
       SELECT i.id, s.task, s.queue, 'queued', s.args - 'user_id' - 'prediction_id', s.user_id, s.prediction_id, s.priority,
         now() + make_interval(secs => s.expires_seconds), '${scopePrefix}' || s.id, i.key
       FROM jsonb_to_recordset($1::jsonb) AS i(id uuid, schedule uuid, key text) JOIN schedules s ON s.id = i.schedule
       -- One that is being erased sends nothing more.
       FOR KEY SHARE OF s
       ON CONFLICT DO NOTHING
       RETURNING t.*
     )
     SELECT id, name, queue, attempt, priority, 0 AS delay_ms FROM made ORDER BY id`,
    [JSON.stringify(tasks)],
  )
  return rows.map(toEnqueueable)
}
