import { BatchRepository, TaskCallRepository, TaskRepository, type Database, type TaskEntity } from '#libs/database'
import { MemoryGuardError } from '#libs/platform'
import { Broker, FinishedLines, removeRevoked, storeRevokes } from '#libs/tasks'
import { isTerminal } from '#libs/tasks/contracts'
import { Injectable } from '@nestjs/common'
import type { Principal } from '../access/access.js'
import { AuditTrail } from '../access/audit-trail.js'
import { TasksService } from './tasks.service.js'

/** Revokes tasks and forgets their results. */
@Injectable()
export class TaskChanges {
  constructor(
    private readonly tasks: TasksService,
    private readonly repository: TaskRepository,
    private readonly broker: Broker,
    private readonly lines: FinishedLines,
    private readonly audit: AuditTrail,
  ) {}

  /** @throws {MemoryGuardError} TASK_STATE_CONFLICT when the task has finished and was not cancelled. */
  async revoke(id: string, terminate: boolean, principal: Principal, requestId: string): Promise<TaskEntity> {
    await this.tasks.get(id, principal)
    const revoke = (database: Database) => {
      const repositories = {
        calls: new TaskCallRepository(database),
        batches: new BatchRepository(database, this.repository),
      }
      return storeRevokes(repositories, [id], terminate)
    }
    const revoked = await this.audit.change({ principal, requestId }, revoke, () => ({
      action: terminate ? 'task.terminate' : 'task.revoke',
      target: id,
    }))
    this.lines.reportUnrun(revoked.filter(({ state }) => state === 'cancelled'))
    await removeRevoked(this.broker, revoked)
    const task = await this.tasks.get(id, principal)
    if (isTerminal(task.state) && task.state !== 'cancelled') {
      throw new MemoryGuardError('TASK_STATE_CONFLICT', `The task has already ended: it is ${task.state}.`)
    }
    return task
  }

  /** @throws {MemoryGuardError} TASK_STATE_CONFLICT when it has not finished. */
  async forget(id: string, principal: Principal, requestId: string): Promise<void> {
    await this.tasks.get(id, principal)
    const forget = async (database: Database) => {
      if ((await new TaskCallRepository(database).forget([id])).has(id)) return
      throw new MemoryGuardError('TASK_STATE_CONFLICT', 'The task has not finished; revoke it first.')
    }
    await this.audit.change({ principal, requestId }, forget, () => ({ action: 'task.forget', target: id }))
  }
}
