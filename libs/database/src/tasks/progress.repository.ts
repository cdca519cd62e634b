import { Injectable } from '@nestjs/common'
import { batchPredictions, type TaskState } from '#libs/tasks/contracts'
import { DataSource } from 'typeorm'
import { batchProgress } from '../batches/batch-progress.js'
import type { TaskEntity } from './task.entity.js'
import type { TaskProgress } from './task-progress.js'
import { commitSoon } from './task-sql.js'
import { BatchRepository } from '../batches/batch.repository.js'

/** What a running attempt says of itself. */
export interface ProgressReport {
  readonly taskId: string
  readonly attempt: number
  readonly stage: string | null
  readonly done: number
  readonly total: number
}

/** A task whose progress is requested. */
export interface ProgressOwner {
  readonly id: string
  readonly state: TaskState
  /** It stands for a batch, whose progress is counted from its chunks. */
  readonly isBatch: boolean
}

/** How far tasks are that say so, and batches, which need not. */
@Injectable()
export class ProgressRepository {
  constructor(
    private readonly dataSource: DataSource,
    private readonly batches: BatchRepository,
  ) {}

  /** Stores what running attempts report; of attempts that have ended it stores nothing. */
  async store(reports: readonly ProgressReport[]): Promise<void> {
    await this.dataSource.query(
      `WITH stored AS (
         INSERT INTO task_progress (task_id, stage, done, total, percent, eta_seconds)
         SELECT t.id, r.stage, r.done, r.total, round(100.0 * r.done / nullif(r.total, 0), 1),
           CASE WHEN r.done > 0 THEN
             ceil(extract(epoch FROM clock_timestamp() - t.started_at) * (r.total - r.done) / r.done) END
         FROM jsonb_to_recordset($1::jsonb) AS r("taskId" uuid, attempt integer, stage text, done bigint, total bigint)
           JOIN tasks t ON t.id = r."taskId" AND t.attempt = r.attempt AND t.state = 'running'
         ON CONFLICT (task_id) DO UPDATE SET stage = excluded.stage, done = excluded.done, total = excluded.total,
           percent = excluded.percent, eta_seconds = excluded.eta_seconds, updated_at = now()
       )
       SELECT ${commitSoon}`,
      [JSON.stringify(reports)],
    )
  }

  /** By task; tasks without reported progress are missing. */
  async list(tasks: readonly ProgressOwner[]): Promise<ReadonlyMap<string, TaskProgress>> {
    const found = new Map<string, TaskProgress>()
    const single = tasks.filter(({ isBatch }) => !isBatch)
    if (single.length > 0) {
      const rows: (TaskProgress & { readonly id: string })[] = await this.dataSource.query(
        `SELECT task_id AS id, percent, stage, done::float8, total::float8, eta_seconds AS "etaSeconds"
         FROM task_progress WHERE task_id = ANY($1::uuid[])`,
        [single.map(({ id }) => id)],
      )
      const succeeded = new Set(single.flatMap(({ id, state }) => (state === 'succeeded' ? [id] : [])))
      for (const { id, ...progress } of rows) found.set(id, succeeded.has(id) ? doneOf(progress) : progress)
    }
    const batches = tasks.filter(({ isBatch }) => isBatch)
    if (batches.length > 0) {
      const views = await this.batches.read(batches.map(({ id }) => id))
      for (const view of views) found.set(view.id, batchProgress(view))
    }
    return found
  }

  /** Null if the task has reported no progress. */
  async find({ id, state, name }: Pick<TaskEntity, 'id' | 'state' | 'name'>): Promise<TaskProgress | null> {
    const found = await this.list([{ id, state, isBatch: name === batchPredictions.name }])
    return found.get(id) ?? null
  }
}

/** Reports stop before the end; what has succeeded is done. */
const doneOf = ({ stage, total }: TaskProgress): TaskProgress => ({
  percent: 100,
  stage,
  done: total,
  total,
  etaSeconds: 0,
})
