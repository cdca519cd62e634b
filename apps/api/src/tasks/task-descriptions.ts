import {
  ProgressRepository,
  ScheduleRepository,
  TaskCallRepository,
  TaskRepository,
  type TaskEntity,
} from '#libs/database'
import { Injectable } from '@nestjs/common'
import { toResponse } from './task-responses.js'
import type { TaskResponse } from './tasks.schemas.js'

/** Gathers everything that is known of a task. */
@Injectable()
export class TaskDescriptions {
  constructor(
    private readonly tasks: TaskRepository,
    private readonly calls: TaskCallRepository,
    private readonly schedules: ScheduleRepository,
    private readonly progress: ProgressRepository,
  ) {}

  /** Returns the task with its attempts, its timeline, its children, and the schedule that sent it. */
  async describe(task: TaskEntity): Promise<TaskResponse> {
    const [attempts, children, origin, progress] = await Promise.all([
      this.tasks.listAttempts(task.id),
      this.calls.listChildren(task.id),
      this.schedules.findOrigin(task.id),
      this.progress.find(task),
    ])
    return toResponse(task, { attempts, children, origin, progress })
  }
}
