import { TaskRepository, type ClaimedTask, type RevokeRequest } from '#libs/database'
import { CONFIG, LOGGER, PeriodicLoop, withinTime, type Config, type Logger } from '#libs/platform'
import { Inject, Injectable } from '@nestjs/common'
import { WORKER_NAME } from '../control/worker-name.js'

/** Keeps the attempts of this worker alive in the database while they run. */
@Injectable()
export class LeaseKeeper {
  private readonly held = new Map<string, ClaimedTask>()
  readonly loop: PeriodicLoop
  private onRevoked: (request: RevokeRequest) => void = () => undefined

  constructor(
    private readonly tasks: TaskRepository,
    @Inject(WORKER_NAME) private readonly worker: string,
    @Inject(CONFIG) private readonly config: Config,
    @Inject(LOGGER) log: Logger,
  ) {
    const intervalMs = (config.task.lockSeconds * 1000) / 3
    // A renewal over a dead connection must not keep the next one waiting.
    const run = () => withinTime(this.renew(), intervalMs / 2, undefined)
    const levelOf = () => 'warn' as const
    this.loop = new PeriodicLoop({ name: 'leases', intervalMs, run, failure: 'leases not renewed', levelOf }, log)
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

  /** Calls back with each request to revoke a held task, again at each renewal of its lease. */
  whenRevoked(revoke: (request: RevokeRequest) => void): void {
    this.onRevoked = revoke
  }

  private async renew(): Promise<void> {
    if (this.held.size === 0) return
    const jobs = [...this.held.values()].map(({ id, attempt }) => ({ taskId: id, attempt }))
    const revoked = await this.tasks.renewLeases(jobs, this.worker, this.config.task.lockSeconds)
    for (const request of revoked) this.onRevoked(request)
  }
}
