import { enqueueColumns } from '../tasks/tasks.sql.js'
import { commitSoon, endWords, finishedChannel } from '../tasks/task-sql.js'

/**
 * Stores calls, each with the task and the prediction that it makes; `$1` is a JSON array of `NewCeleryCall`, `$2` the
 * worker. One whose id is known is left out, and so is one about a prediction that is no longer there or whose number
 * another person's prediction has. What was revoked before it came, or has expired, ends at once. Returns the calls that
 * were stored, with their tasks.
 */
export const storeCalls = `
  WITH input AS MATERIALIZED (
    SELECT r.*, CASE WHEN model IS NULL THEN r."predictionId" ELSE nextval('predictions_id_seq') END AS prediction_id,
      CASE WHEN EXISTS (SELECT FROM celery_revokes v WHERE v.key = ANY(r.stamps || r."celeryId")) THEN 'cancelled'
        WHEN "expiresAt" <= now() THEN 'expired' WHEN "availableAt" > now() THEN 'scheduled' ELSE 'queued' END AS state
    FROM jsonb_to_recordset($1::jsonb) AS r(
      "celeryId" text, name text, "celeryQueue" text, request text, failure jsonb, raw text, stamps text[],
      "taskId" uuid, queue text, args jsonb, "userId" bigint, "predictionId" bigint, model text, "healthMetrics" jsonb,
      warnings jsonb, "externalId" bigint, priority smallint, "availableAt" timestamptz, "expiresAt" timestamptz,
      limits jsonb, "parentCall" text)
  ), held AS (
    -- A person who is being erased leaves no task about a prediction behind.
    SELECT p.id, p.model FROM predictions p JOIN input i ON p.id = i."predictionId" FOR KEY SHARE OF p
  ), c AS (
    INSERT INTO celery_calls (id, task_id, name, queue, gateway, request, stamps, failure, raw, eta)
    SELECT "celeryId", "taskId", name, "celeryQueue", $2, request, stamps, failure, decode(raw, 'base64'),
      "availableAt"
    FROM input
    WHERE ("predictionId" IS NULL OR "predictionId" IN (SELECT id FROM held))
      AND (failure IS NOT NULL OR "externalId" IS NULL OR NOT EXISTS (SELECT FROM predictions o
        WHERE o.external_id = "externalId" AND o.user_id <> "userId"))
    ORDER BY "celeryId"
    ON CONFLICT (id) DO NOTHING
    RETURNING id, task_id
  ), t AS (
    INSERT INTO tasks AS t (id, name, queue, state, args, user_id, prediction_id, priority, available_at, expires_at,
      limits, parent_id, model, eta, finished_at, error_code, error_message)
    SELECT "taskId", name, queue, state, args, "userId", prediction_id, priority, coalesce("availableAt", now()),
      "expiresAt", limits, (SELECT parent.task_id FROM celery_calls parent WHERE parent.id = "parentCall"),
      coalesce(model, (SELECT h.model FROM held h WHERE h.id = "predictionId")),
      CASE WHEN "availableAt" > now() THEN "availableAt" END,
      CASE WHEN state IN ('cancelled', 'expired') THEN now() END,
      CASE state WHEN 'cancelled' THEN 'TASK_REVOKED' WHEN 'expired' THEN 'TASK_EXPIRED' END,
      CASE state WHEN 'cancelled' THEN '${endWords.revoked}' WHEN 'expired' THEN '${endWords.expired}' END
    FROM input i JOIN c ON c.task_id = i."taskId"
    RETURNING t.*
  ), p AS (
    INSERT INTO predictions (id, task_id, user_id, model, health_metrics, warnings, external_id)
    SELECT prediction_id, "taskId", "userId", model, "healthMetrics", warnings, "externalId"
    FROM input i JOIN c ON c.task_id = i."taskId" WHERE model IS NOT NULL
  ), notified AS (
    SELECT pg_notify('${finishedChannel}', string_agg(id::text, ',')) FROM t
    WHERE finished_at IS NOT NULL HAVING count(*) > 0
  )
  SELECT c.id AS celery_id, due.*, (SELECT count(*) FROM notified), ${commitSoon}
  FROM c LEFT JOIN (SELECT ${enqueueColumns}, finished_at FROM t) AS due ON due.id = c.task_id`

/**
 * Links a call to the batch that it became; nothing if the call is known. `$1` id, `$2` task, `$3` name, `$4` queue,
 * `$5` worker, `$6` request, `$7` stamps, `$8` eta.
 */
export const storeBatchCall = `
  INSERT INTO celery_calls (id, task_id, name, queue, gateway, request, stamps, eta)
  VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
  ON CONFLICT DO NOTHING`

/** What a call is made of whose delivery is due: of a call `c` and its task `t`, if it has one that is there. */
const dueColumns = `c.id, c.name, c.queue, c.request, c.failure, t.id AS task_id, t.state, t.error_code, t.error_message,
  t.terminate_requested, t.result, t.worker, t.started_at, t.finished_at, t.limits`

/** Takes the calls of `due`, and keeps them from other gateways for ten seconds. */
const take = (due: string): string => `
  WITH ${due}, c AS (
    UPDATE celery_calls c SET delivering_until = now() + interval '10 seconds'
    WHERE c.id = ANY (ARRAY(SELECT id FROM due)) RETURNING c.*
  )
  SELECT ${dueColumns}, p.id::float8 AS prediction_id, p.external_id::float8 AS external_id, p.user_id::float8 AS user_id,
    p.model, p.risk_score, p.risk_category, p.outputs, ${commitSoon}
  FROM c LEFT JOIN tasks t ON t.id = c.task_id LEFT JOIN predictions p ON p.id = t.prediction_id`

/** A call `c` that nobody is delivering, and its task `t`, if that is there: whether its result can be published. */
const isDue = `c.delivered_at IS NULL AND (c.delivering_until IS NULL OR c.delivering_until < now())
      AND (t.id IS NULL OR t.finished_at IS NOT NULL)`

/**
 * Takes ended calls whose results are to be published: those of tasks, `$1`, and calls that failed without a task, `$2`.
 * `$3` how many at most.
 */
export const takeEndedCalls = take(`asked AS MATERIALIZED (
    SELECT id FROM celery_calls WHERE task_id = ANY($1::uuid[])
    UNION SELECT unnest($2::text[])
  ), due AS (
    SELECT c.id FROM celery_calls c LEFT JOIN tasks t ON t.id = c.task_id
    WHERE c.id = ANY (ARRAY(SELECT id FROM asked)) AND ${isDue}
    ORDER BY c.id FOR UPDATE OF c SKIP LOCKED LIMIT $3
  )`)

/** Takes ended calls of any gateway, at most `$1`: it reads every open call. */
export const takeAnyEndedCalls = take(`due AS (
    SELECT c.id FROM celery_calls c LEFT JOIN tasks t ON t.id = c.task_id
    WHERE ${isDue}
    ORDER BY c.id FOR UPDATE OF c SKIP LOCKED LIMIT $1
  )`)

/** Everything that follows from these calls is published. `$1` ids. What callers sent is forgotten. */
export const markDelivered = `
  WITH delivered AS (
    UPDATE celery_calls SET delivered_at = now(), delivering_until = NULL, request = NULL, stamps = NULL
    WHERE id = ANY($1::text[]) RETURNING id
  )
  SELECT id, ${commitSoon} FROM delivered`

/** They are to be tried again, a little later. `$1` ids, `$2` seconds. */
export const postponeDelivery = `
  UPDATE celery_calls SET delivering_until = now() + make_interval(secs => $2) WHERE id = ANY($1::text[])`

/** The newest prediction of each external id, and ours of the same ids. `$1` ids. */
export const resolvePredictions = `
  SELECT asked.id::float8 AS asked, e.id::float8 AS external_prediction, e.user_id::float8 AS external_user,
    o.id::float8 AS own_prediction, o.user_id::float8 AS own_user
  FROM unnest($1::bigint[]) AS asked(id)
    LEFT JOIN LATERAL (
      SELECT p.id, p.user_id FROM predictions p WHERE p.external_id = asked.id ORDER BY p.id DESC LIMIT 1) e ON true
    LEFT JOIN predictions o ON o.id = asked.id`

/** Remembers revokes of calls that may still come. `$1` keys. */
export const storeRevokes = `
  INSERT INTO celery_revokes (key) SELECT unnest($1::text[]) ON CONFLICT (key) DO UPDATE SET revoked_at = now()`

/** The tasks of calls that have not ended. `$1` ids of calls, `$2` whether those that run are among them. */
export const selectOpenTasks = `
  SELECT c.task_id FROM celery_calls c JOIN tasks t ON t.id = c.task_id
  WHERE c.id = ANY($1::text[]) AND t.finished_at IS NULL AND ($2 OR t.state <> 'running')`

/** Calls that have not ended, oldest first. `$1` how many, `$2` ids, or null for all, `$3` the worker. */
export const selectOpenCalls = `
  SELECT c.id, c.task_id AS "taskId", c.name, c.queue, t.state, t.worker, t.eta, t.priority, t.started_at AS "startedAt"
  FROM celery_calls c JOIN tasks t ON t.id = c.task_id
  WHERE c.delivered_at IS NULL AND t.finished_at IS NULL AND ($2::text[] IS NULL OR c.id = ANY($2::text[]))
    AND (CASE WHEN t.state = 'running' THEN t.worker ELSE c.gateway END) = $3
  ORDER BY c.received_at LIMIT $1`

/** Removes published calls whose tasks are gone or that never had one, and revokes, older than `$1` seconds. */
export const removeOldCalls = `
  WITH old AS (
    SELECT c.id FROM celery_calls c
    WHERE c.received_at < now() - make_interval(secs => $1) AND c.delivered_at IS NOT NULL
      AND NOT EXISTS (SELECT FROM tasks t WHERE t.id = c.task_id)
    LIMIT 1000
  ), gone AS (
    DELETE FROM celery_calls c USING old WHERE c.id = old.id RETURNING c.id
  ), gone_revokes AS (
    DELETE FROM celery_revokes WHERE revoked_at < now() - make_interval(secs => $1)
  )
  SELECT count(*) AS removed FROM gone`

/** The calls of the last day, and what is to be repaired: messages that could not be read, the newest of them, and ended calls whose results are not published. */
export const selectArrears = `
  WITH unread AS (
    SELECT name, queue, failure->'args'->>0 AS reason, received_at FROM celery_calls
    WHERE failure IS NOT NULL AND failure->>'type' = 'DecodeError'
  ), undelivered AS (
    SELECT coalesce(t.finished_at, c.received_at) AS since FROM celery_calls c LEFT JOIN tasks t ON t.id = c.task_id
    WHERE c.delivered_at IS NULL AND (t.id IS NULL OR t.finished_at IS NOT NULL)
  )
  SELECT lately.*, (SELECT count(*)::int FROM unread) AS "deadLetters",
    (SELECT coalesce(json_agg(newest), '[]') FROM (
      SELECT name AS task, queue, reason, extract(epoch FROM now() - received_at)::float8 AS "secondsAgo"
      FROM unread ORDER BY received_at DESC LIMIT 5) newest) AS newest,
    (SELECT count(*)::int FROM undelivered) AS undelivered,
    (SELECT extract(epoch FROM now() - min(since))::float8 FROM undelivered) AS "oldestSeconds"
  FROM (
    SELECT count(*)::int AS "callsOfDay", extract(epoch FROM now() - max(received_at))::float8 AS "lastCallSeconds"
    FROM celery_calls WHERE received_at > now() - interval '1 day') lately`
