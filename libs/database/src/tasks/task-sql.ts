import { sourcesOf, type TaskState } from '#libs/tasks/contracts'
import type { QueueName } from '#libs/platform'

/** A task that has ended, for its log line. */
export interface EndedTask {
  readonly id: string
  readonly name: string
  readonly queue: QueueName
  readonly state: TaskState
}

/** Channel for notifications of finished tasks: the payload is their ids, separated by commas. */
export const finishedChannel = 'memoryguard_finished'

/** Channel for notifications of revokes and commands to workers. */
export const controlChannel = 'memoryguard_control'

/** Why a task ended that was never computed. */
export const endWords = { revoked: 'It was revoked.', expired: 'It had not started when it expired.' } as const

/** `'a', 'b'`: the states that may become `next`, for an IN list. The states are constants of ours. */
export const sourceList = (next: TaskState): string =>
  sourcesOf(next)
    .map((state) => `'${state}'`)
    .join(', ')

/**
 * A column that makes the statement's commit visible at once and durable a moment later. For what can be done again
 * after a crash of the server: a claim that is lost is claimed again, and a result that is lost is computed again,
 * from inputs that are durable, to the same value. See docs/decisions/0005-durability.md.
 */
export const commitSoon = `set_config('synchronous_commit', 'off', true) AS commit_mode`

/** A time as whole milliseconds since the epoch, cut off as a `Date` is. */
export const epochMs = (time: string): string => `floor(extract(epoch FROM ${time}) * 1000)::float8`

/**
 * SQL: the time before which every change can be seen. A change is as old as its transaction, and is seen when that has
 * ended. A writer is waited for up to `longestSeconds`; what only reads, such as a backup, is not. The fixed part covers a
 * transaction that has begun and does not show yet.
 */
export const settledTime = (longestSeconds: number): string =>
  `(SELECT least(clock_timestamp() - interval '300 ms', greatest(clock_timestamp() - interval '${longestSeconds} s',
    coalesce(min(xact_start) FILTER (WHERE backend_xid IS NOT NULL OR xact_start > clock_timestamp() - interval '2 s'),
      clock_timestamp())))
  FROM pg_stat_activity WHERE datname = current_database() AND backend_type = 'client backend' AND pid <> pg_backend_pid())`
