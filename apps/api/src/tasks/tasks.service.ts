import { TaskListRepository, TaskRepository, type TaskEntity } from '#libs/database'
import { FinishedTasks, TaskClient } from '#libs/tasks'
import { isTerminal } from '#libs/tasks/contracts'
import { Injectable } from '@nestjs/common'
import type { Principal } from '../access/access.js'
import { ReachableRows } from '../access/reachable-rows.js'
import { toTaskFilter } from './search-filter.js'
import { conditionsOf } from './search-language.js'
import { toSummary } from './task-responses.js'
import { maxCount, type TaskPage, type TaskQuery, type TaskRequest } from './tasks.schemas.js'

/** Counting for a list is given up after this time, in milliseconds. */
const countMs = 100

/** Tasks that callers send and look up, within the reach of their key. */
@Injectable()
export class TasksService {
  constructor(
    private readonly tasks: TaskRepository,
    private readonly history: TaskListRepository,
    private readonly client: TaskClient,
    private readonly finished: FinishedTasks,
    private readonly reachable: ReachableRows,
  ) {}

  /**
   * Checks and submits a call; waits up to `waitSeconds` for its end.
   * @throws {MemoryGuardError} TASK_UNKNOWN, REQUEST_INVALID, MODEL_UNKNOWN, MODEL_INPUT_INVALID, ACCESS_ROLE_MISSING,
   * RESOURCE_NOT_FOUND or IDEMPOTENCY_KEY_REUSED when nothing was stored.
   */
  async send(
    { name, args, countdown, eta, expires, priority, queue }: TaskRequest,
    principal: Principal,
    idempotencyKey: string | undefined,
    waitSeconds: number,
    signal: AbortSignal,
  ): Promise<TaskEntity> {
    const call = await this.client.prepare(this.client.getContract(name), args, principal.userId)
    const options = {
      countdownSeconds: countdown,
      eta: eta === undefined ? undefined : new Date(eta),
      expires: typeof expires === 'string' ? new Date(expires) : expires,
      priority,
      queue,
      idempotencyKey,
      idempotencyScope: principal.id,
      submittedBy: principal.id,
      traceparent: principal.traceparent,
    }
    const { taskId } = await this.client.submit(call, options, { waitSeconds, signal })
    return this.get(taskId, principal)
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

  /**
   * One page of what fits a search, counted if asked for.
   * @throws {MemoryGuardError} REQUEST_INVALID when the search text is not understood.
   */
  async list({ cursor, limit, count, ...query }: TaskQuery, principal: Principal): Promise<TaskPage> {
    const filter = toTaskFilter(conditionsOf(query), principal)
    const isCounted = count === 'true'
    if (!filter) return { items: [], next_cursor: null, ...(isCounted && { count: 0, count_is_capped: false }) }
    const [{ rows, next }, counted] = await Promise.all([
      this.history.list({ ...filter, before: cursor }, limit),
      isCounted ? this.history.count(filter, { most: maxCount, withinMs: countMs }) : undefined,
    ])
    return {
      items: rows.map(toSummary),
      next_cursor: next,
      ...(counted && {
        count: Math.min(counted.count, maxCount),
        count_is_capped: !counted.isComplete || counted.count > maxCount,
      }),
    }
  }
}
