import { Injectable } from '@nestjs/common'
import type { QueueName } from '#libs/platform'
import { DataSource, type EntityManager } from 'typeorm'
import type { Database } from '../connection/database.js'
import { withoutPerson, type HeldChunk } from '../batches/erased-chunk.js'
import { AuditRepository, type AuditEntry } from '../access/audit.repository.js'
import type { EnqueueableTask, TaskJob } from '../tasks/enqueue-row.js'
import { eraseRows } from './erasure.sql.js'

/** What is counted of an erasure. `batch_rows` are rows of batches that have no prediction: waiting, or refused. */
export const erasedKinds = [
  'predictions',
  'explanations',
  'forecasts',
  'health_metrics',
  'tasks',
  'task_attempts',
  'batches',
  'batch_rows',
  'schedules',
  'api_keys',
] as const

export type ErasedCounts = Record<(typeof erasedKinds)[number], number>

/** What was erased of a person, and what must happen now. */
export interface Erasure {
  readonly counts: ErasedCounts
  /** Jobs of erased tasks that the broker may hold. */
  readonly jobs: readonly (TaskJob & { readonly queue: QueueName })[]
  /** Chunks of batches that ran without knowing of the erasure, to be enqueued again for the other people. */
  readonly restarted: readonly EnqueueableTask[]
}

/**
 * Erases people. One statement takes everything of a person that it sees, so that a submission is erased as a whole or
 * not at all. It is repeated until it finds nothing from before the end of its first run, which is also the proof: the
 * second run takes what a worker or a request that held a lock has written meanwhile; what came later is about a new
 * person.
 */
@Injectable()
export class ErasureRepository {
  constructor(private readonly dataSource: DataSource) {}

  /** Tasks of a person that have not ended. */
  async listUnfinished(userId: number): Promise<readonly string[]> {
    const rows: { id: string }[] = await this.dataSource.query(
      'SELECT id FROM tasks WHERE finished_at IS NULL AND user_id = $1',
      [userId],
    )
    return rows.map(({ id }) => id)
  }

  /**
   * Erases a person. Its entry of the audit trail is stored in the transaction of the last run, which proves that nothing
   * is left: without the entry, the erasure was not completed.
   */
  async erase(userId: number, toEntry: (counts: ErasedCounts) => AuditEntry): Promise<Erasure> {
    const counts = Object.fromEntries(erasedKinds.map((kind) => [kind, 0])) as ErasedCounts
    let taskIds: readonly string[] = []
    let predictionIds: readonly string[] = []
    let jobs: Erasure['jobs'] = []
    const restarted: EnqueueableTask[] = []
    for (let until = 'infinity'; ;) {
      const isProof = until !== 'infinity'
      const { rows, chunks, isClean } = await this.dataSource.transaction(async (transaction) => {
        const rows = await this.eraseRows(transaction, { userId, until, taskIds, predictionIds })
        const chunks = await this.findChunks(transaction, userId, until)
        const isClean = isProof && chunks.length === 0 && erasedKinds.every((kind) => rows.counts[kind] === 0)
        if (isClean) await new AuditRepository(transaction).record(toEntry(counts))
        return { rows, chunks, isClean }
      })
      if (isClean) return { counts, jobs, restarted }
      const batchRows = rows.counts.batch_rows + (await this.thinChunks(userId, chunks, restarted))
      for (const kind of erasedKinds) counts[kind] += kind === 'batch_rows' ? batchRows : rows.counts[kind]
      taskIds = [...taskIds, ...rows.task_ids]
      predictionIds = [...predictionIds, ...rows.prediction_ids]
      jobs = [...jobs, ...rows.jobs]
      if (!isProof) until = await this.readTime()
    }
  }

  private async readTime(): Promise<string> {
    const [row]: [{ now: string }] = await this.dataSource.query('SELECT clock_timestamp()::text AS now')
    return row.now
  }

  /**
   * Tasks are locked first and in the order of their ids, as workers lock them. What they held of tasks and
   * predictions that earlier passes have erased is erased by their ids.
   */
  private async eraseRows(database: Database, { userId, until, taskIds, predictionIds }: Sought): Promise<ErasedRows> {
    const [row]: [ErasedRows] = await database.query(eraseRows, [userId, taskIds, predictionIds, until])
    return row
  }

  /** Chunks of batches that hold the person. */
  private findChunks(database: Database, userId: number, until: string): Promise<readonly FoundChunk[]> {
    return database.query(
      `SELECT batch_id, chunk, task_id FROM batch_chunks
       WHERE created_at <= $2 AND (user_ids IS NOT NULL OR error_count > 0) AND (user_ids @> ARRAY[$1::bigint]
         OR (error_count > 0 AND errors @> jsonb_build_array(jsonb_build_object('user_id', $1::bigint))))`,
      [userId, until],
    )
  }

  /** Takes a person out of the chunks of batches; returns how many rows and errors they held. */
  private async thinChunks(
    userId: number,
    chunks: readonly FoundChunk[],
    restarted: EnqueueableTask[],
  ): Promise<number> {
    let total = 0
    for (const { batch_id: batchId, chunk, task_id: taskId } of chunks) {
      await this.dataSource.transaction(async (manager) => {
        // The batch cannot be accepted, nor can the chunk be claimed or stored, before this is done.
        await manager.query('SELECT 1 FROM batches WHERE id = $1 FOR UPDATE', [batchId])
        const task = await this.takeBack(manager, taskId)
        const rows = await this.thin(manager, batchId, chunk, userId)
        if (task) restarted.push(task)
        total += rows
      })
    }
    return total
  }

  /** Locks the task of a chunk; if it runs, its attempt ends, since it computes people as they stood before. */
  private async takeBack(manager: EntityManager, taskId: string): Promise<EnqueueableTask | undefined> {
    const [task]: { name: string; queue: QueueName; state: string; attempt: number; priority: number }[] =
      await manager.query('SELECT name, queue, state, attempt, priority FROM tasks WHERE id = $1 FOR UPDATE', [taskId])
    if (task?.state !== 'running') return undefined
    await manager.query(
      `WITH attempts AS (
         INSERT INTO task_attempts (task_id, attempt, worker, outcome, error_code, error_message, started_at)
         SELECT id, attempt, worker, 'released', 'TASK_RELEASED', 'A person of it was erased.', started_at
         FROM tasks WHERE id = $1
       )
       UPDATE tasks SET state = 'queued', lease_expires_at = NULL, available_at = now() WHERE id = $1`,
      [taskId],
    )
    const { name, queue, attempt, priority } = task
    return { taskId, name, queue, attempt: attempt + 1, priority, delayMs: 0 }
  }

  private async thin(manager: EntityManager, batchId: string, chunk: number, userId: number): Promise<number> {
    const [held]: HeldChunk[] = await manager.query(
      `SELECT user_ids, lines, prediction_ids, metrics, warnings, errors FROM batch_chunks
       WHERE batch_id = $1 AND chunk = $2 FOR UPDATE`,
      [batchId, chunk],
    )
    if (!held) return 0
    const { rest, rows, errors } = withoutPerson(held, userId)
    await manager.query(
      `WITH thinned AS (
         UPDATE batch_chunks SET row_count = row_count - $3, error_count = error_count - $4, user_ids = $5, lines = $6,
           prediction_ids = $7, metrics = $8, warnings = $9, errors = $10
         WHERE batch_id = $1 AND chunk = $2
       )
       UPDATE batches SET total = total - $3 - $4 WHERE id = $1`,
      [
        batchId,
        chunk,
        rows,
        errors,
        rest.user_ids,
        rest.lines,
        rest.prediction_ids,
        rest.metrics,
        rest.warnings && JSON.stringify(rest.warnings),
        JSON.stringify(rest.errors),
      ],
    )
    return rows + errors
  }
}

/** What one pass is for. */
interface Sought {
  readonly userId: number
  /** Nothing that was made later. */
  readonly until: string
  /** Of what earlier passes have erased. */
  readonly taskIds: readonly string[]
  readonly predictionIds: readonly string[]
}

interface FoundChunk {
  readonly batch_id: string
  readonly chunk: number
  readonly task_id: string
}

interface ErasedRows {
  readonly task_ids: readonly string[]
  readonly prediction_ids: readonly string[]
  readonly jobs: readonly (TaskJob & { readonly queue: QueueName })[]
  readonly counts: ErasedCounts
}
