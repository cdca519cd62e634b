import type { QueueName } from '#libs/platform'

/** What a job of the broker says: this task may start its `attempt`-th attempt. */
export interface TaskJob {
  readonly taskId: string
  readonly attempt: number
}

/** A job with what the broker needs to place it. */
export interface EnqueueableTask extends TaskJob {
  readonly queue: QueueName
  readonly name: string
  readonly priority: number
  /** Milliseconds until it may start; 0 for at once. */
  readonly delayMs: number
}

/** The first start of a task that may start at once. */
export const firstAttempt = (taskId: string, name: string, queue: QueueName): EnqueueableTask => ({
  taskId,
  attempt: 1,
  name,
  queue,
  priority: 0,
  delayMs: 0,
})

/** Columns of a task that is to be enqueued. */
export interface EnqueueRow {
  id: string
  name: string
  queue: QueueName
  attempt: number
  priority: number
  delay_ms: string | number
  waiting?: boolean
}

export const toEnqueueable = (row: EnqueueRow): EnqueueableTask => ({
  taskId: row.id,
  attempt: row.attempt + 1,
  name: row.name,
  queue: row.queue,
  priority: row.priority,
  delayMs: Number(row.delay_ms),
})
