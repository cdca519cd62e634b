import {
  ScheduleRepository,
  BatchRepository,
  ProgressRepository,
  TaskCallRepository,
  TaskRepository,
  type Database,
  type ReplayedTask,
  type TaskEntity,
  TaskListRepository,
  type TaskFilter,
} from '#libs/database'
import { MemoryGuardError } from '#libs/platform'
import { Broker, Dispatcher, FinishedTasks, removeRevoked, storeRevokes, TaskClient, UnrunLines } from '#libs/tasks'
import { batchPredictions, isTerminal, shownName } from '#libs/tasks/contracts'
import { Injectable } from '@nestjs/common'
import { v7 as uuidv7 } from 'uuid'
import type { Principal } from '../access/access.js'
import { AuditTrail, type AuditedAction, type Caller } from '../access/audit-trail.js'
import { ReachableRows } from '../access/reachable-rows.js'
import { toResponse, toSummary } from './task-responses.js'
import {
  maxReplays,
  type ReplayResponse,
  type ReplayRequest,
  type TaskResponse,
  type TaskQuery,
  type TaskRequest,
} from './tasks.schemas.js'

/** What callers and operators do with tasks, within the reach of their key. */
@Injectable()
export class TasksService {
  constructor(
    private readonly tasks: TaskRepository,
    private readonly calls: TaskCallRepository,
    private readonly history: TaskListRepository,
    private readonly schedules: ScheduleRepository,
    private readonly client: TaskClient,
    private readonly broker: Broker,
    private readonly unrun: UnrunLines,
    private readonly dispatcher: Dispatcher,
    private readonly finished: FinishedTasks,
    private readonly progress: ProgressRepository,
    private readonly reachable: ReachableRows,
    private readonly audit: AuditTrail,
  ) {}

  /**
   * Checks, stores and queues a call; waits up to `waitSeconds` for its end.
   * @throws MemoryGuardError TASK_UNKNOWN, REQUEST_INVALID, MODEL_UNKNOWN, MODEL_INPUT_INVALID, ACCESS_ROLE_MISSING,
   * RESOURCE_NOT_FOUND, IDEMPOTENCY_KEY_REUSED; then nothing was stored.
   */
  async send(
    { name, args, countdown, eta, expires, priority, queue }: TaskRequest,
    principal: Principal,
    idempotencyKey: string | undefined,
    waitSeconds: number,
    signal: AbortSignal,
  ): Promise<TaskEntity> {
    const call = await this.client.prepare(this.client.getContract(name), args, principal.userId)
    const result = await this.client.send(call, {
      countdownSeconds: countdown,
      eta: eta === undefined ? undefined : new Date(eta),
      expires: typeof expires === 'string' ? new Date(expires) : expires,
      priority,
      queue,
      idempotencyKey,
      idempotencyScope: principal.id,
      submittedBy: principal.id,
    })
    return this.waitFor(result.id, principal, waitSeconds, signal)
  }

  /** The task, after waiting up to `seconds` for its end. @throws MemoryGuardError RESOURCE_NOT_FOUND */
  async waitFor(id: string, principal: Principal, seconds: number, signal: AbortSignal): Promise<TaskEntity> {
    const task = await this.get(id, principal)
    if (seconds === 0 || isTerminal(task.state)) return task
    await this.finished.wait(id, seconds, signal)
    return this.get(id, principal)
  }

  /** @throws MemoryGuardError RESOURCE_NOT_FOUND, also for what the principal does not reach; RESOURCE_GONE. */
  async get(id: string, principal: Principal): Promise<TaskEntity> {
    return this.reachable.task(await this.tasks.find(id), id, principal)
  }

  /** The task with its attempts, its timeline, and the schedule that sent it. */
  async describe(task: TaskEntity): Promise<TaskResponse> {
    const [attempts, children, origin, progress] = await Promise.all([
      this.tasks.listAttempts(task.id),
      this.calls.listChildren(task.id),
      this.schedules.findOrigin(task.id),
      this.progress.find(task),
    ])
    return toResponse(task, { attempts, children, origin, progress })
  }

  async list({ name, state, queue, worker, since, cursor, limit }: TaskQuery, principal: Principal) {
    const filter = { name, states: state, queue, worker, since, before: cursor, userId: principal.userId ?? undefined }
    const { rows, next } = await this.history.list(filter, limit)
    return { items: rows.map(toSummary), next_cursor: next }
  }

  /** @throws MemoryGuardError TASK_STATE_CONFLICT for a task that has finished and was not cancelled. */
  async revoke(id: string, terminate: boolean, principal: Principal, requestId: string): Promise<TaskEntity> {
    await this.get(id, principal)
    const revoke = (database: Database) => {
      const repositories = {
        calls: new TaskCallRepository(database),
        batches: new BatchRepository(database, this.tasks),
      }
      return storeRevokes(repositories, [id], terminate)
    }
    const revoked = await this.audit.change({ principal, requestId }, revoke, () => ({
      action: terminate ? 'task.terminate' : 'task.revoke',
      target: id,
    }))
    this.unrun.report(revoked.filter(({ state }) => state === 'cancelled'))
    await removeRevoked(this.broker, revoked)
    const task = await this.get(id, principal)
    if (isTerminal(task.state) && task.state !== 'cancelled') {
      throw new MemoryGuardError('TASK_STATE_CONFLICT', `The task has already ended: it is ${task.state}.`)
    }
    return task
  }

  /** @throws MemoryGuardError TASK_STATE_CONFLICT while it is not finished. */
  async forget(id: string, principal: Principal, requestId: string): Promise<void> {
    await this.get(id, principal)
    const forget = async (database: Database) => {
      if ((await new TaskCallRepository(database).forget([id])).has(id)) return
      throw new MemoryGuardError('TASK_STATE_CONFLICT', 'The task has not finished; revoke it first.')
    }
    await this.audit.change({ principal, requestId }, forget, () => ({ action: 'task.forget', target: id }))
  }

  /** @throws MemoryGuardError TASK_STATE_CONFLICT unless it ended without success. */
  async replay(id: string, principal: Principal, requestId: string): Promise<TaskEntity> {
    const { name, state } = await this.get(id, principal)
    const replay = await this.replayAll([id], { principal, requestId }, ([only]) => {
      if (only) return { action: 'task.retry', target: id, details: { replay_id: only.task.taskId } }
      throw new MemoryGuardError(
        'TASK_STATE_CONFLICT',
        shownName(name) === batchPredictions.name
          ? 'A batch is not done again: send its rows in a new batch.'
          : `Only a task that ended without success is done again: it is ${state}.`,
      )
    })
    return this.get(replay[0]?.task.taskId ?? id, principal)
  }

  async replayMany(
    { filter, dry_run }: ReplayRequest,
    principal: Principal,
    requestId: string,
  ): Promise<ReplayResponse> {
    const { state, name, queue, worker, error_code: errorCode, since, ids } = filter
    const states = typeof state === 'string' ? [state] : state
    const userId = principal.userId ?? undefined
    const fits: TaskFilter = { states, name, queue, worker, errorCode, since, ids, userId, mayReplay: true }
    const { count: matched, isComplete } = await this.history.count(fits)
    const found = await this.findReplayable(fits)
    const counted = { dry_run, matched, matched_all: isComplete }
    if (dry_run) return { ...counted, replayed: 0, items: found.map((id) => ({ id, replay_id: null })) }
    const replays = await this.replayAll(found, { principal, requestId }, (made) => ({
      action: 'task.retry_many',
      target: 'tasks',
      details: { matched, replayed: made.length },
    }))
    const items = replays.map(({ original, task }) => ({ id: original, replay_id: task.taskId }))
    return { ...counted, replayed: replays.filter(({ isNew }) => isNew).length, items }
  }

  private async findReplayable(filter: TaskFilter): Promise<readonly string[]> {
    const found: string[] = []
    for (let { before } = filter; ;) {
      const { rows, next } = await this.history.list({ ...filter, before }, maxReplays - found.length)
      found.push(...rows.map(({ id }) => id))
      if (next === null || found.length >= maxReplays) return found
      before = next
    }
  }

  private async replayAll(
    ids: readonly string[],
    caller: Caller,
    describe: (replays: readonly ReplayedTask[]) => AuditedAction,
  ): Promise<readonly ReplayedTask[]> {
    const replayIds = new Map(ids.map((id) => [id, uuidv7()]))
    const replays = await this.audit.change(
      caller,
      (database) => new TaskCallRepository(database).replay(replayIds, caller.principal.id),
      describe,
    )
    for (const { task, isNew } of replays) if (isNew) void this.dispatcher.dispatch(task)
    return replays
  }
}
