import { ProgressRepository, TaskEventRepository, type TaskHistory, type TaskProgress } from '#libs/database'
import { MicroBatcher } from '#libs/platform'
import { FinishedTasks } from '#libs/tasks'
import { isTerminal } from '#libs/tasks/contracts'
import { Injectable } from '@nestjs/common'
import type { Principal } from '../access/access.js'
import { ReachableRows } from '../access/reachable-rows.js'
import type { StreamEvent } from './event-frames.js'
import { toProgress } from '../tasks/task-responses.js'
import { toTaskEvent } from './events.schemas.js'

/** How often followed tasks are read, in milliseconds; all at the same time, in one query. */
const pollIntervalMs = 500

/** A task as it was read, with how far it is. */
export interface FollowedTask {
  readonly task: TaskHistory
  readonly progress: TaskProgress | undefined
}

/** Follows single tasks to their end. */
@Injectable()
export class TaskFollower {
  private readonly reads: MicroBatcher<string, FollowedTask | undefined>

  constructor(
    repository: TaskEventRepository,
    progress: ProgressRepository,
    private readonly finished: FinishedTasks,
    private readonly reachable: ReachableRows,
  ) {
    this.reads = new MicroBatcher({
      maxSize: 500,
      maxInFlight: 1,
      maxWaitMs: 5,
      flush: async (ids) => {
        const found = await repository.read(ids)
        const progressById = await progress.list([...found.values()])
        return ids.map((id) => {
          const task = found.get(id)
          return { value: task && { task, progress: progressById.get(id) } }
        })
      },
    })
  }

  /** @throws MemoryGuardError RESOURCE_NOT_FOUND, also for what the principal does not reach; RESOURCE_GONE. */
  async find(id: string, principal: Principal): Promise<FollowedTask> {
    const found = await this.reads.add(id)
    return { task: await this.reachable.task(found?.task, id, principal), progress: found?.progress }
  }

  /**
   * Yields the changes of a task after a position, until it has ended. The id of an event is the position of its change.
   * Progress events have no id: a client that reconnects gets the current progress instead of the missed ones.
   */
  async *follow(first: FollowedTask, after: number, signal: AbortSignal): AsyncGenerator<StreamEvent> {
    const { id } = first.task
    const ended = this.finished.expect(id)
    let place = after
    let sent = ''
    try {
      for (let found: FollowedTask | undefined = first; found; found = await this.reads.add(id)) {
        const { task, progress } = found
        for (const entry of task.timeline) {
          if (entry.place <= place) continue
          yield { id: String(entry.place), event: `task.${entry.state}`, data: toTaskEvent(task, entry, progress) }
          place = entry.place
        }
        if (isTerminal(task.state)) return
        const data = { task_id: id, ...(progress && toProgress(progress)) }
        if (progress && task.state === 'running' && JSON.stringify(data) !== sent) {
          sent = JSON.stringify(data)
          yield { event: 'task.progress', data }
        }
        await ended.within((pollIntervalMs - (Date.now() % pollIntervalMs)) / 1_000, signal)
        if (signal.aborted) return
      }
    } finally {
      ended.forget()
    }
  }
}
