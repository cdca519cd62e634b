import {
  CeleryCallRepository,
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
    private readonly celery: CeleryCallRepository,
  ) {}

  /** Returns the task with its attempts, its timeline, its children, its replay, and the schedule that sent it. */
  async describe(task: TaskEntity): Promise<TaskResponse> {
    const [attempts, children, origin, schedule, progress, call] = await Promise.all([
      this.tasks.listAttempts(task.id),
      this.calls.listChildren(task.id),
      this.calls.findOrigin(task.id),
      this.schedules.findOrigin(task.id),
      this.progress.find(task),
      this.celery.findByTask(task.id),
    ])
    return toResponse(task, { attempts, children, origin, schedule, progress, celeryId: call?.id ?? null })
  }
}
