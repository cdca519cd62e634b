import {
  QueueRepository,
  WorkerRepository,
  type QueueStatistics,
  type SeenWorker,
  type WorkerEntity,
} from '#libs/database'
import { queueNames, type QueueName } from '#libs/platform'
import { Injectable } from '@nestjs/common'

/** How a queue stands now, by the database. */
export interface QueueStanding extends QueueStatistics {
  readonly queue: QueueName
  readonly isPaused: boolean
  /** Tasks that could start and have not. */
  readonly waiting: number
  /** Live workers that consume it. */
  readonly consumers: readonly WorkerEntity[]
  /** Tasks that these can run at once, and those that they run, of whatever queue. */
  readonly slots: number
  readonly busy: number
}

/** Reads how every queue stands. */
@Injectable()
export class QueueStandings {
  constructor(
    private readonly queues: QueueRepository,
    private readonly workers: WorkerRepository,
  ) {}

  async read(): Promise<readonly QueueStanding[]> {
    return (await this.readWithWorkers()).queues
  }

  /** The same, with the workers of the last day. */
  async readWithWorkers(): Promise<{
    readonly queues: readonly QueueStanding[]
    readonly workers: readonly SeenWorker[]
  }> {
    const [statistics, paused, workers] = await Promise.all([
      this.queues.readStatistics(),
      this.queues.listPaused(),
      this.workers.listLast(),
    ])
    const live = workers.flatMap(({ worker, isStale }) => (worker.state === 'ready' && !isStale ? [worker] : []))
    const queues = queueNames.map((queue) => {
      const consumers = live.filter((worker) => worker.queues.includes(queue))
      const known = statistics.get(queue) ?? noStatistics
      return {
        ...known,
        queue,
        isPaused: paused.has(queue),
        waiting: (known.depth.queued ?? 0) + (known.depth.retrying ?? 0),
        consumers,
        slots: consumers.reduce((sum, { concurrency }) => sum + concurrency, 0),
        busy: consumers.reduce((sum, { stats }) => sum + Number(stats['active'] ?? 0), 0),
      }
    })
    return { queues, workers }
  }
}

const noStatistics: QueueStatistics = {
  depth: {},
  oldestWaitingSeconds: null,
  ratePerSecond: 0,
  waitP95Seconds: null,
  runP95Seconds: null,
}
