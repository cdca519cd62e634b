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

/** What else a settling statement writes: typed columns of the outcomes, and the CTE that stores them. */
export interface AlsoWrites {
  /** e.g. `risk_score double precision` */
  readonly columns: string
  /** e.g. `answers AS (UPDATE ... FROM settled s WHERE ...)` */
  readonly cte: string
}

/**
 * The one statement that ends attempts. `$1` is a JSON array of outcomes; a row is changed only if it is running
 * and still holds the same attempt (fencing), so that a late, duplicate or zombie worker changes nothing. The
 * attempt is recorded, listeners are notified of finished tasks, and `also` writes what belongs to the outcome in the same
 * transaction: its `columns` are read from the outcomes, and its `cte` reads them as `settled`.
 */
export const settleStatement = (also?: AlsoWrites): string => `
  WITH input AS MATERIALIZED (
    SELECT * FROM jsonb_to_recordset($1::jsonb) AS r(
      id uuid, attempt integer, state text, outcome text, terminal boolean, retry_in_ms double precision,
      retried integer, crashed integer, result jsonb, error_code text, error_message text${also ? `, ${also.columns}` : ''})
  ), settled AS (
    UPDATE tasks t SET
      state = i.state,
      finished_at = CASE WHEN i.terminal THEN now() END,
      lease_expires_at = NULL,
      available_at = coalesce(now() + make_interval(secs => i.retry_in_ms / 1000), t.available_at),
      retries = t.retries + coalesce(i.retried, 0),
      crashes = t.crashes + coalesce(i.crashed, 0),
      result = i.result,
      error_code = i.error_code,
      error_message = i.error_message
    FROM input i
    WHERE t.id = ANY (ARRAY(SELECT id FROM input)) AND t.id = i.id AND t.attempt = i.attempt AND t.state = 'running'
    RETURNING t.worker, t.started_at, t.prediction_id, i.*
  ), attempts AS (
    INSERT INTO task_attempts (task_id, attempt, worker, outcome, error_code, error_message, started_at)
    SELECT id, attempt, worker, outcome, error_code, error_message, started_at FROM settled
  ), told AS (
    SELECT pg_notify('${finishedChannel}', string_agg(id::text, ',')) FROM settled WHERE terminal HAVING count(*) > 0
  )${also ? `, ${also.cte}` : ''}
  SELECT id, (SELECT count(*) FROM told), ${commitSoon} FROM settled`
