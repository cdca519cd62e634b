import {
  TaskCallRepository,
  TaskListRepository,
  type ReplayedTask,
  type TaskEntity,
  type TaskFilter,
} from '#libs/database'
import { MemoryGuardError } from '#libs/platform'
import { Submissions } from '#libs/tasks'
import { batchPredictions, shownName } from '#libs/tasks/contracts'
import { Injectable } from '@nestjs/common'
import { v7 as uuidv7 } from 'uuid'
import type { Principal } from '../access/access.js'
import { AuditTrail, type AuditedAction, type Caller } from '../access/audit-trail.js'
import { maxReplays, type ReplayRequest, type ReplayResponse } from './tasks.schemas.js'
import { TasksService } from './tasks.service.js'

/** Does ended tasks again, each as a new task. */
@Injectable()
export class TaskReplays {
  constructor(
    private readonly tasks: TasksService,
    private readonly history: TaskListRepository,
    private readonly submissions: Submissions,
    private readonly audit: AuditTrail,
  ) {}

  /** @throws {MemoryGuardError} TASK_STATE_CONFLICT when it has not ended or has succeeded. */
  async replay(id: string, principal: Principal, requestId: string): Promise<TaskEntity> {
    const { name, state } = await this.tasks.get(id, principal)
    const replay = await this.replayAll([id], { principal, requestId }, ([only]) => {
      if (only) return { action: 'task.retry', target: id, details: { replay_id: only.task.taskId } }
      throw new MemoryGuardError(
        'TASK_STATE_CONFLICT',
        shownName(name) === batchPredictions.name
          ? 'A batch is not done again: send its rows in a new batch.'
          : `Only a task that ended without success is done again: it is ${state}.`,
      )
    })
    return this.tasks.get(replay[0]?.task.taskId ?? id, principal)
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
    this.submissions.enqueue(replays.flatMap(({ task, isNew }) => (isNew ? [task] : [])))
    return replays
  }
}
