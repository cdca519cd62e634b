import type pg from 'pg'

/** How much is stored. */
export interface FillSize {
  readonly predictions: number
  readonly tasks: number
}

/** A person with a tenth of everything, one with a few rows, and one that nobody has stored. */
export const people = { busy: 1, quiet: 7, unknown: 999_999_999 } as const

/** Batches that the predictions are spread over. */
const batchCount = 40
/** Rows of one chunk, as the api makes them. */
const chunkRows = 500

const uuidFunction = `
  CREATE OR REPLACE FUNCTION pg_temp.id_of(made timestamptz, seed text) RETURNS uuid LANGUAGE sql IMMUTABLE AS $$
    SELECT (substr(t, 1, 8) || '-' || substr(t, 9, 4) || '-7' || substr(m, 1, 3) || '-8' || substr(m, 4, 3) || '-'
      || substr(m, 7, 12))::uuid
    FROM (SELECT lpad(to_hex((extract(epoch FROM made) * 1000)::bigint), 12, '0') AS t, md5(seed) AS m) AS parts
  $$`

const metricsOf = (
  seed: string,
): string => `jsonb_build_object('mmse_score', 10 + ${seed} % 21, 'age', 55 + ${seed} % 40,
  'sex', ${seed} % 2, 'education_years', 6 + ${seed} % 12)`

const riskColumns = (score: string): string =>
  `${score}, CASE WHEN ${score} < 0.3 THEN 'low' ELSE 'high' END,
   jsonb_build_object('impairment', jsonb_build_object('value', ${score}, 'lower', ${score} / 2, 'upper', (1 + ${score}) / 2))`

const personOf = (seed: string): string => `CASE WHEN ${seed} % 10 = 3 THEN ${people.busy} WHEN ${seed} % 100003 = 5
  THEN ${people.quiet} ELSE ${seed} * 7919 % 1000000 + 100 END`

const modelOf = (seed: string): string =>
  `CASE WHEN ${seed} % 10 < 7 THEN 'impairment-screen@1.0.0' WHEN ${seed} % 10 < 9 THEN 'dementia-risk@1.0.0' ELSE 'caide@1.0.0' END`

/**
 * A stretch of the history: `$1` to `$2` are the numbers of its tasks, `$3` is added to a number for the id of its
 * prediction, `$4` is the number of all tasks. Of 10,000 tasks 9,900 succeeded; the newest are still under way.
 */
const taskStretch = `
  WITH numbered AS (
    SELECT n, $3::bigint + n AS prediction, now() - interval '30 days' * (1 - n::float8 / $4::bigint) - interval '1 s' AS made,
      n * 7919 % 10000 AS luck, $4::bigint - n AS age, n % 100 AS sort
    FROM generate_series($1::bigint, $2::bigint) AS n
  ), typed AS (
    SELECT *, pg_temp.id_of(made, n::text) AS id, ${personOf('n')} AS person,
      CASE WHEN sort < 85 THEN 'ml.process_prediction' WHEN sort < 93 THEN 'ml.generate_explanation'
        WHEN sort < 99 THEN 'ml.update_forecasts' ELSE 'ml.health_check' END AS name,
      CASE WHEN age < 3000 AND luck < 300 THEN 'scheduled' WHEN age < 3000 AND luck < 9000 THEN 'queued'
        WHEN age < 3200 THEN 'running' WHEN age < 3300 THEN 'retrying' WHEN luck < 70 THEN 'failed'
        WHEN luck < 80 THEN 'timed_out' WHEN luck < 95 THEN 'cancelled' WHEN luck < 100 THEN 'expired'
        ELSE 'succeeded' END AS state
    FROM numbered
  ), ended AS (
    SELECT *, state NOT IN ('scheduled', 'queued', 'running', 'retrying') AS is_ended,
      CASE state WHEN 'failed' THEN CASE WHEN luck < 60 THEN 'TASK_FAILED' ELSE 'MODEL_INPUT_INVALID' END
        WHEN 'retrying' THEN 'TASK_FAILED' WHEN 'timed_out' THEN 'TASK_HARD_TIME_LIMIT'
        WHEN 'cancelled' THEN 'TASK_REVOKED' WHEN 'expired' THEN 'TASK_EXPIRED' END AS error,
      CASE name WHEN 'ml.process_prediction' THEN 'predictions' WHEN 'ml.generate_explanation' THEN 'explanations'
        WHEN 'ml.update_forecasts' THEN 'forecasts' ELSE (ARRAY['predictions', 'batch', 'explanations', 'forecasts'])[1 + n / 100 % 4] END AS queue,
      CASE WHEN n % 5000 = 1 THEN 'rare@host' ELSE 'worker' || n % 4 || '@host' || n * 20 / $4::bigint END AS worker
    FROM typed
  ), stored AS (
    INSERT INTO tasks (id, name, queue, state, args, user_id, prediction_id, available_at, attempt, worker, lease_expires_at,
      error_code, error_message, created_at, started_at, finished_at, eta)
    SELECT id, name, queue, state, '{}', CASE WHEN sort < 99 THEN person END,
      CASE WHEN sort < 85 THEN prediction WHEN sort < 93 THEN prediction - 8 END,
      CASE WHEN state = 'scheduled' THEN now() + interval '1 day' WHEN state = 'retrying' THEN now() + interval '1 hour' ELSE made END,
      CASE WHEN state IN ('scheduled', 'queued', 'expired') THEN 0 ELSE 1 END,
      CASE WHEN state NOT IN ('scheduled', 'queued', 'expired') THEN worker END,
      CASE WHEN state = 'running' THEN now() + interval '1 day' END, error, error, made,
      CASE WHEN state NOT IN ('scheduled', 'queued', 'expired') THEN made + interval '20 ms' END,
      CASE WHEN is_ended THEN made + interval '50 ms' END, CASE WHEN state = 'scheduled' THEN now() + interval '1 day' END
    FROM ended
  ), attempts AS (
    INSERT INTO task_attempts (task_id, attempt, worker, outcome, error_code, error_message, started_at, ended_at)
    SELECT id, 1, worker, CASE WHEN state = 'retrying' THEN 'retried' ELSE state END, error, error, made + interval '20 ms', made + interval '50 ms'
    FROM ended WHERE (is_ended AND state <> 'expired') OR state = 'retrying'
  ), explained AS (
    INSERT INTO explanations (prediction_id, output_name, task_id, model, method, space, base_value, output, contributions, text)
    SELECT prediction - 8, 'impairment', id, 'impairment-screen@1.0.0', 'tree', 'probability', 0.3, 0.4,
      '[{"feature": "age", "value": 71, "contribution": 0.1}]', 'Age raises it.'
    FROM ended WHERE name = 'ml.generate_explanation' AND state = 'succeeded'
  ), forecast AS (
    INSERT INTO forecasts (task_id, user_id, attempt, model, metric, reference_at, history, points, rate_per_year, basis, warnings, created_at)
    SELECT id, person, 1, 'mmse-forecast@1.0.0', 'mmse_score', made, '[]', '[]', -0.5, 'history', '[]', made
    FROM ended WHERE name = 'ml.update_forecasts' AND state = 'succeeded'
  )
  INSERT INTO predictions (id, task_id, user_id, model, health_metrics, risk_score, risk_category, outputs, attempt, created_at)
  SELECT prediction, id, person, ${modelOf('n')}, ${metricsOf('n')},
    ${riskColumns(`CASE WHEN state = 'succeeded' THEN luck / 10000.0 END`)}, 1, made
  FROM ended WHERE sort < 85`

/** A batch: `$1` its number, `$2` its rows, `$3` its first prediction, `$4` the number of all batches. */
const batchStretch = `
  WITH batch AS (
    SELECT made, pg_temp.id_of(made, 'batch' || $1::int) AS id
    FROM (SELECT now() - interval '30 days' * (1 - $1::float8 / $4::int) - interval '1 s' AS made) AS times
  ), chunks AS (
    SELECT c, b.made, b.id AS batch, pg_temp.id_of(b.made + interval '1 ms' * c, 'chunk' || $1::int || '-' || c) AS id,
      $3::bigint + c * ${chunkRows} AS first, least($3::bigint + (c + 1) * ${chunkRows}, $3::bigint + $2::bigint) - 1 AS last
    FROM batch b, generate_series(0, (($2::bigint - 1) / ${chunkRows})::int) AS c
  ), parents AS (
    INSERT INTO batches (id, user_id, model, total, first_prediction_id, last_prediction_id, created_at, accepted_at)
    SELECT id, CASE WHEN $1::int % 4 = 1 THEN ${people.busy} END, 'impairment-screen@1.0.0', $2::bigint, $3::bigint, $3::bigint + $2::bigint - 1, made, made FROM batch
  ), tasks_made AS (
    INSERT INTO tasks (id, name, queue, state, args, user_id, parent_id, attempt, worker, available_at, created_at, started_at, finished_at)
    SELECT id, 'ml.batch_predictions', 'batch', 'succeeded', jsonb_build_object('batch_id', id), CASE WHEN $1::int % 4 = 1 THEN ${people.busy} END,
      NULL::uuid, 1, NULL::text, made, made, made, made + interval '5 s' FROM batch
    UNION ALL
    SELECT id, 'ml.compute_batch_chunk', 'batch', 'succeeded', jsonb_build_object('batch_id', batch, 'chunk', c),
      CASE WHEN $1::int % 4 = 1 THEN ${people.busy} END, batch, 1, 'worker1@host', made, made, made, made + interval '4 s' FROM chunks
  ), stored AS (
    INSERT INTO batch_chunks (batch_id, chunk, task_id, row_count, error_count, stored_count, errors, first_prediction_id, last_prediction_id, created_at)
    SELECT batch, c, id, last - first + 1, CASE WHEN c % 50 = 0 THEN 1 ELSE 0 END, last - first + 1,
      CASE WHEN c % 50 = 0 THEN jsonb_build_array(jsonb_build_object('line', c * ${chunkRows}, 'user_id', 900000 + c, 'code', 'MODEL_INPUT_INVALID', 'message', 'age must be a number'))
        ELSE '[]' END, first, last, made FROM chunks
  )
  INSERT INTO predictions (id, task_id, user_id, model, health_metrics, risk_score, risk_category, outputs, attempt, created_at, batch_id, batch_line)
  SELECT p, c.id, ${personOf('p')}, 'impairment-screen@1.0.0', ${metricsOf('p')}, ${riskColumns('p % 1000 / 1000.0')}, 1, made, batch, p - $3::bigint + 1
  FROM chunks c, generate_series(c.first, c.last) AS p`

/** What is stored once, for so many tasks. */
const restStatements = (tasks: number): readonly string[] => [
  `INSERT INTO health_metrics (user_id, recorded_at, metrics)
   SELECT n % 20000 + 100, now() - interval '1 day' * (1 + n / 20000), jsonb_build_object('mmse_score', 10 + n % 21) FROM generate_series(1, ${tasks / 5}) n
   UNION ALL SELECT ${people.busy}, now() - interval '1 day' * n, '{"mmse_score": 25}' FROM generate_series(1, ${Math.ceil(tasks / 50)}) n`,
  `INSERT INTO schedules (id, name, task, queue, cron, time_zone, next_run_at, user_id)
   SELECT gen_random_uuid(), 'schedule ' || n, 'ml.update_forecasts', 'forecasts', '0 3 * * *', 'UTC', now() + interval '1 day', n FROM generate_series(1, ${Math.ceil(tasks / 100)}) n`,
  // Linking each entry to the one before takes ever longer within one statement, and lists do not read the links.
  'ALTER TABLE audit_log DISABLE TRIGGER audit_chain',
  `INSERT INTO audit_log (at, action, target, details, previous_hash, hash)
   SELECT now() - interval '30 days' * (1 - n / ${tasks}.0), 'task.revoke', n::text, '{}', '', '' FROM generate_series(1, ${tasks}) n`,
  'UPDATE audit_head SET id = (SELECT max(id) FROM audit_log)',
  'ALTER TABLE audit_log ENABLE TRIGGER audit_chain',
  `INSERT INTO webhooks (id, url, events, secret, is_active, active_since)
   SELECT gen_random_uuid(), 'http://127.0.0.1:9/', '{task.failed}', 'whsec_x', false, now() FROM generate_series(1, 5)`,
  `INSERT INTO webhook_deliveries (webhook_id, event, task_id, data, occurred_at, state, attempts)
   SELECT w.id, 'task.failed', gen_random_uuid(), '{}', now(), CASE WHEN n % 10000 = 0 THEN 'failed' ELSE 'delivered' END, 1
   FROM (SELECT id FROM webhooks LIMIT 1) w, generate_series(1, ${tasks}) n`,
  `INSERT INTO workers (id, name, hostname, pid, state, queues, pool, concurrency, heartbeat_at)
   SELECT gen_random_uuid(), 'worker' || n || '@host', 'host', n, 'ready', '{predictions}', 'prefork', 4, now() - interval '1 min' * (n % 2000)
   FROM generate_series(1, 2000) n`,
  `INSERT INTO api_keys (id, name, hash, role, user_id)
   SELECT gen_random_uuid(), 'key ' || n, sha256(n::text::bytea), 'viewer', n FROM generate_series(1, 500) n`,
]

/** Fills a migrated, empty database with a history of 30 days. Prints how far it is. */
export const fillHistory = async (
  client: pg.Client,
  { predictions, tasks }: FillSize,
  log: (line: string) => void,
): Promise<void> => {
  const startedAt = performance.now()
  await client.query(`SET synchronous_commit = off; SET jit = off; SET work_mem = '64MB'`)
  await client.query(uuidFunction)
  const perBatch = Math.floor(tasks / batchCount)
  const rows = Math.max(1, Math.floor((predictions - tasks * 0.85) / batchCount))
  for (let batch = 0; batch < batchCount; batch += 1) {
    const shift = batch * rows
    const first = batch * perBatch + 1
    await client.query(taskStretch, [first, first + perBatch - 1, shift, tasks])
    await client.query(batchStretch, [batch + 1, rows, shift + first + perBatch, batchCount])
    const seconds = Math.round((performance.now() - startedAt) / 1000)
    log(
      `filled ${batch + 1} of ${batchCount} parts, ${((batch + 1) * (rows + 0.85 * perBatch)).toFixed(0)} predictions, ${seconds} s`,
    )
  }
  for (const statement of restStatements(tasks)) await client.query(statement)
  await client.query(`SELECT setval('predictions_id_seq', (SELECT max(id) FROM predictions))`)
  await client.query('VACUUM (ANALYZE)')
}
