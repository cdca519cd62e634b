import { Inject, Injectable } from '@nestjs/common'
import { MemoryGuardError, type QueueName, type Settled } from '#libs/platform'
import { batchPredictions, storedNames, terminalStates, type TaskState } from '#libs/tasks/contracts'
import { DataSource } from 'typeorm'
import type { Database } from '../connection/database.js'
import type { NewPrediction } from '../predictions/prediction.repository.js'
import { TaskEntity, type TaskLimits } from './task.entity.js'
import * as sql from './tasks.sql.js'
import { findByKey, storedBefore, type StoredSubmission, type Submission } from './submission.js'
import { toEnqueueable, type EnqueueableTask, type EnqueueRow } from './enqueue-row.js'

/** A task to be stored, before anything is queued. */
export interface NewTask extends Submission {
  readonly name: string
  readonly queue: QueueName
  /** Small options only; the ids of person and prediction stand in columns of their own. */
  readonly args: Readonly<Record<string, unknown>>
  readonly userId: number | null
  readonly predictionId: number | null
  /** A prediction to be stored with it. */
  readonly prediction?: Pick<NewPrediction, 'model' | 'healthMetrics' | 'warnings'> | undefined
  readonly priority: number
  /** Not to be started before; `delaySeconds` counts on the clock of the database. */
  readonly availableAt?: Date
  readonly delaySeconds?: number
  /** Not to be started after. */
  readonly expiresAt?: Date
  readonly expiresSeconds?: number
  readonly limits?: TaskLimits | undefined
  readonly parentId?: string | undefined
}

/** A task that was ended or asked to end. */
export interface RevokedTask {
  readonly id: string
  readonly name: string
  readonly state: TaskState
  readonly queue: QueueName
  /** Of the job that may wait for it in the broker. */
  readonly attempt: number
}

/** A replay of an ended task; `isNew` is false if it had been replayed before. */
export interface ReplayedTask {
  readonly original: string
  readonly isNew: boolean
  readonly task: EnqueueableTask
}

/** What one task has besides the columns of lists. */
export interface TaskOrigin {
  /** `name@version` */
  readonly model: string | null
  /** W3C `traceparent` of the request that submitted it, if its trace is recorded. */
  readonly traceparent: string | null
  /** The task that does it again. */
  readonly replayId: string | null
}

/** States from which a replay makes sense. */
export const replayableStates: readonly TaskState[] = terminalStates.filter((state) => state !== 'succeeded')

/** What callers and operators do with tasks: call, revoke, replay, forget, list. */
@Injectable()
export class TaskCallRepository {
  constructor(@Inject(DataSource) private readonly database: Database) {}

  /**
   * Stores tasks in one statement, each durable when it returns. Returns an outcome for each, in the order given; an
   * error is TASK_STATE_CONFLICT if another task has the id, or RESOURCE_GONE if the prediction is no longer there.
   */
  async create(tasks: readonly NewTask[]): Promise<readonly Settled<StoredSubmission>[]> {
    const input = tasks.map(({ prediction, ...task }) => ({ ...task, ...prediction }))
    const rows: EnqueueRow[] = await this.database.query(sql.storeTasks, [JSON.stringify(input)])
    const stored = new Map(rows.map((row) => [row.id, row]))
    return Promise.all(
      tasks.map(async (task): Promise<Settled<StoredSubmission>> => {
        const row = stored.get(task.taskId)
        return row ? { value: { taskId: row.id, isNew: true, tasks: [toEnqueueable(row)] } } : this.findKnown(task)
      }),
    )
  }

  /**
   * Revokes tasks: waiting ones are cancelled at once; running ones are marked and their workers notified. Both are
   * stored before the notification, so they take effect even if every worker is down. Finished tasks are not changed and
   * not returned.
   */
  async revoke(ids: readonly string[], terminate: boolean): Promise<readonly RevokedTask[]> {
    const rows: RevokedTask[] = await this.database.query(sql.revokeTasks, [ids, terminate])
    return rows.map(({ id, name, state, queue, attempt }) => ({ id, name, state, queue, attempt }))
  }

  /**
   * Does ended tasks again, each as a new task: `replays` gives the id of the new task for each old one. A task has at
   * most one replay. A prediction follows the replay of the task that was to compute it. A batch that has ended is
   * passed over, and so are its chunks: its rows are sent anew.
   */
  async replay(
    replays: ReadonlyMap<string, string>,
    submittedBy: string | null = null,
  ): Promise<readonly ReplayedTask[]> {
    const input = [...replays].map(([original, id]) => ({ original, id }))
    const rows: (EnqueueRow & { original: string; is_new: boolean })[] = await this.database.query(sql.replayTasks, [
      JSON.stringify(input),
      replayableStates,
      submittedBy,
      storedNames(batchPredictions.name),
    ])
    return rows.map((row) => ({ original: row.original, isNew: row.is_new, task: toEnqueueable(row) }))
  }

  /** Forgets results of finished tasks; the rest stays as history. Returns the ids of those that were finished. */
  async forget(ids: readonly string[]): Promise<ReadonlySet<string>> {
    const rows: { id: string }[] = await this.database.query(
      `WITH forgotten AS (
         UPDATE tasks SET result = NULL, result_forgotten_at = coalesce(result_forgotten_at, now())
         WHERE id = ANY($1::uuid[]) AND finished_at IS NOT NULL RETURNING id
       ) SELECT id FROM forgotten`,
      [ids],
    )
    return new Set(rows.map(({ id }) => id))
  }

  /** Tasks that a task has called, oldest first. */
  async listChildren(parentId: string): Promise<readonly TaskEntity[]> {
    return this.database.getRepository(TaskEntity).find({ where: { parentId }, order: { id: 'ASC' } })
  }

  async findOrigin(id: string): Promise<TaskOrigin> {
    const [row]: { model: string | null; traceparent: string | null; replay_id: string | null }[] =
      await this.database.query(sql.taskOrigin, [id])
    return { model: row?.model ?? null, traceparent: row?.traceparent ?? null, replayId: row?.replay_id ?? null }
  }

  private async findKnown({ taskId, idempotency, predictionId }: NewTask): Promise<Settled<StoredSubmission>> {
    if (predictionId !== null) {
      const found: unknown[] = await this.database.query('SELECT 1 FROM predictions WHERE id = $1', [predictionId])
      if (found.length === 0) return { error: new MemoryGuardError('RESOURCE_GONE', 'The prediction was erased.') }
    }
    const known = idempotency && (await findByKey(this.database, idempotency))
    return known && known.id !== taskId
      ? { value: storedBefore(known.id, known.hash) }
      : { error: new MemoryGuardError('TASK_STATE_CONFLICT', 'There is a task with this id already.') }
  }
}
