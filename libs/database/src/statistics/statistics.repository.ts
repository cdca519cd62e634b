import { Inject, Injectable } from '@nestjs/common'
import { queueNames } from '#libs/platform'
import { DataSource } from 'typeorm'
import type { Database } from '../connection/database.js'
import { epochMs, settledTime } from '../tasks/task-sql.js'
import { emptyHistogram, histogramLayout } from './histogram.js'
import { addRollups, addSamples, bucketWidths, endedTasks } from './statistics.sql.js'

/** A task that ends in a transaction longer than this may be missed, in seconds. */
const longestWriteSeconds = 600
/** Most time whose ends are counted in one transaction, in milliseconds. */
const sliceMs = 60_000
/** How long rollups of minutes and hours are kept, in days; those of days stay. */
const keptDays = [
  { seconds: 60, days: 14 },
  { seconds: 3_600, days: 400 },
] as const

/** How far the ends of tasks are counted, in milliseconds since the epoch. */
export interface CountingProgress {
  readonly countedFrom: number | null
  readonly countedUntil: number | null
}

/** How a queue stands at one moment. */
export interface QueueSample {
  readonly queue: string
  /** Tasks that could start and have not. */
  readonly waiting: number
  /** Tasks that wait for their time. */
  readonly scheduled: number
  readonly running: number
  /** Age of the oldest waiting task in seconds; 0 if none waits. */
  readonly oldest_s: number
  /** Live workers that consume the queue, the tasks they can run at once, and those they run, of whatever queue. */
  readonly consumers: number
  readonly slots: number
  readonly busy: number
  readonly paused: boolean
}

/** Writes the statistics: counts of ended tasks, and samples of the queues. */
@Injectable()
export class StatisticsRepository {
  constructor(@Inject(DataSource) private readonly database: Database) {}

  /**
   * Counts the next minute at most of what has ended and is settled, each task once: the counts and how far they go are
   * stored in one transaction. Returns whether there is more to count now.
   */
  count(): Promise<boolean> {
    return this.database.transaction(async (database) => {
      const [progress]: ProgressRow[] = await database.query(lockProgress)
      const settled = progress?.settled ?? 0
      const from = progress?.until ?? null
      const [next]: { next: number | null }[] = await database.query(nextEnd, [queueNames, new Date(from ?? 0)])
      const begin = Math.max(from ?? 0, Math.min(settled, next?.next ?? settled))
      const until = Math.max(begin, Math.min(settled, begin + sliceMs))
      if (begin < until) {
        const ended: EndedRow[] = await database.query(endedTasks, [queueNames, new Date(begin), new Date(until)])
        if (ended.length > 0) await database.query(addRollups, [JSON.stringify(foldRollups(ended))])
      }
      await database.query(
        'UPDATE statistics_progress SET counted_from = coalesce(counted_from, $1), counted_until = $2',
        [new Date(begin), new Date(until)],
      )
      return until < settled
    })
  }

  /** Adds samples of the present moment. */
  async addSamples(samples: readonly QueueSample[]): Promise<void> {
    await this.database.query(addSamples, [JSON.stringify(samples)])
  }

  async readProgress(): Promise<CountingProgress> {
    const [row]: CountingProgress[] = await this.database.query(
      `SELECT ${epochMs('counted_from')} AS "countedFrom", ${epochMs('counted_until')} AS "countedUntil"
       FROM statistics_progress`,
    )
    return row ?? { countedFrom: null, countedUntil: null }
  }

  /** Removes minutes and hours, of tasks and of samples, that are older than they are kept. */
  async removeOld(): Promise<void> {
    for (const { seconds, days } of keptDays) {
      for (const table of ['task_rollups', 'queue_samples']) {
        await this.database.query(
          `DELETE FROM ${table} WHERE width_s = $1 AND bucket < now() - make_interval(days => $2)`,
          [seconds, days],
        )
      }
    }
  }
}

/** The planner takes the newest rows for a few, and would sort them to group them. */
const lockProgress = `
  SELECT set_config('enable_sort', 'off', true), ${epochMs('counted_until')} AS until, ${epochMs(settledTime(longestWriteSeconds))} AS settled
  FROM statistics_progress FOR UPDATE`

/** When the first task of the queues `$1` ended at or after `$2`. */
const nextEnd = `
  SELECT ${epochMs('min(e.finished_at)')} AS next FROM unnest($1::text[]) AS q(queue), LATERAL (
    SELECT finished_at FROM tasks WHERE queue = q.queue AND finished_at IS NOT NULL AND finished_at >= $2
    ORDER BY finished_at LIMIT 1) AS e`

interface ProgressRow {
  until: number | null
  settled: number
}

/** Some tasks with the same labels and bins; a bin is null for tasks that never started. */
interface EndedRow {
  /** Start of the minute, in milliseconds since the epoch. */
  minute: number
  queue: string
  name: string
  outcome: string
  model: string
  wait_bin: number | null
  run_bin: number | null
  tasks: number
  retries: number
  wait_ms: number
  run_ms: number
  run_max_ms: number
}

/** One row for each bucket and set of labels. */
const foldRollups = (ended: readonly EndedRow[]) => {
  const rollups = new Map<string, ReturnType<typeof emptyRollup>>()
  for (const row of ended) {
    for (const { seconds } of bucketWidths) {
      const width = seconds * 1000
      const bucket = Math.floor(row.minute / width) * width
      const key = [seconds, bucket, row.queue, row.name, row.outcome, row.model].join(' ')
      const rollup = rollups.get(key) ?? emptyRollup(seconds, bucket, row)
      rollups.set(key, rollup)
      rollup.tasks += row.tasks
      rollup.retries += row.retries
      rollup.wait_ms += row.wait_ms
      rollup.run_ms += row.run_ms
      rollup.run_max_ms = Math.max(rollup.run_max_ms, row.run_max_ms)
      addTo(rollup.wait_histogram, row.wait_bin, row.tasks)
      addTo(rollup.run_histogram, row.run_bin, row.tasks)
    }
  }
  return [...rollups.values()]
}

const emptyRollup = (seconds: number, bucket: number, { queue, name, outcome, model }: EndedRow) => ({
  width_s: seconds,
  bucket,
  queue,
  name,
  outcome,
  model,
  layout: histogramLayout,
  tasks: 0,
  retries: 0,
  wait_ms: 0,
  run_ms: 0,
  run_max_ms: 0,
  wait_histogram: emptyHistogram(),
  run_histogram: emptyHistogram(),
})

const addTo = (histogram: number[], bin: number | null, tasks: number): void => {
  if (bin !== null) histogram[bin] = (histogram[bin] ?? 0) + tasks
}
