import type { QueueName } from '#libs/platform'

/** What must be decided for each queue. Adding a queue without deciding it does not compile. */
export interface QueueSettings {
  /** Most tasks that share one claim, one inference call and one result write. */
  readonly batchSize: number
  /** Longest time that a task waits for company while other batches are under way. */
  readonly batchWaitMs: number
  /**
   * Most tasks that one job of the broker carries. A job costs the broker, the producer and the consumer ten times what
   * a task costs the database, so short tasks travel together; long ones travel alone, so that free workers share them.
   */
  readonly tasksPerJob: number
  /** Jobs in progress at once for each batch that may be under way: when little comes, each carries a task or two. */
  readonly jobsPerBatch: number
  /** Batches under way at once, beyond one for each compute child: they talk to the database while children compute. */
  readonly extraBatches: number
  /** Most redeliveries after a lost lock, by the broker's count. The database decides, so it is only a safety net. */
  readonly maxStalledCount: number
}

export const queueSettings: Readonly<Record<QueueName, QueueSettings>> = {
  predictions: {
    batchSize: 64,
    batchWaitMs: 2,
    tasksPerJob: 64,
    jobsPerBatch: 4,
    extraBatches: 1,
    maxStalledCount: 1_000,
  },
  batch: { batchSize: 1, batchWaitMs: 0, tasksPerJob: 1, jobsPerBatch: 1, extraBatches: 0, maxStalledCount: 1_000 },
  explanations: {
    batchSize: 16,
    batchWaitMs: 2,
    tasksPerJob: 1,
    jobsPerBatch: 16,
    extraBatches: 0,
    maxStalledCount: 1_000,
  },
  forecasts: {
    batchSize: 16,
    batchWaitMs: 2,
    tasksPerJob: 1,
    jobsPerBatch: 16,
    extraBatches: 1,
    maxStalledCount: 1_000,
  },
}
