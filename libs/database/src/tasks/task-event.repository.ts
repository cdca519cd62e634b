import { Injectable } from '@nestjs/common'
import type { QueueName } from '#libs/platform'
import { batchPredictions, shownName, type TaskState } from '#libs/tasks/contracts'
import { DataSource } from 'typeorm'
import type { AttemptOutcome } from './task-attempt.entity.js'
import { epochMs } from './task-sql.js'
import { timelineOf, type TimelineEntry } from './timeline.js'

/** A task as its events describe it: identifiers and states, never its arguments or result. */
export interface TaskHistory {
  readonly id: string
  readonly name: string
  readonly queue: QueueName
  readonly state: TaskState
  readonly userId: number | null
  readonly predictionId: number | null
  readonly errorCode: string | null
  /** It stands for a batch, whose progress is counted from its chunks. */
  readonly isBatch: boolean
  readonly timeline: readonly TimelineEntry[]
}

/** Times of the database's clock, in milliseconds since the epoch. */
export interface EventClock {
  readonly now: number
  /** Every change before it can be seen: the transactions that made them have ended. */
  readonly settled: number
}

/** Some tasks with changes at or after a time. */
export interface ChangedTasks {
  readonly tasks: readonly TaskHistory[]
  /** Of changes from this time on some may be missing; null if none is. Milliseconds since the epoch. */
  readonly completeUntil: number | null
}

interface HistoryRow {
  id: string
  name: string
  queue: QueueName
  state: TaskState
  eta: number | null
  user_id: string | null
  prediction_id: string | null
  error_code: string | null
  attempt: number
  worker: string | null
  created_at: number
  started_at: number | null
  finished_at: number | null
  attempts: AttemptRow[] | null
  changed_at?: number
}

interface AttemptRow {
  attempt: number
  outcome: AttemptOutcome
  worker: string | null
  started_at: number | null
  ended_at: number
}

/** A task with its attempts, both of one moment: read apart, they might contradict each other. */
const historyColumns = `t.id, t.name, t.queue, t.state, t.user_id, t.prediction_id, t.error_code, t.attempt, t.worker,
  ${epochMs('t.eta')} AS eta, ${epochMs('t.created_at')} AS created_at,
  ${epochMs('t.started_at')} AS started_at, ${epochMs('t.finished_at')} AS finished_at,
  (SELECT jsonb_agg(jsonb_build_object('attempt', a.attempt, 'outcome', a.outcome, 'worker', a.worker,
     'started_at', ${epochMs('a.started_at')}, 'ended_at', ${epochMs('a.ended_at')}) ORDER BY a.attempt)
   FROM task_attempts a WHERE a.task_id = t.id) AS attempts`

/** The first change of a task at or after `$1`. */
const firstChange = `least(
  CASE WHEN t.created_at >= $1 THEN t.created_at END, CASE WHEN t.started_at >= $1 THEN t.started_at END,
  CASE WHEN t.finished_at >= $1 THEN t.finished_at END,
  (SELECT min(CASE WHEN a.started_at >= $1 THEN a.started_at ELSE a.ended_at END)
   FROM task_attempts a WHERE a.task_id = t.id AND a.ended_at >= $1))`

/**
 * A change is as old as its transaction, and is seen when that has ended. A writer is waited for up to a minute; what
 * only reads, such as a backup, is not. The fixed part covers a transaction that has begun and does not show yet.
 */
const settledTime = `(SELECT least(clock_timestamp() - interval '300 ms', greatest(clock_timestamp() - interval '60 s',
    coalesce(min(xact_start) FILTER (WHERE backend_xid IS NOT NULL OR xact_start > clock_timestamp() - interval '2 s'),
      clock_timestamp())))
  FROM pg_stat_activity WHERE datname = current_database() AND backend_type = 'client backend' AND pid <> pg_backend_pid())`

/** Reads what became of tasks off their rows. */
@Injectable()
export class TaskEventRepository {
  constructor(private readonly dataSource: DataSource) {}

  async readClock(): Promise<EventClock> {
    const [row]: EventClock[] = await this.dataSource.query(
      `SELECT ${epochMs('clock_timestamp()')} AS now, ${epochMs(settledTime)} AS settled`,
    )
    if (!row) throw new Error('The clock of the database answered no row')
    return row
  }

  /** By id; tasks that are no longer there are missing. */
  async read(ids: readonly string[]): Promise<ReadonlyMap<string, TaskHistory>> {
    const rows: HistoryRow[] = await this.dataSource.query(
      `SELECT ${historyColumns} FROM tasks t WHERE t.id = ANY($1::uuid[])`,
      [ids],
    )
    return new Map(rows.map((row) => [row.id, toHistory(row)]))
  }

  /**
   * Tasks with a change at or after `since`, those with the earliest first, at most `limit`: of the unfinished ones all;
   * of the finished ones those of `finished`, or, without that, also all, which takes a look at every row of the table.
   */
  async listChanged(since: number, finished: readonly string[] | null, limit: number): Promise<ChangedTasks> {
    // No index is of use to `IS TRUE`: what is known by its id is read by its id, whatever statistics say of a young table.
    const hasFinished = finished ? 't.id = ANY($3::uuid[]) AND (t.finished_at >= $1) IS TRUE' : 't.finished_at >= $1'
    const rows: HistoryRow[] = await this.dataSource.query(
      `SELECT *, ${epochMs('first_change')} AS changed_at FROM (
         SELECT ${historyColumns}, ${firstChange} AS first_change FROM tasks t
         WHERE t.finished_at IS NULL AND (t.created_at >= $1 OR t.started_at >= $1
           OR t.attempt > 0 AND EXISTS (SELECT 1 FROM task_attempts a WHERE a.task_id = t.id AND a.ended_at >= $1))
         UNION ALL
         SELECT ${historyColumns}, ${firstChange} FROM tasks t WHERE ${hasFinished}
       ) AS changed ORDER BY first_change LIMIT $2`,
      [new Date(since), limit + 1, ...(finished ? [finished] : [])],
    )
    const next = rows[limit]
    return { tasks: rows.slice(0, limit).map(toHistory), completeUntil: next?.changed_at ?? null }
  }
}

const toDate = (ms: number | null): Date | null => (ms === null ? null : new Date(ms))

const toHistory = (row: HistoryRow): TaskHistory => ({
  id: row.id,
  name: shownName(row.name),
  queue: row.queue,
  state: row.state,
  userId: row.user_id === null ? null : Number(row.user_id),
  predictionId: row.prediction_id === null ? null : Number(row.prediction_id),
  errorCode: row.error_code,
  isBatch: row.name === batchPredictions.name,
  timeline: timelineOf(
    {
      state: row.state,
      eta: toDate(row.eta),
      attempt: row.attempt,
      worker: row.worker,
      createdAt: new Date(row.created_at),
      startedAt: toDate(row.started_at),
      finishedAt: toDate(row.finished_at),
    },
    (row.attempts ?? []).map((attempt) => ({
      attempt: attempt.attempt,
      outcome: attempt.outcome,
      worker: attempt.worker,
      startedAt: toDate(attempt.started_at),
      endedAt: new Date(attempt.ended_at),
    })),
  ),
})
