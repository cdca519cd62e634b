import { commitSoon, finishedChannel } from './task-sql.js'

/**
 * The one statement that ends attempts. `$1` is a JSON array of outcomes; one without a state is a success. A row is changed
 * only if it is running and still holds the same attempt (fencing), so that a late, duplicate or zombie worker changes
 * nothing. The attempt is recorded and listeners are notified of finished tasks. What belongs to the outcome is written in the
 * same transaction: `writes` reads further `columns` of the outcomes from `settled`.
 */
const settle = (columns = '', writes = ''): string => `
  WITH input AS MATERIALIZED (
    SELECT * FROM jsonb_to_recordset($1::jsonb) AS r(
      id uuid, attempt integer, state text, outcome text, terminal boolean, retry_in_ms double precision,
      retried integer, crashed integer, result jsonb, error_code text, error_message text${columns && `, ${columns}`})
  ), settled AS (
    UPDATE tasks t SET
      state = coalesce(i.state, 'succeeded'),
      finished_at = CASE WHEN coalesce(i.terminal, true) THEN now() END,
      lease_expires_at = NULL,
      available_at = coalesce(now() + make_interval(secs => i.retry_in_ms / 1000), t.available_at),
      retries = t.retries + coalesce(i.retried, 0),
      crashes = t.crashes + coalesce(i.crashed, 0),
      result = i.result,
      error_code = i.error_code,
      error_message = i.error_message
    FROM input i
    WHERE t.id = ANY (ARRAY(SELECT id FROM input)) AND t.id = i.id AND t.attempt = i.attempt AND t.state = 'running'
    RETURNING t.worker, t.started_at, t.prediction_id, i.*
  ), attempts AS (
    INSERT INTO task_attempts (task_id, attempt, worker, outcome, error_code, error_message, started_at)
    SELECT id, attempt, worker, coalesce(outcome, 'succeeded'), error_code, error_message, started_at FROM settled
  ), notified AS (
    SELECT pg_notify('${finishedChannel}', string_agg(id::text, ',')) FROM settled
    WHERE coalesce(terminal, true) HAVING count(*) > 0
  )${writes && `, ${writes}`}
  SELECT id, (SELECT count(*) FROM notified), ${commitSoon} FROM settled`

/** Ends attempts, with the result of each in its task. */
export const settleAttempts = settle()

/** Ends attempts with risks, which are stored in their predictions. */
export const settleRisks = settle(
  'risk_score double precision, risk_category text, outputs jsonb',
  `risks AS (
    UPDATE predictions p SET
      risk_score = s.risk_score, risk_category = s.risk_category, outputs = s.outputs, attempt = s.attempt
    FROM settled s WHERE p.id = s.prediction_id
  )`,
)

/** Ends attempts with explanations, which replace those of the same output of the prediction. */
export const settleExplanations = settle(
  'explanation jsonb',
  `explained AS (
    INSERT INTO explanations AS e (prediction_id, output_name, task_id, model, method, space, base_value, output,
      contributions, standard_error, text)
    SELECT s.prediction_id, v."outputName", s.id, v.model, v.method, v.space, v."baseValue", v.output,
      v.contributions, v."standardError", v.text
    FROM settled s CROSS JOIN jsonb_to_record(s.explanation) AS v(
      "outputName" text, model text, method text, space text, "baseValue" double precision,
      output double precision, contributions jsonb, "standardError" double precision, text text)
    WHERE s.prediction_id IS NOT NULL
    ON CONFLICT (prediction_id, output_name) DO UPDATE SET
      task_id = excluded.task_id, model = excluded.model, method = excluded.method, space = excluded.space,
      base_value = excluded.base_value, output = excluded.output, contributions = excluded.contributions,
      standard_error = excluded.standard_error, text = excluded.text
  )`,
)

/** Ends attempts with forecasts, each of which is stored as a new row. */
export const settleForecasts = settle(
  `person bigint, model text, metric text, reference_at timestamptz, history jsonb, points jsonb,
      rate_per_year double precision, basis text, warnings jsonb`,
  `made AS (
    INSERT INTO forecasts (task_id, user_id, attempt, model, metric, reference_at, history, points, rate_per_year,
      basis, warnings)
    SELECT id, person, attempt, model, metric, reference_at, history, points, rate_per_year, basis, warnings
    FROM settled
  )`,
)

/** Ends attempts with the risks of chunks of batches: these become predictions, and the people leave the chunk. */
export const settleChunks = settle(
  'batch_id uuid, chunk integer, scores double precision[], categories text[], outputs jsonb, failures jsonb',
  `risks AS (
    INSERT INTO predictions (id, task_id, user_id, model, health_metrics, warnings, risk_score, risk_category,
      outputs, attempt, batch_id, batch_line)
    SELECT r.id, s.id, r.user_id, b.model, r.metrics, coalesce(c.warnings -> (r.position - 1)::text, '[]'),
      r.score, r.category, r.outputs, s.attempt, s.batch_id, r.line
    FROM settled s
      JOIN batches b ON b.id = s.batch_id,
      -- Found by its whole key, and its warnings decompressed once instead of for each row.
      LATERAL (SELECT prediction_ids, user_ids, lines, metrics, warnings || '{}' AS warnings
        FROM batch_chunks WHERE batch_id = s.batch_id AND chunk = s.chunk OFFSET 0) AS c,
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
)
