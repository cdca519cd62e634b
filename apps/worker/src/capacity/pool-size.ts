import { COMPUTE_POOL, type ComputePool } from '#libs/ml'
import { MemoryGuardError } from '#libs/platform'
import { Inject, Injectable } from '@nestjs/common'
import { Consumers } from '../processors/consumers.js'
import { TaskRunner } from '../execution/task-runner.js'

/** The number of compute children, and with it how much this worker takes at once. */
@Injectable()
export class PoolSize {
  constructor(
    @Inject(TaskRunner) private readonly runner: Pick<TaskRunner, 'concurrency'>,
    @Inject(Consumers) private readonly consumers: Pick<Consumers, 'setConcurrency'>,
    @Inject(COMPUTE_POOL) private readonly pool: Pick<ComputePool, 'resize' | 'countWaiting'>,
  ) {}

  get children(): number {
    return this.runner.concurrency
  }

  /** Batches that have waited this long for a child. */
  countWaiting(longerThanMs: number): number {
    return this.pool.countWaiting(longerThanMs)
  }

  /** @throws MemoryGuardError REQUEST_INVALID for less than one child, and for a solo pool. */
  async set(children: number): Promise<void> {
    if (children < 1) throw new MemoryGuardError('REQUEST_INVALID', 'At least one child must stay.')
    const before = this.children
    // At once: the next change counts from it, even while children of this one start.
    this.use(children)
    try {
      await this.pool.resize(children)
    } catch (error) {
      // A later change has decided otherwise.
      if (this.children === children) this.use(before)
      throw error
    }
  }

  private use(children: number): void {
    this.runner.concurrency = children
    this.consumers.setConcurrency(children)
  }
}
