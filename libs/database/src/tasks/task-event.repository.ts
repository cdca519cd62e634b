import { Injectable } from '@nestjs/common'
import type { QueueName } from '#libs/platform'
import { batchPredictions, shownName, type TaskState } from '#libs/tasks/contracts'
import { DataSource } from 'typeorm'
import { epochMs, settledTime } from './task-sql.js'
import { timelineOf, type TimelineAttempt, type TimelineEntry, type TimelineTask } from './timeline.js'

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

type HistoryRow = Omit<TaskHistory, 'isBatch' | 'timeline'> &
  TimelineTask & { readonly attempts: readonly AttemptRow[] | null; readonly changedAt?: number }

/** Times in milliseconds since the epoch. */
type AttemptRow = Omit<TimelineAttempt, 'startedAt' | 'endedAt'> & {
  readonly startedAt: number | null
  readonly endedAt: number
}

/** A task with its attempts, both of one moment: read apart, they might contradict each other. */
const historyColumns = `t.id, t.name, t.queue, t.state, t.user_id::float8 AS "userId",
  t.prediction_id::float8 AS "predictionId", t.error_code AS "errorCode", t.attempt, t.worker, t.eta,
  t.created_at AS "createdAt", t.started_at AS "startedAt", t.finished_at AS "finishedAt",
  (SELECT jsonb_agg(jsonb_build_object('attempt', a.attempt, 'outcome', a.outcome, 'worker', a.worker,
     'startedAt', ${epochMs('a.started_at')}, 'endedAt', ${epochMs('a.ended_at')}) ORDER BY a.attempt)
   FROM task_attempts a WHERE a.task_id = t.id) AS attempts`

/** The first change of a task at or after `$1`. */
const firstChange = `least(
  CASE WHEN t.created_at >= $1 THEN t.created_at END, CASE WHEN t.started_at >= $1 THEN t.started_at END,
  CASE WHEN t.finished_at >= $1 THEN t.finished_at END,
  (SELECT min(CASE WHEN a.started_at >= $1 THEN a.started_at ELSE a.ended_at END)
   FROM task_attempts a WHERE a.task_id = t.id AND a.ended_at >= $1))`

/** Reads what became of tasks off their rows. */
@Injectable()
export class TaskEventRepository {
  constructor(private readonly dataSource: DataSource) {}

  async readClock(): Promise<EventClock> {
    const [row]: EventClock[] = await this.dataSource.query(
      `SELECT ${epochMs('clock_timestamp()')} AS now, ${epochMs(settledTime(60))} AS settled`,
    )
    if (!row) throw new Error('The clock of the database returned no row')
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
   * of the finished ones those of `finished`, or, without that, also all, which reads every row of the table.
   */
  async listChanged(since: number, finished: readonly string[] | null, limit: number): Promise<ChangedTasks> {
    // No index is of use to `IS TRUE`: what is known by its id is read by its id, whatever statistics say of a young table.
    const hasFinished = finished ? 't.id = ANY($3::uuid[]) AND (t.finished_at >= $1) IS TRUE' : 't.finished_at >= $1'
    const rows: HistoryRow[] = await this.dataSource.query(
      `SELECT *, ${epochMs('first_change')} AS "changedAt" FROM (
         SELECT ${historyColumns}, ${firstChange} AS first_change FROM tasks t
         WHERE t.finished_at IS NULL AND (t.created_at >= $1 OR t.started_at >= $1
           OR t.attempt > 0 AND EXISTS (SELECT 1 FROM task_attempts a WHERE a.task_id = t.id AND a.ended_at >= $1))
         UNION ALL
         SELECT ${historyColumns}, ${firstChange} FROM tasks t WHERE ${hasFinished}
       ) AS changed ORDER BY first_change LIMIT $2`,
      [new Date(since), limit + 1, ...(finished ? [finished] : [])],
    )
    const next = rows[limit]
    return { tasks: rows.slice(0, limit).map(toHistory), completeUntil: next?.changedAt ?? null }
  }
}

const toHistory = ({ attempts, ...task }: HistoryRow): TaskHistory => {
  const ended = (attempts ?? []).map((attempt) => ({
    ...attempt,
    startedAt: attempt.startedAt === null ? null : new Date(attempt.startedAt),
    endedAt: new Date(attempt.endedAt),
  }))
  const { id, name, queue, state, userId, predictionId, errorCode } = task
  const isBatch = name === batchPredictions.name
  const timeline = timelineOf(task, ended)
  return { id, name: shownName(name), queue, state, userId, predictionId, errorCode, isBatch, timeline }
}
