import { insertPredictions } from '../predictions/predictions.sql.js'
import { commitSoon, controlChannel, endWords, finishedChannel, sourceList } from './task-sql.js'

/** Columns of a `EnqueueRow`. */
export const enqueueColumns = `id, name, queue, attempt, priority,
  greatest(0, extract(epoch FROM available_at - now()) * 1000)::bigint AS delay_ms`

/**
 * Starts attempts of tasks that are due, and returns them with the inputs of their predictions. `$1` jobs, `$2`
 * worker, `$3` seconds of the lease.
 */
export const claimTasks = `
  WITH input AS MATERIALIZED (
    SELECT * FROM jsonb_to_recordset($1::jsonb) AS r("taskId" uuid, attempt integer)
  ), claimed AS (
    UPDATE tasks t SET
      state = 'running', attempt = i.attempt, worker = $2, started_at = now(),
      lease_expires_at = now() + make_interval(secs => $3)
    FROM input i
    WHERE t.id = ANY (ARRAY(SELECT "taskId" FROM input)) AND t.id = i."taskId"
      AND t.attempt = i.attempt - 1 AND t.state IN (${sourceList('running')})
      AND t.available_at <= now() + interval '1 second' AND (t.expires_at IS NULL OR t.expires_at > now())
      AND t.revoke_requested_at IS NULL AND t.queue <> ALL (ARRAY(SELECT queue FROM paused_queues))
    RETURNING t.id, t.name, t.queue, t.priority, t.attempt, t.retries, t.crashes, t.args, t.limits, t.user_id, t.prediction_id,
      t.traceparent,
      (extract(epoch FROM now() - t.available_at) * 1000)::float8 AS wait_ms
  )
  SELECT c.*, p.model, p.health_metrics, ${commitSoon} FROM claimed c LEFT JOIN predictions p ON p.id = c.prediction_id`

/** A commit that writes nothing is not flushed; the message is the least that can be written. */
export const makeDurable = `
  SELECT set_config('synchronous_commit', 'on', true), pg_logical_emit_message(true, 'memoryguard', '')`

/**
 * Renews the leases of running attempts. Rows that another statement is just ending are passed over. `$1` jobs, `$2`
 * worker, `$3` seconds.
 */
export const renewLeases = `
  WITH renewed AS (
    UPDATE tasks t SET lease_expires_at = now() + make_interval(secs => $3)
    WHERE t.id IN (
      SELECT t2.id FROM tasks t2 JOIN jsonb_to_recordset($1::jsonb) AS i("taskId" uuid, attempt integer)
        ON t2.id = i."taskId" AND t2.attempt = i.attempt
      WHERE t2.state = 'running' AND t2.worker = $2
      FOR UPDATE OF t2 SKIP LOCKED)
    RETURNING t.id, t.revoke_requested_at IS NOT NULL AS is_revoked, t.terminate_requested AS terminate
  )
  SELECT *, ${commitSoon} FROM renewed`

/** Records attempts whose lease has expired as lost, and queues their tasks again, or ends them after `$1` crashes. */
export const takeBackExpiredLeases = `
  WITH lost AS (
    SELECT id FROM tasks WHERE finished_at IS NULL AND state = 'running' AND lease_expires_at < now()
    FOR UPDATE SKIP LOCKED LIMIT 1000
  ), taken AS (
    UPDATE tasks t SET
      state = CASE WHEN t.crashes + 1 >= $1 THEN 'failed' ELSE 'queued' END,
      finished_at = CASE WHEN t.crashes + 1 >= $1 THEN now() END,
      error_code = CASE WHEN t.crashes + 1 >= $1 THEN 'TASK_POISON' END,
      error_message = CASE WHEN t.crashes + 1 >= $1 THEN 'Its worker died ' || $1 || ' times while it ran.' END,
      crashes = t.crashes + 1, lease_expires_at = NULL, available_at = now()
    FROM lost WHERE t.id = lost.id
    RETURNING t.*
  ), attempts AS (
    INSERT INTO task_attempts (task_id, attempt, worker, outcome, error_code, error_message, started_at)
    SELECT id, attempt, worker, 'lost', 'TASK_CHILD_LOST', 'The worker fell silent.', started_at FROM taken
  ), notified AS (
    SELECT pg_notify('${finishedChannel}', id::text) FROM taken WHERE finished_at IS NOT NULL
  )
  SELECT id, name, queue, attempt, priority, 0 AS delay_ms, finished_at IS NULL AS waiting,
    (SELECT count(*) FROM notified) FROM taken`

/** Ends waiting tasks that have expired, or were revoked while their worker was lost. */
export const endUnwanted = `
  WITH unwanted AS (
    SELECT id FROM tasks
    WHERE finished_at IS NULL AND (expires_at < now() OR revoke_requested_at IS NOT NULL)
      AND state IN (${sourceList('expired')})
    FOR UPDATE SKIP LOCKED LIMIT 1000
  ), ended AS (
    UPDATE tasks t SET finished_at = now(),
      state = CASE WHEN t.revoke_requested_at IS NOT NULL THEN 'cancelled' ELSE 'expired' END,
      error_code = CASE WHEN t.revoke_requested_at IS NOT NULL THEN 'TASK_REVOKED' ELSE 'TASK_EXPIRED' END,
      error_message = CASE WHEN t.revoke_requested_at IS NOT NULL THEN '${endWords.revoked}' ELSE '${endWords.expired}' END
    FROM unwanted WHERE t.id = unwanted.id RETURNING t.id, t.name, t.queue, t.state
  )
  SELECT id, name, queue, state, pg_notify('${finishedChannel}', id::text) FROM ended`

/**
 * Stores tasks, each with the prediction that it computes if it has one; `$1` is a JSON array of `NewTask`, with the
 * members of the prediction beside the others. Tasks whose id or idempotency key is known are left out.
 */
export const storeTasks = `
  WITH input AS MATERIALIZED (
    SELECT r.*, CASE WHEN model IS NULL THEN r."predictionId" ELSE nextval('predictions_id_seq') END AS prediction_id,
      coalesce("availableAt", now() + make_interval(secs => coalesce("delaySeconds", 0))) AS available_at
    FROM jsonb_to_recordset($1::jsonb) AS r(
      "taskId" uuid, name text, queue text, args jsonb, "userId" bigint, "predictionId" bigint, model text,
      "healthMetrics" jsonb, warnings jsonb, priority smallint, "availableAt" timestamptz,
      "delaySeconds" double precision, "expiresAt" timestamptz, "expiresSeconds" double precision, limits jsonb,
      "parentId" uuid, "submittedBy" uuid, traceparent text, idempotency jsonb)
  ), held AS (
    -- A person who is being erased leaves no task about a prediction behind.
    SELECT p.id, p.model FROM predictions p JOIN input i ON p.id = i."predictionId" FOR KEY SHARE OF p
  ), t AS (
    INSERT INTO tasks AS t (id, name, queue, state, args, user_id, prediction_id, priority, available_at,
      expires_at, limits, parent_id, model, submitted_by, traceparent, eta, idempotency_scope, idempotency_key, idempotency_hash)
    SELECT "taskId", name, queue, CASE WHEN available_at > now() THEN 'scheduled' ELSE 'queued' END, args,
      "userId", prediction_id, priority, available_at,
      coalesce("expiresAt", now() + make_interval(secs => "expiresSeconds")), limits, "parentId",
      coalesce(model, (SELECT h.model FROM held h WHERE h.id = "predictionId")), "submittedBy", traceparent, CASE WHEN available_at > now() THEN available_at END,
      idempotency->>'scope', idempotency->>'key', idempotency->>'hash'
    FROM input
    WHERE "predictionId" IS NULL OR "predictionId" IN (SELECT id FROM held)
    ON CONFLICT DO NOTHING
    RETURNING t.*
  ), p AS (
    ${insertPredictions}
  )
  SELECT ${enqueueColumns} FROM t`

/**
 * Cancels tasks that wait and marks running ones; both are notified. `$1` ids, `$2` whether to kill what computes
 * them.
 */
export const revokeTasks = `
  WITH changed AS (
    UPDATE tasks t SET
      state = CASE WHEN t.state = 'running' THEN t.state ELSE 'cancelled' END,
      finished_at = CASE WHEN t.state <> 'running' THEN now() END,
      error_code = CASE WHEN t.state = 'running' THEN t.error_code ELSE 'TASK_REVOKED' END,
      error_message = CASE WHEN t.state = 'running' THEN t.error_message ELSE '${endWords.revoked}' END,
      revoke_requested_at = coalesce(t.revoke_requested_at, now()),
      terminate_requested = coalesce(t.terminate_requested, false) OR $2
    WHERE t.id = ANY($1::uuid[]) AND t.finished_at IS NULL
    RETURNING t.id, t.name, t.state, t.queue, t.attempt
  ), notified AS (
    SELECT pg_notify('${finishedChannel}', id::text) FROM changed WHERE state = 'cancelled'
  ), signalled AS (
    SELECT pg_notify('${controlChannel}', json_build_object('kind', 'revoke', 'id', id, 'terminate', $2)::text)
    FROM changed WHERE state = 'running'
  )
  SELECT id, name, state, queue, attempt + 1 AS attempt,
    (SELECT count(*) FROM notified), (SELECT count(*) FROM signalled) FROM changed`

/**
 * Stores a new task for each ended one that has none yet, and points its prediction to it. `$1` ids, `$2` states,
 * `$3` API key, `$4` names that are not replayed.
 */
export const replayTasks = `
  WITH input AS MATERIALIZED (
    SELECT * FROM jsonb_to_recordset($1::jsonb) AS r(original uuid, id uuid)
  ), t AS (
    INSERT INTO tasks AS t (id, name, queue, state, args, user_id, prediction_id, priority, limits, parent_id,
      replay_of, model, submitted_by)
    SELECT i.id, o.name, o.queue, 'queued', o.args, o.user_id, o.prediction_id, o.priority, o.limits, o.parent_id,
      o.id, o.model, $3::uuid
    FROM input i JOIN tasks o ON o.id = i.original
    WHERE o.finished_at IS NOT NULL AND o.state = ANY($2) AND o.name <> ALL($4)
    -- One that is being erased is not done again.
    FOR KEY SHARE OF o
    ON CONFLICT (replay_of) WHERE replay_of IS NOT NULL DO NOTHING
    RETURNING t.*
  ), p AS (
    UPDATE predictions p SET task_id = t.id FROM t WHERE p.id = t.prediction_id AND p.task_id = t.replay_of
  ), known AS (
    SELECT r.* FROM input i JOIN tasks r ON r.replay_of = i.original
  )
  SELECT ${enqueueColumns}, replay_of AS original, true AS is_new FROM t
  UNION ALL SELECT ${enqueueColumns}, replay_of AS original, false AS is_new FROM known`

/** What belongs to a task and stands in columns that lists do not read, and its replay, if it has one. `$1` id. */
export const taskOrigin = `
  SELECT t.model, t.traceparent, r.id AS replay_id
  FROM tasks t LEFT JOIN tasks r ON r.replay_of = t.id
  WHERE t.id = $1`
