import { generateExplanation, processPrediction } from '#libs/tasks/contracts'
import { commitSoon } from '../tasks/task-sql.js'

/** Stores the predictions among the rows of `input` whose tasks were stored in `t`. */
export const insertPredictions = `INSERT INTO predictions (id, task_id, user_id, model, health_metrics, warnings)
    SELECT prediction_id, "taskId", "userId", model, "healthMetrics", warnings
    FROM input i WHERE model IS NOT NULL AND EXISTS (SELECT FROM t WHERE t.id = i."taskId")`

const store = (wanted = ''): string => `
  WITH input AS MATERIALIZED (
    SELECT r.*, nextval('predictions_id_seq') AS prediction_id FROM jsonb_to_recordset($1::jsonb) AS r(
      "taskId" uuid, "userId" bigint, model text, "healthMetrics" jsonb, warnings jsonb, "submittedBy" uuid, traceparent text,
      scope text, key text, hash text, "explanationTaskId" uuid, "explainedOutput" text)
  ), t AS (
    INSERT INTO tasks AS t (id, name, queue, state, args, user_id, prediction_id, model, submitted_by, traceparent,
      idempotency_scope, idempotency_key, idempotency_hash)
    SELECT "taskId", '${processPrediction.name}', '${processPrediction.queue}', 'queued', '{}', "userId",
      prediction_id, model, "submittedBy", traceparent, scope, key, hash
    FROM input
    ON CONFLICT (idempotency_scope, idempotency_key) WHERE idempotency_key IS NOT NULL DO NOTHING
    RETURNING t.id, t.prediction_id, t.created_at
  ), p AS (
    ${insertPredictions}
  )${wanted}
  SELECT id AS task_id, prediction_id, created_at, ${commitSoon} FROM t`

/**
 * Stores predictions with their tasks; `$1` is a JSON array of them. One whose idempotency key is known is left out.
 */
export const storePredictions = store()

/** The same with the explanations that are wanted of some of them, and their tasks. */
export const storeExplainedPredictions = store(`, explanation_tasks AS (
    INSERT INTO tasks (id, name, queue, state, args, user_id, prediction_id, model, submitted_by,
      traceparent)
    SELECT i."explanationTaskId", '${generateExplanation.name}', '${generateExplanation.queue}', 'queued',
      jsonb_build_object('output', i."explainedOutput"), i."userId", t.prediction_id, i.model, i."submittedBy", i.traceparent
    FROM t JOIN input i ON i."taskId" = t.id WHERE i."explanationTaskId" IS NOT NULL
  ), wanted AS (
    INSERT INTO explanations (prediction_id, output_name, task_id)
    SELECT t.prediction_id, i."explainedOutput", i."explanationTaskId"
    FROM t JOIN input i ON i."taskId" = t.id WHERE i."explanationTaskId" IS NOT NULL
  )`)

/** The columns of a `PredictionView`, of a prediction `p` and its task `t`. */
export const predictionColumns = `p.id::float8 AS id, p.task_id AS "taskId", p.batch_id AS "batchId", p.external_id::float8 AS "externalId",
  p.user_id::float8 AS "userId", p.model, p.health_metrics AS "healthMetrics", p.warnings, p.risk_score AS "riskScore",
  p.risk_category AS "riskCategory", p.outputs, t.state, t.error_code AS "errorCode", t.error_message AS "errorMessage",
  p.created_at AS "createdAt", t.started_at AS "startedAt", t.finished_at AS "finishedAt"`

/** Reads predictions with the states of their tasks, one by one by their keys; `$1` is an array of ids. */
export const readPredictions = `
  SELECT ${predictionColumns} FROM predictions p, LATERAL (SELECT * FROM tasks WHERE id = p.task_id OFFSET 0) t
  WHERE p.id = ANY ($1::bigint[])`
