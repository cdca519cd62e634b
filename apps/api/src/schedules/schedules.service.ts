import { ScheduleRepository, type Database, type ScheduleEntity, type ScheduleSettings } from '#libs/database'
import { MemoryGuardError, type InputFault } from '#libs/platform'
import { checkTiming, Submissions, TaskClient, ticksAfter, toNewTask, type Timing } from '#libs/tasks'
import { batchPredictions, celeryStateOf } from '#libs/tasks/contracts'
import { Injectable } from '@nestjs/common'
import { v7 as uuidv7 } from 'uuid'
import { reaches, type Principal } from '../access/access.js'
import { AuditTrail, type Caller } from '../access/audit-trail.js'
import { toPage } from '../http/paging.js'
import type {
  ScheduleResponse,
  ScheduleChange,
  ScheduleDetail,
  ScheduleQuery,
  ScheduleRequest,
} from './schedules.schemas.js'

/** How many next times and how many last runs a response contains. */
const timesAhead = 3
const shownRuns = 10

/** What a schedule sends: the part of it that the contract of the task decides about. */
type Sending = Pick<ScheduleSettings, 'task' | 'args' | 'userId' | 'predictionId' | 'queue' | 'priority'>

/** Makes, changes and reads schedules; workers fire them. */
@Injectable()
export class SchedulesService {
  constructor(
    private readonly schedules: ScheduleRepository,
    private readonly client: TaskClient,
    private readonly submissions: Submissions,
    private readonly audit: AuditTrail,
  ) {}

  /** @throws MemoryGuardError TASK_UNKNOWN, REQUEST_INVALID, SCHEDULE_CONFLICT; then nothing was stored. */
  async create(request: ScheduleRequest, principal: Principal, requestId: string): Promise<ScheduleResponse> {
    const { name, task, args, cron, interval_seconds: intervalSeconds, is_paused: isPaused } = request
    const timing = { cron, timeZone: request.time_zone ?? (cron === null ? null : 'UTC'), intervalSeconds }
    mustTick(timing)
    const settings: ScheduleSettings = {
      ...timing,
      ...(await this.check(task, args, request.queue, request.priority)),
      catchUp: request.catch_up,
      expiresSeconds: request.expires_seconds,
      isPaused,
      nextRunAt: isPaused ? null : nextTick(timing, await this.schedules.readTime()),
    }
    const create = async (database: Database) => {
      const schedule = await new ScheduleRepository(database).create(name, settings)
      if (schedule) return schedule
      throw new MemoryGuardError(
        'SCHEDULE_CONFLICT',
        'A schedule has this name already: change it, or choose another.',
        { faults: [{ pointer: '/name', message: 'must not be the name of another schedule' }] },
      )
    }
    return toResponse(await this.change({ principal, requestId }, 'create', create, { task }))
  }

  async list({ cursor, limit }: ScheduleQuery, { userId }: Principal) {
    const rows = await this.schedules.list(userId, cursor, limit + 1)
    return toPage(rows, limit, toResponse, ({ name }) => name)
  }

  /** @throws MemoryGuardError RESOURCE_NOT_FOUND, also for what the principal does not reach. */
  async get(key: string, principal: Principal): Promise<ScheduleDetail> {
    const found = await this.schedules.find(key)
    const schedule = mustExist(found && reaches(principal, Number(found.userId)) ? found : null)
    const runs = await this.schedules.listRuns(schedule.id, shownRuns)
    return {
      ...toResponse(schedule),
      recent_runs: runs.map(({ at, taskId, state }) => ({
        at: at.toISOString(),
        task_id: taskId,
        state,
        celery_state: celeryStateOf(state),
      })),
    }
  }

  /**
   * Changes what is given. A new timing counts from now, and so does one that is resumed: what was missed in between is
   * not made up for.
   * @throws MemoryGuardError as `create`, and RESOURCE_NOT_FOUND
   */
  async update(
    key: string,
    change: ScheduleChange,
    principal: Principal,
    requestId: string,
  ): Promise<ScheduleResponse> {
    const update = async (database: Database) =>
      mustExist(await new ScheduleRepository(database).update(key, (before) => this.apply(before, change)))
    const details = { changed: Object.keys(change) }
    return toResponse(await this.change({ principal, requestId }, 'update', update, details))
  }

  /** The tasks that it has sent stay. @throws MemoryGuardError RESOURCE_NOT_FOUND */
  async remove(key: string, principal: Principal, requestId: string): Promise<void> {
    const remove = async (database: Database) => {
      const schedules = new ScheduleRepository(database)
      const { id, task } = mustExist(await schedules.find(key))
      mustExist(await schedules.remove(id))
      return { id, task }
    }
    await this.audit.change({ principal, requestId }, remove, ({ id, task }) => ({
      action: 'schedule.delete',
      target: id,
      details: { task },
    }))
  }

  /**
   * Sends its task now, apart from its times, and waits up to `waitSeconds` for its end. Returns the task's id.
   * @throws {MemoryGuardError} RESOURCE_NOT_FOUND when there is no such schedule.
   */
  async run(key: string, caller: Caller, waitSeconds: number, signal: AbortSignal): Promise<string> {
    const schedule = mustExist(await this.schedules.find(key))
    const row = { taskId: uuidv7() }
    const store = () =>
      this.audit.change(
        caller,
        async (database) => mustExist(await new ScheduleRepository(database).runNow(schedule, row.taskId)),
        ({ taskId }) => ({ action: 'schedule.run', target: schedule.id, details: { task_id: taskId } }),
      )
    await this.submissions.submit(store, row, waitSeconds, signal)
    return row.taskId
  }

  private change(
    caller: Caller,
    what: string,
    change: (database: Database) => Promise<ScheduleEntity>,
    details: Readonly<Record<string, unknown>>,
  ): Promise<ScheduleEntity> {
    return this.audit.change(caller, change, ({ id }) => ({ action: `schedule.${what}`, target: id, details }))
  }

  private async apply(before: ScheduleEntity, change: ScheduleChange): Promise<Partial<ScheduleSettings>> {
    const timing = changeTiming(before, change)
    mustTick(timing)
    const { task = before.task, args = before.args, priority = before.priority } = change
    // Another task has another queue of its own.
    const kept = task === before.task ? before.queue : null
    const isKept = [change.task, change.args, change.queue, change.priority].every((given) => given === undefined)
    const isPaused = change.is_paused ?? before.isPaused
    const goesOn = before.nextRunAt !== null && !isChanged(before, timing)
    return {
      ...timing,
      ...(!isKept && (await this.check(task, args, change.queue === undefined ? kept : change.queue, priority))),
      catchUp: change.catch_up ?? before.catchUp,
      expiresSeconds: change.expires_seconds === undefined ? before.expiresSeconds : change.expires_seconds,
      isPaused,
      nextRunAt: isPaused ? null : goesOn ? before.nextRunAt : nextTick(timing, await this.schedules.readTime()),
    }
  }

  /** Checks a task and its arguments as a call of it would, so that firing has nothing left to check. */
  private async check(
    task: string,
    given: Readonly<Record<string, unknown>>,
    queue: string | null,
    priority: number,
  ): Promise<Sending> {
    const contract = this.client.getContract(task, '/task')
    const faults = Object.keys(given)
      .filter((name) => name.startsWith('health_metrics'))
      .map((name) => ({ pointer: `/args/${name}`, message: healthDataMessage }))
    if (contract.name === batchPredictions.name) faults.push({ pointer: '/task', message: batchMessage })
    if (faults.length > 0) throw invalid(faults)
    const call = await this.client.prepare(contract, given)
    const { args, userId, predictionId, ...row } = toNewTask(call, { queue: queue ?? undefined, priority })
    // What of the columns is an argument of this task is kept with the arguments, as they were given.
    const ids = {
      ...('user_id' in given && { user_id: userId }),
      ...(predictionId !== null && { prediction_id: predictionId }),
    }
    return {
      task,
      args: { ...args, ...ids },
      userId: userId === null ? null : String(userId),
      predictionId: predictionId === null ? null : String(predictionId),
      queue: row.queue,
      priority,
    }
  }
}

const batchMessage = 'must be another task: a batch is sent at once, as a whole, with POST /v1/batches'

const healthDataMessage =
  'must be left out: a schedule keeps no health data. Name what is stored, by `prediction_id` or `user_id`'

const invalid = (faults: readonly InputFault[]): MemoryGuardError =>
  new MemoryGuardError('REQUEST_INVALID', 'There can be no such schedule; see `errors`.', { faults })

const mustTick = (timing: Timing): void => {
  const faults = checkTiming(timing)
  if (faults.length > 0) throw invalid(faults)
}

const mustExist = <Found>(found: Found | null): Found => {
  if (found === null) throw new MemoryGuardError('RESOURCE_NOT_FOUND', 'There is no such schedule.')
  return found
}

const nextTick = (timing: Timing, now: Date): Date | null => ticksAfter(timing, now, 1)[0] ?? null

/** Cron takes the place of an interval, and the other way round, unless both are given. */
const changeTiming = (before: Timing, change: ScheduleChange): Timing => {
  const { cron: givenCron, interval_seconds: givenInterval, time_zone: givenZone } = change
  const cron = givenCron ?? (givenCron === undefined && !givenInterval ? before.cron : null)
  const intervalSeconds = givenInterval ?? (givenInterval === undefined && !givenCron ? before.intervalSeconds : null)
  const kept = givenZone === undefined ? before.timeZone : null
  return { cron, timeZone: givenZone ?? (cron === null ? null : (kept ?? 'UTC')), intervalSeconds }
}

const isChanged = (before: Timing, { cron, timeZone, intervalSeconds }: Timing): boolean =>
  cron !== before.cron || timeZone !== before.timeZone || intervalSeconds !== before.intervalSeconds

const toResponse = (schedule: ScheduleEntity): ScheduleResponse => {
  const { nextRunAt } = schedule
  const ahead = nextRunAt ? [nextRunAt, ...ticksAfter(schedule, nextRunAt, timesAhead - 1)] : []
  return {
    id: schedule.id,
    name: schedule.name,
    task: schedule.task,
    args: schedule.args,
    cron: schedule.cron,
    time_zone: schedule.timeZone,
    interval_seconds: schedule.intervalSeconds,
    catch_up: schedule.catchUp,
    is_paused: schedule.isPaused,
    queue: schedule.queue,
    priority: schedule.priority,
    expires_seconds: schedule.expiresSeconds,
    next_run_at: nextRunAt?.toISOString() ?? null,
    next_runs: ahead.map((time) => time.toISOString()),
    last_run_at: schedule.lastRunAt?.toISOString() ?? null,
    last_task_id: schedule.lastTaskId,
    created_at: schedule.createdAt.toISOString(),
    updated_at: schedule.updatedAt.toISOString(),
  }
}
