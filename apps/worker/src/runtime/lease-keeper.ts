import { TaskRepository, type ClaimedTask } from '#libs/database'
import { CONFIG, LOGGER, type Config, type Logger } from '#libs/platform'
import { Inject, Injectable } from '@nestjs/common'
import { WORKER_NAME } from './worker-name.js'

/** Keeps the attempts of this worker alive in the database while they run. */
@Injectable()
export class LeaseKeeper {
  private readonly held = new Map<string, ClaimedTask>()
  private readonly timer: NodeJS.Timeout

  constructor(
    private readonly tasks: TaskRepository,
    @Inject(WORKER_NAME) private readonly worker: string,
    @Inject(CONFIG) private readonly config: Config,
    @Inject(LOGGER) private readonly log: Logger,
  ) {
    this.timer = setInterval(() => void this.renew(), (config.task.lockSeconds * 1000) / 3)
  }

  get size(): number {
    return this.held.size
  }

  hold(tasks: readonly ClaimedTask[]): void {
    for (const task of tasks) this.held.set(task.id, task)
  }

  letGo(tasks: readonly ClaimedTask[]): void {
    for (const { id } of tasks) this.held.delete(id)
  }

  stop(): void {
    clearInterval(this.timer)
  }

  private async renew(): Promise<void> {
    if (this.held.size === 0) return
    const jobs = [...this.held.values()].map(({ id, attempt }) => ({ taskId: id, attempt }))
    try {
      await this.tasks.renewLeases(jobs, this.worker, this.config.task.lockSeconds)
    } catch (error) {
      this.log.warn({ err: error }, 'leases were not renewed')
    }
  }
}
