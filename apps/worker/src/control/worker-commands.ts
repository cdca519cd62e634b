import { COMPUTE_POOL, type ComputePool } from '#libs/ml'
import { MemoryGuardError } from '#libs/platform'
import { isWorkerCommand, workerCommands } from '#libs/tasks'
import { Inject, Injectable } from '@nestjs/common'
import { Consumers } from '../processors/consumers.js'
import { PoolSize } from '../capacity/pool-size.js'
import { WorkerLimits } from '../capacity/worker-limits.js'

/** Executes an operator's commands to this worker; each reply has the state afterwards. */
@Injectable()
export class WorkerCommands {
  constructor(
    private readonly consumers: Consumers,
    private readonly limits: WorkerLimits,
    @Inject(COMPUTE_POOL) private readonly pool: ComputePool,
    private readonly size: PoolSize,
  ) {}

  /** @throws MemoryGuardError REQUEST_INVALID for what this worker cannot do. */
  async run(name: string, given: unknown): Promise<unknown> {
    if (!isWorkerCommand(name)) {
      throw new MemoryGuardError(
        'REQUEST_INVALID',
        'This worker does not know the command; it may be of another version.',
      )
    }
    switch (name) {
      case 'ping':
        return { ok: 'pong' }
      case 'shutdown': {
        const { immediate } = workerCommands[name].parse(given)
        // The signal is handled after this call has been acknowledged.
        setImmediate(() => process.kill(process.pid, immediate ? 'SIGQUIT' : 'SIGTERM'))
        return { stopping: immediate ? 'at once' : 'when running tasks are finished' }
      }
      case 'pool-grow':
        return this.resize(workerCommands[name].parse(given).n)
      case 'pool-shrink':
        return this.resize(-workerCommands[name].parse(given).n)
      case 'pool-restart':
        await this.pool.restart()
        return { children: this.pool.children.length }
      case 'add-consumer': {
        this.consumers.addQueue(workerCommands[name].parse(given).queue)
        return { queues: this.consumers.queues }
      }
      case 'cancel-consumer': {
        // Jobs under way may take long: they are not waited for.
        void this.consumers.cancelQueue(workerCommands[name].parse(given).queue)
        return { queues: this.consumers.queues }
      }
      case 'rate-limit': {
        const { task, rate } = workerCommands[name].parse(given)
        this.limits.rates.set(task, rate)
        return { task, rate }
      }
      case 'time-limit': {
        const { task, soft, hard } = workerCommands[name].parse(given)
        return { task, ...this.limits.setTimes(task, soft, hard) }
      }
    }
  }

  private async resize(by: number): Promise<{ children: number }> {
    await this.size.set(this.size.children + by)
    return { children: this.size.children }
  }
}
