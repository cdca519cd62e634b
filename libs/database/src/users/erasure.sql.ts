/**
 * Erases everything of a person (`$1`) from before a time (`$4`). `$2` and `$3`: tasks and predictions that earlier
 * runs have erased, whose rows of other tables are erased too.
 */
export const eraseRows = `
  WITH held AS (
    -- Ended and unfinished tasks have an index each. The second condition adds tasks that were stored later for
    -- predictions that earlier runs have erased.
    SELECT id FROM tasks
    WHERE id IN (
        SELECT id FROM tasks WHERE user_id = $1 AND finished_at IS NOT NULL
        UNION ALL SELECT id FROM tasks WHERE user_id = $1 AND finished_at IS NULL)
      AND (created_at <= $4 OR prediction_id = ANY($3::bigint[]))
    ORDER BY id FOR UPDATE
  ), gone_tasks AS (
    DELETE FROM tasks t USING held WHERE t.id = held.id RETURNING t.id, t.queue, t.attempt, t.finished_at
  ), marks AS (
    INSERT INTO erased_tasks (id) SELECT id FROM gone_tasks ON CONFLICT DO NOTHING
  ), gone_attempts AS (
    DELETE FROM task_attempts WHERE task_id IN (SELECT id FROM gone_tasks UNION ALL SELECT unnest($2::uuid[]))
    RETURNING task_id
  ), gone_progress AS (
    DELETE FROM task_progress WHERE task_id IN (SELECT id FROM gone_tasks UNION ALL SELECT unnest($2::uuid[]))
  ), gone_deliveries AS (
    DELETE FROM webhook_deliveries
    WHERE task_id IN (SELECT id FROM gone_tasks UNION ALL SELECT unnest($2::uuid[]))
  ), gone_calls AS (
    -- The callers still get a result, which says that it was revoked.
    UPDATE celery_calls SET task_id = NULL, request = NULL, stamps = NULL, raw = NULL
    WHERE task_id IN (SELECT id FROM gone_tasks UNION ALL SELECT unnest($2::uuid[]))
  ), gone_predictions AS (
    -- The count has the tasks go first.
    DELETE FROM predictions WHERE user_id = $1 AND created_at <= $4 AND (SELECT count(*) FROM gone_tasks) >= 0
    RETURNING id, batch_id
  ), gone_explanations AS (
    DELETE FROM explanations
    WHERE prediction_id IN (SELECT id FROM gone_predictions UNION ALL SELECT unnest($3::bigint[]))
    RETURNING prediction_id
  ), gone_forecasts AS (
    DELETE FROM forecasts WHERE user_id = $1 AND created_at <= $4 AND (SELECT count(*) FROM gone_tasks) >= 0
    RETURNING task_id
  ), gone_measurements AS (
    DELETE FROM health_metrics WHERE user_id = $1 AND created_at <= $4 RETURNING id
  ), gone_schedules AS (
    DELETE FROM schedules WHERE user_id = $1 AND created_at <= $4 RETURNING id
  ), gone_keys AS (
    DELETE FROM api_keys WHERE user_id = $1 AND created_at <= $4 RETURNING id
  ), gone_sessions AS (
    -- Those of keys go with them; those of people who have signed in by OIDC do not.
    DELETE FROM sessions WHERE user_id = $1 AND api_key_id IS NULL AND created_at <= $4
  ), gone_batches AS (
    -- One that is still being received loses its rows alone.
    DELETE FROM batches WHERE user_id = $1 AND accepted_at <= $4 AND (SELECT count(*) FROM gone_tasks) >= 0
    RETURNING id
  ), gone_chunks AS (
    DELETE FROM batch_chunks c USING gone_batches b WHERE c.batch_id = b.id
    RETURNING c.error_count + CASE WHEN c.user_ids IS NULL THEN 0 ELSE c.row_count END AS number
  ), stored AS (
    SELECT c.batch_id, c.chunk, count(*)::integer AS number
    FROM gone_predictions p JOIN batch_chunks c
      ON c.batch_id = p.batch_id AND p.id BETWEEN c.first_prediction_id AND c.last_prediction_id
    WHERE p.batch_id NOT IN (SELECT id FROM gone_batches)
    GROUP BY c.batch_id, c.chunk
  ), thinned AS (
    UPDATE batch_chunks c SET row_count = c.row_count - s.number, stored_count = c.stored_count - s.number
    FROM stored s WHERE c.batch_id = s.batch_id AND c.chunk = s.chunk
  ), lessened AS (
    UPDATE batches b SET total = b.total - s.number
    FROM (SELECT batch_id, sum(number)::integer AS number FROM stored GROUP BY batch_id) s WHERE b.id = s.batch_id
  )
  SELECT
    ARRAY(SELECT id::text FROM gone_tasks) AS task_ids,
    ARRAY(SELECT id::text FROM gone_predictions) AS prediction_ids,
    coalesce((SELECT json_agg(json_build_object('taskId', id, 'queue', queue, 'attempt', attempt + 1))
      FROM gone_tasks WHERE finished_at IS NULL), '[]') AS jobs,
    json_build_object(
      'predictions', (SELECT count(*) FROM gone_predictions),
      'explanations', (SELECT count(*) FROM gone_explanations),
      'forecasts', (SELECT count(*) FROM gone_forecasts),
      'health_metrics', (SELECT count(*) FROM gone_measurements),
      'tasks', (SELECT count(*) FROM gone_tasks),
      'task_attempts', (SELECT count(*) FROM gone_attempts),
      'batches', (SELECT count(*) FROM gone_batches),
      'batch_rows', (SELECT coalesce(sum(number), 0) FROM gone_chunks),
      'schedules', (SELECT count(*) FROM gone_schedules),
      'api_keys', (SELECT count(*) FROM gone_keys)) AS counts`
