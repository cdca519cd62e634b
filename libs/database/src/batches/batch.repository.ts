import { Inject, Injectable } from '@nestjs/common'
import { batchPredictions, isTerminal, type TaskState } from '#libs/tasks/contracts'
import { DataSource } from 'typeorm'
import type { Database } from '../connection/database.js'
import type { StoredOutput } from '../predictions/prediction.entity.js'
import { TaskRepository } from '../tasks/task.repository.js'
import { toEnqueueable, type EnqueueRow } from '../tasks/enqueue-row.js'
import { findByKey, storedBefore, type IdempotencyKey, type StoredSubmission } from '../tasks/submission.js'
import { settleChunks } from '../tasks/settle.sql.js'
import type {
  BatchAcceptance,
  StoredChunk,
  BatchChunkInput,
  BatchResultRow,
  BatchRowError,
  BatchView,
  NewBatchChunk,
} from './batch-types.js'
import {
  acceptBatch,
  cancelBatches,
  closeFinishedBatches,
  deleteUnaccepted,
  insertBatch,
  insertChunk,
  selectAbandoned,
  selectBatches,
  selectErrors,
  selectResults,
  startChunk,
} from './batches.sql.js'

/** A PostgreSQL array of numbers as text; the driver would quote each of them. */
const arrayOf = (numbers: readonly number[]): string => `{${numbers.join(',')}}`

/** Batches, their chunks, and the predictions that come of them. */
@Injectable()
export class BatchRepository {
  constructor(
    @Inject(DataSource) private readonly database: Database,
    private readonly tasks: TaskRepository,
  ) {}

  /** Begins to receive a batch. Nobody sees it before `accept`. */
  async begin(id: string, model: string, userId: number | null): Promise<void> {
    await this.database.query(insertBatch, [id, model, userId])
  }

  /** Stores rows of a batch that is being received, and takes the ids of their predictions. */
  async addChunk(batchId: string, chunk: NewBatchChunk): Promise<void> {
    const { userIds, lines, metrics, warnings, errors } = chunk
    await this.database.query(insertChunk, [
      batchId,
      chunk.chunk,
      chunk.taskId,
      userIds.length,
      arrayOf(userIds),
      arrayOf(lines),
      JSON.stringify(metrics),
      JSON.stringify(warnings),
      JSON.stringify(errors),
      errors.length,
    ])
  }

  /**
   * Makes a received batch a task, and each of its chunks one, in one statement. With an idempotency key that has been
   * used meanwhile, the batch is discarded and the first one is returned.
   */
  async accept({
    taskId,
    userId,
    submittedBy,
    traceparent,
    idempotency,
    start = {},
  }: BatchAcceptance): Promise<StoredSubmission> {
    const rows: EnqueueRow[] = await this.database.query(acceptBatch, [
      taskId,
      userId,
      submittedBy ?? null,
      idempotency?.scope ?? null,
      idempotency?.key ?? null,
      idempotency?.hash ?? null,
      traceparent ?? null,
      start.availableAt ?? null,
      start.expiresAt ?? null,
      start.priority ?? 0,
    ])
    const known = rows.length === 0 && idempotency ? await this.findByKey(idempotency) : null
    if (known) await this.discard(taskId)
    return known ?? { taskId, isNew: true, tasks: rows.map(toEnqueueable) }
  }

  /** Forgets a batch that was not accepted. */
  async discard(id: string): Promise<void> {
    await this.database.query(deleteUnaccepted, [id])
  }

  /** Forgets batches whose upload ended without a word: nothing came for `idleSeconds`. Returns how many. */
  async discardAbandoned(idleSeconds: number): Promise<number> {
    const rows: { id: string }[] = await this.database.query(selectAbandoned, [idleSeconds])
    for (const { id } of rows) await this.discard(id)
    return rows.length
  }

  /** What an idempotency key has made. */
  async findByKey(key: Pick<IdempotencyKey, 'scope' | 'key'>): Promise<StoredSubmission | null> {
    const known = await findByKey(this.database, key)
    return known && storedBefore(known.id, known.hash)
  }

  /**
   * Reads the people of a chunk; returns null if they were removed. The first chunk that starts marks the batch as
   * running. `isCancelled` is true if the batch has ended without this chunk.
   */
  async startChunk(
    batchId: string,
    chunk: number,
  ): Promise<{ readonly input: BatchChunkInput; readonly isCancelled: boolean } | null> {
    const [row]: { model: string; metrics: string | null; state: TaskState }[] = await this.database.query(startChunk, [
      batchId,
      chunk,
    ])
    if (!row || row.metrics === null) return null
    const people = JSON.parse(row.metrics) as Record<string, number>[]
    return { input: { batchId, chunk, model: row.model, people }, isCancelled: isTerminal(row.state) }
  }

  /**
   * Stores the risks of chunks as predictions with the success of their tasks, in one statement: each only if its
   * attempt still holds the task. The people leave the chunk. Returns the ids of the tasks that were stored.
   */
  async storeChunks(chunks: readonly StoredChunk[]): Promise<ReadonlySet<string>> {
    return this.tasks.succeed(
      chunks.map(({ taskId, attempt, batchId, ...rest }) => ({ id: taskId, attempt, batch_id: batchId, ...rest })),
      settleChunks,
    )
  }

  /**
   * Ends batches without an unfinished chunk, once however many processes try: those given, or all. One that has a
   * chunk without a result has failed, and so has one without any result; some rows that failed alone do not make it
   * fail. Returns the ids of the ended.
   */
  async closeFinished(ids: readonly string[] | null): Promise<readonly string[]> {
    const rows: { id: string }[] = await this.database.query(closeFinishedBatches, [ids, batchPredictions.queue])
    return rows.map(({ id }) => id)
  }

  /**
   * Cancels batches and what of them is unfinished; a chunk that runs now can no longer store its risks. Returns the
   * ids of those that it ended.
   */
  async cancel(ids: readonly string[]): Promise<readonly string[]> {
    const rows: { id: string; is_batch: boolean }[] = await this.database.query(cancelBatches, [ids])
    return rows.flatMap(({ id, is_batch: isBatch }) => (isBatch ? [id] : []))
  }

  async find(id: string): Promise<BatchView | null> {
    const [view] = await this.read([id])
    return view ?? null
  }

  /** In no order; batches that are not there are missing. */
  async read(ids: readonly string[]): Promise<readonly BatchView[]> {
    return this.database.query(`${selectBatches} WHERE b.id = ANY($1::uuid[])`, [ids])
  }

  /** Newest first: ids are UUIDs of version 7. */
  async list(filter: {
    readonly userId?: number | undefined
    readonly before?: string | undefined
    readonly limit: number
  }): Promise<readonly BatchView[]> {
    return this.database.query(
      `${selectBatches} WHERE b.accepted_at IS NOT NULL AND ($1::bigint IS NULL OR b.user_id = $1)
         AND ($2::uuid IS NULL OR b.id < $2) ORDER BY b.id DESC LIMIT $3`,
      [filter.userId ?? null, filter.before ?? null, filter.limit],
    )
  }

  /** The first errors of rows, by line. */
  async listErrors(id: string, limit: number): Promise<readonly BatchRowError[]> {
    const rows: { error: BatchRowError }[] = await this.database.query(selectErrors, [id, limit])
    return rows.map(({ error }) => error)
  }

  /** What has ended of one chunk, by line. */
  async listResults(id: string, chunk: number): Promise<readonly BatchResultRow[]> {
    const rows: ResultRow[] = await this.database.query(selectResults, [id, chunk])
    return rows.map(toResult)
  }
}

interface ResultRow {
  line: number
  user_id: string | null
  id: string | null
  risk_score: number | null
  risk_category: string | null
  outputs: Record<string, StoredOutput> | null
  code: string | null
  message: string | null
}

const toResult = (row: ResultRow): BatchResultRow => ({
  line: row.line,
  userId: row.user_id === null ? null : Number(row.user_id),
  prediction:
    row.id === null || row.risk_score === null || row.risk_category === null || row.outputs === null
      ? null
      : { id: Number(row.id), riskScore: row.risk_score, riskCategory: row.risk_category, outputs: row.outputs },
  error: row.code === null ? null : { code: row.code, message: row.message ?? '' },
})
