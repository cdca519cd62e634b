import { Inject, Injectable } from '@nestjs/common'
import type { ErrorCode } from '#libs/platform'
import { batchPredictions, isTerminal, type TaskState } from '#libs/tasks/contracts'
import { DataSource } from 'typeorm'
import type { Database } from '../connection/database.js'
import type { StoredOutput } from '../predictions/prediction.entity.js'
import { commitSoon, endWords, finishedChannel, sourceList } from '../tasks/task-sql.js'
import { TaskRepository, type DispatchableTask } from '../tasks/task.repository.js'

/** Why one row of a batch has no result. The words never hold a value of the row. */
export interface BatchRowError {
  /** Line of the input, from 1; of JSON: position of the item, from 1. */
  readonly line: number
  /** Null where the row names no person. */
  readonly user_id: number | null
  readonly code: ErrorCode
  readonly message: string
}

/** Some rows of a batch, in the order of the input. The arrays have one entry for each person. */
export interface NewBatchChunk {
  readonly chunk: number
  /** UUID version 7 of its task. */
  readonly taskId: string
  readonly userIds: readonly number[]
  readonly lines: readonly number[]
  readonly metrics: readonly Readonly<Record<string, number>>[]
  /** By position in the arrays; most people have none. */
  readonly warnings: Readonly<Record<number, readonly string[]>>
  /** Rows that were refused. */
  readonly errors: readonly BatchRowError[]
}

export interface BatchAcceptance {
  readonly id: string
  readonly userId: number | null
  /** Id of the API key that asks for it. */
  readonly submittedBy?: string | undefined
  readonly idempotency?: { readonly scope: string; readonly key: string; readonly hash: string } | undefined
}

/** People of a chunk for the worker. */
export interface BatchChunkInput {
  readonly batchId: string
  readonly chunk: number
  readonly model: string
  readonly people: readonly Readonly<Record<string, number>>[]
}

/** Answers for the people of a chunk, in order; null for those in `failures`. */
export interface BatchChunkAnswer {
  readonly taskId: string
  readonly attempt: number
  readonly batchId: string
  readonly chunk: number
  readonly scores: readonly (number | null)[]
  readonly categories: readonly (string | null)[]
  readonly outputs: readonly (Readonly<Record<string, StoredOutput>> | null)[]
  /** By position in the chunk. */
  readonly failures: Readonly<Record<number, { readonly code: ErrorCode; readonly message: string }>>
}

/** A batch with its counts, which are always counted from its chunks. */
export interface BatchView {
  readonly id: string
  readonly userId: number | null
  readonly model: string
  readonly state: TaskState
  readonly total: number
  readonly succeeded: number
  readonly failed: number
  readonly cancelled: number
  readonly chunks: number
  readonly createdAt: Date
  readonly startedAt: Date | null
  readonly finishedAt: Date | null
  /** Since it was started. */
  readonly elapsedSeconds: number | null
}

/** One row of the results: a prediction, or an error. */
export interface BatchResultRow {
  readonly line: number
  readonly userId: number | null
  readonly prediction: {
    readonly id: number
    readonly riskScore: number
    readonly riskCategory: string
    readonly outputs: Readonly<Record<string, StoredOutput>>
  } | null
  readonly error: { readonly code: string; readonly message: string } | null
}

interface BatchRow {
  id: string
  user_id: string | null
  model: string
  state: TaskState
  total: number
  succeeded: string
  failed: string
  cancelled: string
  chunks: string
  created_at: Date
  started_at: Date | null
  finished_at: Date | null
  elapsed_seconds: number | null
}

const ended = `'failed', 'timed_out', 'expired'`

/** Counts of a batch `b`, from its chunks and the states of their tasks. */
const counts = `LATERAL (
  SELECT count(*) AS chunks,
    coalesce(sum(c.stored_count) FILTER (WHERE t.state = 'succeeded'), 0) AS succeeded,
    coalesce(sum(c.error_count), 0) + coalesce(sum(c.row_count) FILTER (WHERE t.state IN (${ended})), 0) AS failed,
    coalesce(sum(c.row_count) FILTER (WHERE t.state = 'cancelled'), 0) AS cancelled
  FROM batch_chunks c JOIN tasks t ON t.id = c.task_id WHERE c.batch_id = b.id) n`

const viewStatement = `SELECT b.id, b.user_id, b.model, b.total, t.state, t.created_at, t.started_at, t.finished_at,
    extract(epoch FROM clock_timestamp() - t.started_at)::float8 AS elapsed_seconds,
    n.chunks, n.succeeded, n.failed, n.cancelled
  FROM batches b JOIN tasks t ON t.id = b.id, ${counts}`

const toView = (row: BatchRow): BatchView => ({
  id: row.id,
  userId: row.user_id === null ? null : Number(row.user_id),
  model: row.model,
  state: row.state,
  total: row.total,
  succeeded: Number(row.succeeded),
  failed: Number(row.failed),
  cancelled: Number(row.cancelled),
  chunks: Number(row.chunks),
  createdAt: row.created_at,
  startedAt: row.started_at,
  finishedAt: isTerminal(row.state) ? row.finished_at : null,
  elapsedSeconds: row.elapsed_seconds,
})

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
    await this.database.query(
      `WITH b AS (INSERT INTO batches (id, model, user_id) VALUES ($1, $2, $3)) SELECT ${commitSoon}`,
      [id, model, userId],
    )
  }

  /** Stores rows of a batch that is being received, and takes the ids of their predictions. */
  async addChunk(batchId: string, chunk: NewBatchChunk): Promise<void> {
    const { userIds, lines, metrics, warnings, errors } = chunk
    await this.database.query(
      `WITH ids AS (
         SELECT array_agg(id) AS all_ids, min(id) AS first_id, max(id) AS last_id
         FROM (SELECT nextval('predictions_id_seq') AS id FROM generate_series(1, $4::integer)) AS taken
       ), stored AS (
         INSERT INTO batch_chunks (batch_id, chunk, task_id, row_count, user_ids, lines, metrics, warnings,
           errors, error_count, prediction_ids, first_prediction_id, last_prediction_id)
         SELECT $1, $2, $3, $4, $5::bigint[], $6::integer[], $7, $8::jsonb, $9::jsonb, $10, all_ids, first_id, last_id
         FROM ids
       )
       SELECT ${commitSoon}`,
      [
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
      ],
    )
  }

  /**
   * Makes a received batch a task, and each of its chunks one, in one statement. With an idempotency key that has been
   * used meanwhile, nothing happens. Answers the tasks of the chunks, to be dispatched; none if nothing happened.
   */
  async accept({ id, userId, submittedBy, idempotency }: BatchAcceptance): Promise<readonly DispatchableTask[]> {
    const rows: { id: string }[] = await this.database.query(
      `WITH parent AS (
         -- It is never dispatched: its chunks are. So it is due only when the first of them starts.
         INSERT INTO tasks (id, name, queue, state, args, user_id, available_at, submitted_by,
           idempotency_scope, idempotency_key, idempotency_hash)
         VALUES ($1, $2, $3, 'queued', jsonb_build_object('batch_id', $1::uuid), $4, now() + interval '100 years', $8, $5, $6, $7)
         ON CONFLICT (idempotency_scope, idempotency_key) WHERE idempotency_key IS NOT NULL DO NOTHING
         RETURNING id
       ), accepted AS (
         UPDATE batches b SET accepted_at = now(), total = ids.total, first_prediction_id = ids.first_id,
           last_prediction_id = ids.last_id
         FROM parent, (SELECT sum(row_count + error_count) AS total,
             min(first_prediction_id) AS first_id, max(last_prediction_id) AS last_id
           FROM batch_chunks WHERE batch_id = $1) AS ids
         WHERE b.id = parent.id
       )
       INSERT INTO tasks (id, name, queue, state, args, user_id, parent_id)
       SELECT c.task_id, $2, $3, 'queued', jsonb_build_object('batch_id', c.batch_id, 'chunk', c.chunk), $4, $1
       FROM parent JOIN batch_chunks c ON c.batch_id = parent.id
       ORDER BY c.chunk
       RETURNING id`,
      [
        id,
        batchPredictions.name,
        batchPredictions.queue,
        userId,
        idempotency?.scope ?? null,
        idempotency?.key ?? null,
        idempotency?.hash ?? null,
        submittedBy ?? null,
      ],
    )
    return rows.map((row) => ({
      taskId: row.id,
      attempt: 1,
      name: batchPredictions.name,
      queue: 'batch',
      priority: 0,
      delayMs: 0,
    }))
  }

  /** Forgets a batch that was not accepted. */
  async discard(id: string): Promise<void> {
    await this.database.query(
      `WITH gone AS (DELETE FROM batches WHERE id = $1 AND accepted_at IS NULL RETURNING id)
       DELETE FROM batch_chunks c USING gone WHERE c.batch_id = gone.id`,
      [id],
    )
  }

  /** Forgets batches whose upload ended without a word: nothing came for `idleSeconds`. Answers how many. */
  async discardAbandoned(idleSeconds: number): Promise<number> {
    const rows: { id: string }[] = await this.database.query(
      `SELECT b.id FROM batches b WHERE b.accepted_at IS NULL AND b.created_at < now() - make_interval(secs => $1)
         AND NOT EXISTS (SELECT 1 FROM batch_chunks c
           WHERE c.batch_id = b.id AND c.created_at >= now() - make_interval(secs => $1))
       LIMIT 100`,
      [idleSeconds],
    )
    for (const { id } of rows) await this.discard(id)
    return rows.length
  }

  /** The batch that an idempotency key made, if it was one, and the hash of the request that made it. */
  async findByKey(scope: string, key: string): Promise<{ readonly id: string; readonly hash: string } | null> {
    const [row]: { id: string; hash: string }[] = await this.database.query(
      `SELECT id, idempotency_hash AS hash FROM tasks WHERE idempotency_scope = $1 AND idempotency_key = $2`,
      [scope, key],
    )
    return row ?? null
  }

  /**
   * The people of a chunk; null if they are no longer there. The first chunk that is asked for marks the batch as
   * running. `isCancelled` says that the batch has ended without this chunk.
   */
  async startChunk(
    batchId: string,
    chunk: number,
  ): Promise<{ readonly input: BatchChunkInput; readonly isCancelled: boolean } | null> {
    const [row]: { model: string; metrics: string | null; state: TaskState }[] = await this.database.query(
      `WITH started AS (
         UPDATE tasks SET state = 'running', attempt = 1, started_at = now(), available_at = now()
         WHERE id = $1 AND state IN (${sourceList('running')})
       )
       SELECT b.model, c.metrics, t.state, ${commitSoon}
       FROM batch_chunks c JOIN batches b ON b.id = c.batch_id JOIN tasks t ON t.id = c.batch_id
       WHERE c.batch_id = $1 AND c.chunk = $2`,
      [batchId, chunk],
    )
    if (!row || row.metrics === null) return null
    const people = JSON.parse(row.metrics) as Record<string, number>[]
    return { input: { batchId, chunk, model: row.model, people }, isCancelled: isTerminal(row.state) }
  }

  /**
   * Stores the answers of chunks as predictions with the success of their tasks, in one statement: each only if its
   * attempt still holds the task. The people leave the chunk. Answers the task ids that were stored.
   */
  async storeChunks(answers: readonly BatchChunkAnswer[]): Promise<ReadonlySet<string>> {
    return this.tasks.succeed(
      answers.map(({ taskId, attempt, batchId, ...rest }) => ({ id: taskId, attempt, batch_id: batchId, ...rest })),
      {
        columns: `batch_id uuid, chunk integer, scores double precision[], categories text[], outputs jsonb, failures jsonb`,
        cte: `answers AS (
          INSERT INTO predictions (id, task_id, user_id, model, health_metrics, warnings, risk_score, risk_category,
            outputs, attempt, batch_id, batch_line)
          SELECT r.id, s.id, r.user_id, b.model, r.metrics, coalesce(c.warnings -> (r.position - 1)::text, '[]'),
            r.score, r.category, r.outputs, s.attempt, s.batch_id, r.line
          FROM settled s
            JOIN batch_chunks c ON c.batch_id = s.batch_id AND c.chunk = s.chunk
            JOIN batches b ON b.id = s.batch_id,
            ROWS FROM (unnest(c.prediction_ids), unnest(c.user_ids), unnest(c.lines),
              jsonb_array_elements(c.metrics::jsonb), unnest(s.scores), unnest(s.categories),
              jsonb_array_elements(s.outputs))
              WITH ORDINALITY AS r(id, user_id, line, metrics, score, category, outputs, position)
          WHERE r.score IS NOT NULL
        ), emptied AS (
          UPDATE batch_chunks c SET
            stored_count = c.row_count - f.number, error_count = c.error_count + f.number, errors = c.errors || f.errors,
            prediction_ids = NULL, user_ids = NULL, lines = NULL, metrics = NULL, warnings = NULL
          FROM settled s, LATERAL (
            SELECT count(*)::integer AS number, coalesce(jsonb_agg(e.value || jsonb_build_object(
              'line', held.lines[e.key::integer + 1], 'user_id', held.user_ids[e.key::integer + 1])), '[]') AS errors
            FROM jsonb_each(s.failures) AS e
              JOIN batch_chunks held ON held.batch_id = s.batch_id AND held.chunk = s.chunk) AS f
          WHERE c.batch_id = s.batch_id AND c.chunk = s.chunk)`,
      },
    )
  }

  /**
   * Ends batches without an unfinished chunk, once however many processes look: those given, or all. One that has a
   * chunk without a result has failed, and so has one without any result; some rows that failed alone do not make it
   * fail. Answers the ids of the ended.
   */
  async closeFinished(ids: readonly string[] | null): Promise<readonly string[]> {
    const rows: { id: string }[] = await this.database.query(
      `WITH done AS (
         SELECT b.id FROM tasks p JOIN batches b ON b.id = p.id
         WHERE p.finished_at IS NULL AND p.queue = $2 AND ($1::uuid[] IS NULL OR p.id = ANY($1))
           -- The last chunks are the last to end: looking from there, the first row tells.
           AND (SELECT c.chunk FROM batch_chunks c JOIN tasks t ON t.id = c.task_id
             WHERE c.batch_id = b.id AND t.finished_at IS NULL ORDER BY c.chunk DESC LIMIT 1) IS NULL
       ), counted AS (
         SELECT b.id, b.total, n.*, EXISTS (SELECT 1 FROM batch_chunks c JOIN tasks t ON t.id = c.task_id
           WHERE c.batch_id = b.id AND t.state IN (${ended})) AS has_lost, n.succeeded + n.cancelled = 0 AS has_nothing
         FROM done JOIN batches b ON b.id = done.id, ${counts}
       ), closed AS (
         UPDATE tasks p SET
           state = CASE WHEN n.has_nothing OR n.has_lost THEN 'failed' WHEN n.cancelled > 0 THEN 'cancelled'
             ELSE 'succeeded' END,
           error_code = CASE WHEN n.has_nothing THEN 'BATCH_FAILED' WHEN n.has_lost THEN 'TASK_FAILED'
             WHEN n.cancelled > 0 THEN 'TASK_REVOKED' END,
           error_message = CASE
             WHEN n.has_nothing THEN 'None of its ' || n.total || ' rows has a result; see the errors of the batch.'
             WHEN n.has_lost THEN 'Some chunks have no result; the others are stored.'
             WHEN n.cancelled > 0 THEN '${endWords.revoked}' END,
           attempt = 1, started_at = coalesce(p.started_at, now()), finished_at = now(), available_at = least(p.available_at, now()),
           result = jsonb_build_object('batch_id', n.id, 'total', n.total, 'succeeded', n.succeeded, 'failed', n.failed,
             'cancelled', n.cancelled, 'results', '/v1/batches/' || n.id || '/results')
         FROM counted n WHERE p.id = n.id AND p.finished_at IS NULL
         RETURNING p.*
       ), attempts AS (
         INSERT INTO task_attempts (task_id, attempt, outcome, error_code, error_message, started_at)
         SELECT id, attempt, state, error_code, error_message, started_at FROM closed
       )
       SELECT id, pg_notify('${finishedChannel}', id::text) FROM closed`,
      [ids, batchPredictions.queue],
    )
    return rows.map(({ id }) => id)
  }

  /**
   * Cancels batches and what of them is unfinished; a chunk that runs now can no longer store its answers. Answers the
   * ids of those that it ended.
   */
  async cancel(ids: readonly string[]): Promise<readonly string[]> {
    const rows: { id: string; is_batch: boolean }[] = await this.database.query(
      `WITH parent AS (
         UPDATE tasks SET state = 'cancelled', finished_at = now(), available_at = least(available_at, now()),
           revoke_requested_at = now(), error_code = 'TASK_REVOKED', error_message = '${endWords.revoked}'
         WHERE id IN (SELECT id FROM batches WHERE id = ANY($1::uuid[])) AND state IN (${sourceList('cancelled')})
         RETURNING id
       ), chunks AS (
         UPDATE tasks t SET state = 'cancelled', finished_at = now(), lease_expires_at = NULL,
           error_code = 'TASK_REVOKED', error_message = '${endWords.revoked}'
         FROM parent JOIN batch_chunks c ON c.batch_id = parent.id
         WHERE t.id = c.task_id AND t.state IN (${sourceList('cancelled')})
         RETURNING t.id
       )
       SELECT id, is_batch, pg_notify('${finishedChannel}', id::text)
       FROM (SELECT id, true AS is_batch FROM parent UNION ALL SELECT id, false FROM chunks) AS ended`,
      [ids],
    )
    return rows.flatMap(({ id, is_batch: isBatch }) => (isBatch ? [id] : []))
  }

  async find(id: string): Promise<BatchView | null> {
    const [view] = await this.read([id])
    return view ?? null
  }

  /** In no order; batches that are not there are missing. */
  async read(ids: readonly string[]): Promise<readonly BatchView[]> {
    const rows: BatchRow[] = await this.database.query(`${viewStatement} WHERE b.id = ANY($1::uuid[])`, [ids])
    return rows.map(toView)
  }

  /** Newest first: ids are UUIDs of version 7. */
  async list(filter: {
    readonly userId?: number | undefined
    readonly before?: string | undefined
    readonly limit: number
  }): Promise<readonly BatchView[]> {
    const rows: BatchRow[] = await this.database.query(
      `${viewStatement} WHERE b.accepted_at IS NOT NULL AND ($1::bigint IS NULL OR b.user_id = $1)
         AND ($2::uuid IS NULL OR b.id < $2) ORDER BY b.id DESC LIMIT $3`,
      [filter.userId ?? null, filter.before ?? null, filter.limit],
    )
    return rows.map(toView)
  }

  /** The first errors of rows, by line. */
  async listErrors(id: string, limit: number): Promise<readonly BatchRowError[]> {
    const rows: { error: BatchRowError }[] = await this.database.query(
      `SELECT e.value AS error
       FROM (SELECT chunk, errors FROM batch_chunks WHERE batch_id = $1 AND error_count > 0 ORDER BY chunk LIMIT $2) AS c,
         jsonb_array_elements(c.errors) AS e
       ORDER BY c.chunk, (e.value ->> 'line')::integer LIMIT $2`,
      [id, limit],
    )
    return rows.map(({ error }) => error)
  }

  /** What has ended of one chunk, by line. */
  async listResults(id: string, chunk: number): Promise<readonly BatchResultRow[]> {
    const rows: ResultRow[] = await this.database.query(
      `WITH c AS (
         SELECT c.*, t.state, t.error_code, t.error_message FROM batch_chunks c JOIN tasks t ON t.id = c.task_id
         WHERE c.batch_id = $1 AND c.chunk = $2
       )
       SELECT p.batch_line AS line, p.user_id, p.id, p.risk_score, p.risk_category, p.outputs, NULL AS code, NULL AS message
       FROM c JOIN predictions p ON p.id BETWEEN c.first_prediction_id AND c.last_prediction_id AND p.batch_id = c.batch_id
       UNION ALL
       SELECT (e.value ->> 'line')::integer, (e.value ->> 'user_id')::bigint, NULL, NULL, NULL, NULL,
         e.value ->> 'code', e.value ->> 'message'
       FROM c, jsonb_array_elements(c.errors) AS e
       UNION ALL
       SELECT r.line, r.user_id, NULL, NULL, NULL, NULL, coalesce(c.error_code, 'TASK_REVOKED'),
         CASE WHEN coalesce(c.error_code, 'TASK_REVOKED') = 'TASK_REVOKED'
           THEN 'The batch was cancelled before this row.' ELSE c.error_message END
       FROM c, ROWS FROM (unnest(c.lines), unnest(c.user_ids)) AS r(line, user_id)
       WHERE c.state IN (${ended}, 'cancelled')
       ORDER BY line`,
      [id, chunk],
    )
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
