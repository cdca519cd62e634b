import { setTimeout as pause } from 'node:timers/promises'
import { TaskEventRepository, type TaskHistory } from '#libs/database'
import { MemoryGuardError, MicroBatcher } from '#libs/platform'
import { FinishedTasks } from '#libs/tasks'
import { isTerminal } from '#libs/tasks/contracts'
import { Injectable } from '@nestjs/common'
import { reaches, type Principal } from '../access/access.js'
import { MissingResources } from '../http/missing-resources.js'
import type { StreamEvent } from './event-frames.js'
import { toTaskEvent } from './events.schemas.js'

/** How often followed tasks are looked at, in milliseconds. All of them at the same time, so that one query reads them. */
const lookIntervalMs = 500

/** Follows single tasks to their end. */
@Injectable()
export class TaskFollower {
  private readonly reads: MicroBatcher<string, TaskHistory | undefined>

  constructor(
    repository: TaskEventRepository,
    private readonly finished: FinishedTasks,
    private readonly missing: MissingResources,
  ) {
    this.reads = new MicroBatcher({
      maxSize: 500,
      maxInFlight: 1,
      maxWaitMs: 5,
      flush: async (ids) => {
        const found = await repository.read(ids)
        return ids.map((id) => ({ value: found.get(id) }))
      },
    })
  }

  /** @throws MemoryGuardError RESOURCE_NOT_FOUND, also for what the principal does not reach; RESOURCE_GONE. */
  async find(id: string, principal: Principal): Promise<TaskHistory> {
    const task = await this.reads.add(id)
    if (!task) throw await this.missing.task(id)
    if (!reaches(principal, task.userId)) {
      throw new MemoryGuardError('RESOURCE_NOT_FOUND', 'There is no such task.')
    }
    return task
  }

  /** Changes of a task after a place, until it has ended. The id of an event is the place of its change. */
  async *follow(found: TaskHistory, after: number, signal: AbortSignal): AsyncGenerator<StreamEvent> {
    const ended = this.finished.expect(found.id)
    let place = after
    try {
      for (let task: TaskHistory | undefined = found; task; task = await this.reads.add(task.id)) {
        for (const entry of task.timeline) {
          if (entry.place <= place) continue
          yield { id: String(entry.place), event: `task.${entry.state}`, data: toTaskEvent(task, entry) }
          place = entry.place
        }
        if (isTerminal(task.state)) return
        await Promise.race([ended.promise, untilNextLook(signal)])
        if (signal.aborted) return
      }
    } finally {
      ended.forget()
    }
  }
}

const untilNextLook = async (signal: AbortSignal): Promise<void> => {
  await pause(lookIntervalMs - (Date.now() % lookIntervalMs), undefined, { signal }).catch(() => undefined)
}
