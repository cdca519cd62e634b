import { batchPredictions, computeBatchChunk } from '#libs/tasks/contracts'
import { enqueueColumns } from '../tasks/tasks.sql.js'
import { commitSoon, endWords, finishedChannel, sourceList } from '../tasks/task-sql.js'

const ended = `'failed', 'timed_out', 'expired'`

/** Counts of a batch `b`, from its chunks and the states of their tasks. */
const counts = `LATERAL (
  SELECT count(*) AS chunks,
    coalesce(sum(c.stored_count) FILTER (WHERE t.state = 'succeeded'), 0) AS succeeded,
    coalesce(sum(c.error_count), 0) + coalesce(sum(c.row_count) FILTER (WHERE t.state IN (${ended})), 0) AS failed,
    coalesce(sum(c.row_count) FILTER (WHERE t.state = 'cancelled'), 0) AS cancelled
  FROM batch_chunks c JOIN tasks t ON t.id = c.task_id WHERE c.batch_id = b.id) n`

/** The columns of a `BatchView`; what follows chooses the batches. */
export const selectBatches = `SELECT b.id, b.user_id::float8 AS "userId", b.model, b.total, t.state, t.created_at AS "createdAt",
    t.started_at AS "startedAt", t.finished_at AS "finishedAt",
    extract(epoch FROM clock_timestamp() - t.started_at)::float8 AS "elapsedSeconds",
    n.chunks::integer, n.succeeded::integer, n.failed::integer, n.cancelled::integer
  FROM batches b JOIN tasks t ON t.id = b.id, ${counts}`

/** $1 id, $2 model, $3 person. It is no task yet. */
export const insertBatch = `WITH b AS (INSERT INTO batches (id, model, user_id) VALUES ($1, $2, $3)) SELECT ${commitSoon}`

/** Rows of a batch that is being received; their predictions get the next ids of the sequence. */
export const insertChunk = `WITH ids AS (
    SELECT array_agg(id) AS all_ids, min(id) AS first_id, max(id) AS last_id
    FROM (SELECT nextval('predictions_id_seq') AS id FROM generate_series(1, $4::integer)) AS taken
  ), stored AS (
    INSERT INTO batch_chunks (batch_id, chunk, task_id, row_count, user_ids, lines, metrics, warnings,
      errors, error_count, prediction_ids, first_prediction_id, last_prediction_id)
    SELECT $1, $2, $3, $4, $5::bigint[], $6::integer[], $7, $8::jsonb, $9::jsonb, $10, all_ids, first_id, last_id
    FROM ids
  )
  SELECT ${commitSoon}`

/**
 * Makes a batch and each of its chunks a task; nothing if its idempotency key has been used. $1 id, $2 person, $3 API
 * key, $4 to $6 scope, key and hash, $7 the span of the request, $8 not to be started before, $9 not to be started after,
 * $10 priority. Returns the tasks of the chunks.
 */
export const acceptBatch = `WITH parent AS (
    INSERT INTO tasks (id, name, queue, state, args, user_id, submitted_by, idempotency_scope, idempotency_key,
      idempotency_hash, traceparent, available_at, eta, expires_at, priority)
    VALUES ($1, '${batchPredictions.name}', '${batchPredictions.queue}',
      CASE WHEN $8::timestamptz > now() THEN 'scheduled' ELSE 'queued' END,
      jsonb_build_object('batch_id', $1::uuid), $2, $3, $4, $5, $6, $7, coalesce($8, now()),
      CASE WHEN $8 > now() THEN $8 END, $9, $10)
    ON CONFLICT (idempotency_scope, idempotency_key) WHERE idempotency_key IS NOT NULL DO NOTHING
    RETURNING id, state, available_at, eta, expires_at, priority
  ), accepted AS (
    UPDATE batches b SET accepted_at = now(), total = ids.total, first_prediction_id = ids.first_id,
      last_prediction_id = ids.last_id
    FROM parent, (SELECT sum(row_count + error_count) AS total,
        min(first_prediction_id) AS first_id, max(last_prediction_id) AS last_id
      FROM batch_chunks WHERE batch_id = $1) AS ids
    WHERE b.id = parent.id
  )
  INSERT INTO tasks (id, name, queue, state, args, user_id, parent_id, model, traceparent, available_at, eta, expires_at,
    priority)
  SELECT c.task_id, '${computeBatchChunk.name}', '${computeBatchChunk.queue}', parent.state,
    jsonb_build_object('batch_id', c.batch_id, 'chunk', c.chunk), $2, $1, b.model, $7, parent.available_at, parent.eta,
    parent.expires_at, parent.priority
  FROM parent JOIN batches b ON b.id = parent.id JOIN batch_chunks c ON c.batch_id = b.id
  ORDER BY c.chunk
  RETURNING ${enqueueColumns}`

/** $1 id. */
export const deleteUnaccepted = `WITH gone AS (DELETE FROM batches WHERE id = $1 AND accepted_at IS NULL RETURNING id)
  DELETE FROM batch_chunks c USING gone WHERE c.batch_id = gone.id`

/** Batches that are not accepted and got no chunk for $1 seconds. */
export const selectAbandoned = `SELECT b.id FROM batches b WHERE b.accepted_at IS NULL AND b.created_at < now() - make_interval(secs => $1)
    AND NOT EXISTS (SELECT 1 FROM batch_chunks c
      WHERE c.batch_id = b.id AND c.created_at >= now() - make_interval(secs => $1))
  LIMIT 100`

/** Reads chunk $2 of batch $1 for its worker; the first one marks the batch as running. */
export const startChunk = `WITH started AS (
    UPDATE tasks SET state = 'running', attempt = 1, started_at = now(),
      -- One that an earlier version stored was due in 100 years.
      available_at = least(available_at, now())
    WHERE id = $1 AND state IN (${sourceList('running')})
  )
  SELECT b.model, c.metrics, t.state, ${commitSoon}
  FROM batch_chunks c JOIN batches b ON b.id = c.batch_id JOIN tasks t ON t.id = c.batch_id
  WHERE c.batch_id = $1 AND c.chunk = $2`

/** Ends batches (of $1, or all) whose chunks have all ended. $2 is their queue. */
export const closeFinishedBatches = `WITH done AS (
    SELECT b.id FROM tasks p JOIN batches b ON b.id = p.id
    WHERE p.finished_at IS NULL AND p.queue = $2 AND ($1::uuid[] IS NULL OR p.id = ANY($1))
      -- The last chunks are the last to end: read from there, the first row is enough.
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
      attempt = 1, started_at = coalesce(p.started_at, now()), finished_at = now(),
      result = jsonb_build_object('batch_id', n.id, 'total', n.total, 'succeeded', n.succeeded, 'failed', n.failed,
        'cancelled', n.cancelled, 'results', '/v1/batches/' || n.id || '/results')
    FROM counted n WHERE p.id = n.id AND p.finished_at IS NULL
    RETURNING p.*
  ), attempts AS (
    INSERT INTO task_attempts (task_id, attempt, outcome, error_code, error_message, started_at)
    SELECT id, attempt, state, error_code, error_message, started_at FROM closed
  )
  SELECT id, pg_notify('${finishedChannel}', id::text) FROM closed`

/** Ends the unfinished batches of $1, and their unfinished chunks, as cancelled. */
export const cancelBatches = `WITH parent AS (
    UPDATE tasks SET state = 'cancelled', finished_at = now(),
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
  FROM (SELECT id, true AS is_batch FROM parent UNION ALL SELECT id, false FROM chunks) AS ended`

/** The first $2 errors of rows of batch $1, by line. */
export const selectErrors = `SELECT e.value AS error
  FROM (SELECT chunk, errors FROM batch_chunks WHERE batch_id = $1 AND error_count > 0 ORDER BY chunk LIMIT $2) AS c,
    jsonb_array_elements(c.errors) AS e
  ORDER BY c.chunk, (e.value ->> 'line')::integer LIMIT $2`

/** What has ended of chunk $2 of batch $1: predictions, errors of rows, and rows without a result because of their chunk. */
export const selectResults = `WITH c AS (
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
  ORDER BY line`
