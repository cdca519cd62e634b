import { Inject, Injectable } from '@nestjs/common'
import { queueNames, type QueueName } from '#libs/platform'
import { batchPredictions, storedNames, type TaskState } from '#libs/tasks/contracts'
import { DataSource } from 'typeorm'
import type { Database } from '../connection/database.js'
import { endWords, epochMs, finishedChannel, sourceList } from '../tasks/task-sql.js'
import { toEnqueueable, type EnqueueableTask, type EnqueueRow, type TaskJob } from '../tasks/enqueue-row.js'

/** What a queue holds, as the database knows it. */
export interface QueueStatistics {
  /** Unfinished tasks by state. */
  readonly depth: Partial<Record<TaskState, number>>
  /** Age of the oldest task that waits and is due, in seconds. */
  readonly oldestWaitingSeconds: number | null
  /** Finished tasks each second, lately. */
  readonly ratePerSecond: number
  /** 95th percentiles, lately, in seconds. */
  readonly waitP95Seconds: number | null
  readonly runP95Seconds: number | null
}

/** "Lately": this long, and of that at most so many of the last ends of a queue, so that reading costs the same at any load. */
const latelySeconds = 300
const sampleSize = 2_000
/** Unfinished tasks of a queue that are counted by state; the rest is counted as one with the state of most of them. */
const countedByState = 20_000
const purgeBatch = 1_000
const dueSample = 1_000

/** Which waiting tasks: since when they are due, in milliseconds of the database's clock, and whether by priority. */
export interface WaitingRange {
  readonly dueFrom: number
  readonly dueBefore: number
  readonly isUrgent: boolean
}

/** The queues as operators and the reconciler see them. */
@Injectable()
export class QueueRepository {
  constructor(@Inject(DataSource) private readonly database: Database) {}

  async readStatistics(): Promise<ReadonlyMap<string, QueueStatistics>> {
    const [depths, samples]: [DepthRow[], SampleRow[]] = await Promise.all([
      this.database.query(depthStatement, [queueNames]),
      this.database.query(sampleStatement, [queueNames]),
    ])
    const statistics = new Map<string, QueueStatistics>()
    for (const queue of queueNames) {
      const own = depths.filter((row) => row.queue === queue)
      const oldest = own.flatMap((row) => row.oldest ?? [])
      const sample = samples.find((row) => row.queue === queue)
      statistics.set(queue, {
        depth: depthOf(own),
        oldestWaitingSeconds: oldest.length > 0 ? Math.max(...oldest) : null,
        ratePerSecond: sample?.rate ?? 0,
        waitP95Seconds: sample?.wait ?? null,
        runP95Seconds: sample?.run ?? null,
      })
    }
    return statistics
  }

  /**
   * Tasks that wait although they could start, by queue and for longer than `olderThanSeconds`; paused queues and the
   * tasks named in `except` left out. Queues without any are left out; in all, a thousand are counted.
   */
  async countDue(
    queues: readonly QueueName[],
    except: readonly string[],
    olderThanSeconds: number,
  ): Promise<ReadonlyMap<QueueName, number>> {
    const rows: { queue: QueueName; count: number }[] = await this.database.query(
      `SELECT queue, count(*)::int AS count FROM (
         SELECT queue FROM tasks t WHERE finished_at IS NULL AND queue = ANY($1) AND NOT name = ANY($2)
           AND state IN (${sourceList('running')}) AND available_at < now() - make_interval(secs => $3)
           AND created_at < now() - make_interval(secs => $3)
           AND NOT EXISTS (SELECT FROM paused_queues p WHERE p.queue = t.queue)
         LIMIT ${dueSample}
       ) due GROUP BY queue`,
      [queues, [batchPredictions.name, ...except.flatMap(storedNames)], olderThanSeconds],
    )
    return new Map(rows.map(({ queue, count }) => [queue, count]))
  }

  /**
   * The database's clock in milliseconds since 1970, and since when at the latest the job of an attempt has been in the
   * broker: since the task is due, or, if it is not due yet or not waiting for this attempt, since the task was stored.
   */
  async readEnqueueClock(job: TaskJob | undefined): Promise<{ readonly now: number; readonly enqueuedAt: number }> {
    const due = 'greatest(available_at, created_at)'
    const [row]: { now: number; enqueued_at: number | null }[] = await this.database.query(
      `SELECT ${epochMs('clock_timestamp()')} AS now, (
         SELECT ${epochMs(
           `CASE WHEN attempt = $2 - 1 AND state IN (${sourceList('running')}) AND ${due} <= now() THEN ${due}
             ELSE created_at END`,
         )} FROM tasks WHERE id = $1) AS enqueued_at`,
      [job?.taskId ?? null, job?.attempt ?? null],
    )
    return { now: row?.now ?? 0, enqueuedAt: row?.enqueued_at ?? 0 }
  }

  /** How many tasks of a queue wait for a start. */
  async countWaiting(queue: QueueName, { dueFrom, dueBefore, isUrgent }: WaitingRange): Promise<number> {
    const [row]: { count: string }[] = await this.database.query(`SELECT count(*) ${fromWaiting}`, [
      queue,
      dueFrom,
      dueBefore,
      isUrgent,
    ])
    return Number(row?.count ?? 0)
  }

  /** The tasks of a queue that wait for a start, after `afterId`, by id. */
  async listWaiting(
    queue: QueueName,
    { dueFrom, dueBefore, isUrgent }: WaitingRange,
    afterId: string,
    limit: number,
  ): Promise<readonly EnqueueableTask[]> {
    const rows: EnqueueRow[] = await this.database.query(
      `SELECT id, name, queue, attempt, priority,
         greatest(0, extract(epoch FROM available_at - now()) * 1000)::bigint AS delay_ms
       ${fromWaiting} AND id > $5 ORDER BY id LIMIT $6`,
      [queue, dueFrom, dueBefore, isUrgent, afterId, limit],
    )
    return rows.map(toEnqueueable)
  }

  /** For how long a task of the queue has kept a slot busy lately, in seconds; null if none has run. */
  async readSecondsOfTask(queue: QueueName): Promise<number | null> {
    const [row]: { seconds: number | null }[] = await this.database.query(slotTimeStatement, [queue])
    return row?.seconds ?? null
  }

  /** The queues of which no task may start. */
  async listPaused(): Promise<ReadonlySet<string>> {
    const rows: { queue: string }[] = await this.database.query('SELECT queue FROM paused_queues')
    return new Set(rows.map(({ queue }) => queue))
  }

  /** From its commit on no task of the queue starts, whatever the broker delivers. */
  async pause(queue: QueueName): Promise<void> {
    await this.database.query('INSERT INTO paused_queues (queue) VALUES ($1) ON CONFLICT DO NOTHING', [queue])
  }

  async resume(queue: QueueName): Promise<void> {
    await this.database.query('DELETE FROM paused_queues WHERE queue = $1', [queue])
  }

  /** Cancels every task of the queue that has not started and returns how many. Running ones go on. */
  async purge(queue: QueueName): Promise<number> {
    let total = 0
    for (;;) {
      const rows: unknown[] = await this.database.query(
        `WITH waiting AS (
           SELECT id FROM tasks WHERE finished_at IS NULL AND queue = $1 AND state IN (${sourceList('running')})
           FOR UPDATE SKIP LOCKED LIMIT ${purgeBatch}
         ), ended AS (
           UPDATE tasks t SET state = 'cancelled', finished_at = now(), revoke_requested_at = now(),
             error_code = 'TASK_REVOKED', error_message = '${endWords.revoked}'
           FROM waiting WHERE t.id = waiting.id RETURNING t.id
         )
         SELECT pg_notify('${finishedChannel}', id::text) FROM ended`,
        [queue],
      )
      total += rows.length
      if (rows.length < purgeBatch) return total
    }
  }
}

/** The tasks of queue `$1` that wait and have a job: not a batch, whose chunks have, due from `$2` on and before `$3`, with a priority or without (`$4`). */
const fromWaiting = `FROM tasks
  WHERE finished_at IS NULL AND queue = $1 AND state IN (${sourceList('running')}) AND (priority > 0) = $4
    AND name <> '${batchPredictions.name}'
    AND greatest(available_at, created_at) >= to_timestamp($2 / 1000.0)
    AND greatest(available_at, created_at) < to_timestamp($3 / 1000.0)
    AND available_at < to_timestamp($3 / 1000.0)`

/** Counts by state among the first to be due, with the age of the oldest; the row without a state counts all. */
const depthStatement = `
  SELECT q.queue, s.state, s.count, s.due, s.oldest FROM unnest($1::text[]) AS q(queue), LATERAL (
    SELECT state, count(*)::int AS count, count(*) FILTER (WHERE available_at <= now())::int AS due,
      extract(epoch FROM now() - min(greatest(available_at, created_at)) FILTER (
        WHERE state IN (${sourceList('running')}) AND available_at <= now()))::float8 AS oldest
    FROM (
      SELECT state, available_at, created_at FROM tasks WHERE finished_at IS NULL AND queue = q.queue
      ORDER BY available_at LIMIT ${countedByState}) AS first
    GROUP BY state) AS s
  UNION ALL
  SELECT q.queue, NULL, a.count, a.due, NULL FROM unnest($1::text[]) AS q(queue), LATERAL (
    SELECT count(*)::int AS count, count(*) FILTER (WHERE available_at <= now())::int AS due
    FROM tasks WHERE finished_at IS NULL AND queue = q.queue) AS a`

/**
 * Of each queue its last ends, found along the index of the ends, so that a busy queue does not hide a quiet one. The
 * rate is theirs since the earliest of them, or, if that is all there was, since `latelySeconds` ago or the first task.
 */
const sampleStatement = `
  SELECT q.queue, s.rate, s.wait, s.run FROM unnest($1::text[]) AS q(queue), LATERAL (
    SELECT (count(*) / greatest(1, extract(epoch FROM now() - CASE WHEN count(*) = ${sampleSize} THEN min(finished_at)
        ELSE greatest(now() - interval '${latelySeconds} s', (SELECT created_at FROM tasks ORDER BY id LIMIT 1)) END)))::float8 AS rate,
      percentile_cont(0.95) WITHIN GROUP (ORDER BY extract(epoch FROM started_at - greatest(created_at, eta))::float8)
        FILTER (WHERE attempt = 1) AS wait,
      percentile_cont(0.95) WITHIN GROUP (ORDER BY extract(epoch FROM finished_at - started_at)::float8) AS run
    FROM (
      SELECT attempt, created_at, eta, started_at, finished_at FROM tasks
      WHERE queue = q.queue AND finished_at IS NOT NULL AND finished_at > now() - interval '${latelySeconds} s'
      ORDER BY finished_at DESC LIMIT ${sampleSize}) AS last) AS s`

/** The mean time of a slot for a task of queue `$1`: tasks of a worker that have started together share one slot. A batch has none, its chunks do. */
const slotTimeStatement = `
  SELECT (sum(seconds) / sum(tasks))::float8 AS seconds FROM (
    SELECT count(*) AS tasks, extract(epoch FROM max(finished_at) - started_at) AS seconds FROM (
      SELECT name, worker, started_at, finished_at FROM tasks
      WHERE queue = $1 AND finished_at IS NOT NULL AND finished_at > now() - interval '${latelySeconds} s'
      ORDER BY finished_at DESC LIMIT ${sampleSize}) AS last
    WHERE started_at IS NOT NULL AND name <> '${batchPredictions.name}'
    GROUP BY worker, started_at) AS slots`

interface DepthRow {
  queue: string
  state: TaskState | null
  count: number
  /** Those of them whose time has come. */
  due: number
  oldest: number | null
}

/** Counts by state; what was not counted by state is queued if it is due, otherwise scheduled. */
const depthOf = (rows: readonly DepthRow[]): Partial<Record<TaskState, number>> => {
  const depth: Partial<Record<TaskState, number>> = {}
  let [due, later] = [0, 0]
  for (const row of rows) {
    const sign = row.state === null ? 1 : -1
    if (row.state) depth[row.state] = row.count
    due += sign * row.due
    later += sign * (row.count - row.due)
  }
  if (due > 0) depth.queued = (depth.queued ?? 0) + due
  if (later > 0) depth.scheduled = (depth.scheduled ?? 0) + later
  return depth
}

interface SampleRow {
  queue: string
  rate: number
  wait: number | null
  run: number | null
}
