import { Injectable } from '@nestjs/common'
import { computeBatchChunk } from '#libs/tasks/contracts'
import { DataSource } from 'typeorm'
import { commitSoon } from './task-sql.js'
import { readDatabaseTime } from '../connection/database-time.js'
import { firstIdOf, isMadeBefore } from '../lists/uuid-time.js'

/** What one statement has done of a longer work. */
export interface RemovedPage {
  readonly removed: number
  /** Where the next page begins; null when there is none. */
  readonly next: string | null
}

/** Smaller than the id of any task. */
export const firstTaskId = '00000000-0000-0000-0000-000000000000'

/** Chunks of a batch whose predictions are removed by one statement. */
const chunksAtOnce = 5
/** Rows of other tables that are removed by one statement. */
const rowsAtOnce = 1_000

/**
 * Removes expired rows, in statements of bounded size that touch only finished tasks, so that nobody waits for them; and
 * distinguishes removed rows from rows that never existed.
 */
@Injectable()
export class RetentionRepository {
  constructor(private readonly dataSource: DataSource) {}

  /**
   * Whether a prediction that is not there has been: the ids are given in their order, so every id up to the last one
   * given has been, but for the few that were given to submissions that failed.
   */
  async wasPrediction(id: number): Promise<boolean> {
    const [row]: { was: boolean }[] = await this.dataSource.query(
      'SELECT is_called AND $1 <= last_value AS was FROM predictions_id_seq',
      [id],
    )
    return row?.was ?? false
  }

  /** Whether a task that is not there has been erased, or is older than results are kept (0: for ever). */
  async wasTask(id: string, ttlSeconds: number): Promise<boolean> {
    if (ttlSeconds > 0 && isMadeBefore(id, await this.ago(ttlSeconds))) return true
    const rows: unknown[] = await this.dataSource.query('SELECT 1 FROM erased_tasks WHERE id = $1', [id])
    return rows.length > 0
  }

  /**
   * Reads `limit` tasks along the primary key, which is in the order of time, and removes those that ended longer
   * ago, with their attempts, predictions, explanations and forecasts. The chunks of a batch stay: they go with it.
   */
  async removeFinished(ttlSeconds: number, afterId: string, limit: number): Promise<RemovedPage> {
    const [row]: { seen: string; last_id: string | null; removed: string }[] = await this.dataSource.query(
      `WITH seen AS MATERIALIZED (
         SELECT id, name, args, prediction_id, finished_at FROM tasks WHERE id > $2 AND id < $3 ORDER BY id LIMIT $4
       ), past AS (
         SELECT s.id, s.prediction_id FROM seen s
         WHERE s.finished_at < now() - make_interval(secs => $1)
           AND NOT (s.name = '${computeBatchChunk.name}' AND EXISTS (SELECT 1 FROM batch_chunks c
             WHERE c.batch_id = (s.args ->> 'batch_id')::uuid AND c.chunk = (s.args ->> 'chunk')::integer
               AND c.task_id = s.id))
       ), gone AS (
         DELETE FROM tasks t USING past WHERE t.id = past.id RETURNING t.id, t.prediction_id
       ), gone_attempts AS (
         DELETE FROM task_attempts a USING gone WHERE a.task_id = gone.id
       ), gone_progress AS (
         DELETE FROM task_progress p USING gone WHERE p.task_id = gone.id
       ), gone_deliveries AS (
         -- What is still tried goes when it is not any more.
         DELETE FROM webhook_deliveries d USING gone WHERE d.task_id = gone.id AND d.state <> 'pending'
       ), gone_forecasts AS (
         DELETE FROM forecasts f USING gone WHERE f.task_id = gone.id
       ), gone_predictions AS (
         DELETE FROM predictions p USING gone WHERE p.id = gone.prediction_id AND p.task_id = gone.id RETURNING p.id
       ), gone_explanations AS (
         DELETE FROM explanations e USING gone
         WHERE e.prediction_id = gone.prediction_id
           AND (e.task_id = gone.id OR e.prediction_id IN (SELECT id FROM gone_predictions))
       )
       SELECT (SELECT count(*) FROM seen) AS seen, (SELECT max(id::text) FROM seen) AS last_id,
         (SELECT count(*) FROM gone) AS removed, ${commitSoon}`,
      [ttlSeconds, afterId, firstIdOf(await this.ago(ttlSeconds)), limit],
    )
    return { removed: Number(row?.removed ?? 0), next: Number(row?.seen ?? 0) < limit ? null : (row?.last_id ?? null) }
  }

  /** Batches whose own task is gone, oldest first: the rest of them is to be removed. */
  async listLeftBatches(ttlSeconds: number, limit: number): Promise<readonly string[]> {
    const rows: { id: string }[] = await this.dataSource.query(
      `SELECT b.id FROM batches b
       WHERE b.id < $1 AND b.accepted_at IS NOT NULL AND NOT EXISTS (SELECT 1 FROM tasks t WHERE t.id = b.id)
       ORDER BY b.id LIMIT $2`,
      [firstIdOf(await this.ago(ttlSeconds)), limit],
    )
    return rows.map(({ id }) => id)
  }

  /** Removes some chunks of such a batch with their tasks and predictions, and the batch after its last chunk. */
  async removeChunks(batchId: string): Promise<RemovedPage> {
    const [row]: { chunks: string }[] = await this.dataSource.query(
      `WITH past AS MATERIALIZED (
         SELECT batch_id, chunk, task_id, first_prediction_id, last_prediction_id FROM batch_chunks
         WHERE batch_id = $1 ORDER BY chunk LIMIT ${chunksAtOnce}
       ), gone_tasks AS (
         DELETE FROM tasks t USING past WHERE t.id = past.task_id
       ), gone_attempts AS (
         DELETE FROM task_attempts a USING past WHERE a.task_id = past.task_id
       ), gone_progress AS (
         DELETE FROM task_progress p USING past WHERE p.task_id = past.task_id
       ), gone_predictions AS (
         DELETE FROM predictions p USING past
         WHERE p.id BETWEEN past.first_prediction_id AND past.last_prediction_id AND p.batch_id = $1 RETURNING p.id
       ), gone_explanations AS (
         DELETE FROM explanations e USING gone_predictions p WHERE e.prediction_id = p.id
       ), gone_chunks AS (
         DELETE FROM batch_chunks c USING past WHERE c.batch_id = past.batch_id AND c.chunk = past.chunk
       ), gone_batch AS (
         DELETE FROM batches WHERE id = $1 AND NOT EXISTS (SELECT 1 FROM past)
       )
       SELECT count(*) AS chunks, ${commitSoon} FROM past`,
      [batchId],
    )
    const chunks = Number(row?.chunks ?? 0)
    return { removed: chunks, next: chunks === 0 ? null : batchId }
  }

  /**
   * Removes records of erased tasks whose ids alone show by their age that they are gone. Returns whether there may be more.
   */
  async removeMarks(ttlSeconds: number): Promise<boolean> {
    return this.removeSome('erased_tasks', 'id', 'id < $1', firstIdOf(await this.ago(ttlSeconds)))
  }

  /** Removes heartbeats of workers, and commands to workers, that nobody asks for any more. */
  async removeSilentWorkers(silentSeconds: number): Promise<boolean> {
    const before = await this.ago(silentSeconds)
    const workers = await this.removeSome('workers', 'id', 'heartbeat_at < $1', before)
    const commands = await this.removeSome('worker_commands', 'id', 'expires_at < $1', before)
    return workers || commands
  }

  private ago(seconds: number): Promise<Date> {
    return readDatabaseTime(this.dataSource, seconds)
  }

  private async removeSome(table: string, key: string, where: string, limit: Date | string): Promise<boolean> {
    const [row]: { removed: string }[] = await this.dataSource.query(
      `WITH gone AS (
         DELETE FROM ${table} WHERE ${key} IN (SELECT ${key} FROM ${table} WHERE ${where} LIMIT ${rowsAtOnce})
         RETURNING ${key}
       ) SELECT count(*) AS removed, ${commitSoon} FROM gone`,
      [limit],
    )
    return Number(row?.removed ?? 0) === rowsAtOnce
  }
}
