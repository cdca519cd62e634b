import { batchPredictions, processPrediction, storedNames } from '#libs/tasks/contracts'

const batchNames = storedNames(batchPredictions.name)
  .map((name) => `'${name}'`)
  .join(', ')

/** The model of a task `t`: its own or, if it was made before tasks had one, that of its prediction or its batch; that of its forecast. */
const modelOf = `coalesce(t.model, CASE
  WHEN t.prediction_id IS NOT NULL THEN (SELECT p.model FROM predictions p WHERE p.id = t.prediction_id)
  WHEN t.name IN (${batchNames}) THEN (SELECT b.model FROM batches b WHERE b.id = coalesce(t.parent_id, t.id))
  ELSE (SELECT f.model FROM forecasts f WHERE f.task_id = t.id) END)`

/** Whether a task `t` is of the model `?`, given with or without a version. */
export const isOfModel = `starts_with(${modelOf} || '@', ? || '@')`

/**
 * The tasks about a prediction `$1`, by our number or by that of a Celery caller: the one that computes it, those that this one does again, and its explanations. To
 * the key of a person, `$2`, only that person's predictions exist.
 */
export const selectTasksOfPrediction = `
  WITH RECURSIVE meant AS (
    SELECT id, task_id FROM predictions WHERE id = $1 AND ($2::bigint IS NULL OR user_id = $2)
    UNION
    (SELECT id, task_id FROM predictions WHERE external_id = $1 AND ($2::bigint IS NULL OR user_id = $2)
      ORDER BY id DESC LIMIT 100)
  ), computing AS (
    SELECT t.id, t.replay_of FROM meant p JOIN tasks t ON t.id = p.task_id
    UNION
    SELECT t.id, t.replay_of FROM computing c JOIN tasks t ON t.id = c.replay_of
  )
  SELECT id FROM computing
  UNION
  SELECT id FROM tasks WHERE prediction_id = $1 AND name <> '${processPrediction.name}'
  UNION
  SELECT t.id FROM meant p JOIN tasks t ON t.prediction_id = p.id WHERE t.name <> '${processPrediction.name}'`

/** The task `$1` and those that it has called. */
export const selectFamily = `SELECT id FROM tasks WHERE id = $1 UNION ALL SELECT id FROM tasks WHERE parent_id = $1`

/**
 * Groups what fits of a stretch of tasks by error, name and part of a time. `stretch` selects the tasks, newest first, up
 * to `rows` of them; `fits` is what they must fit, `from` and `seconds` are the parameters of the first part's start and
 * of its length. Each row has what was seen of the stretch; it is the only row, without a group, if nothing fits.
 */
export const groupFailures = (
  { stretch, fits, rows }: { readonly stretch: string; readonly fits: string; readonly rows: number },
  { from, seconds, parts }: { readonly from: string; readonly seconds: string; readonly parts: number },
): string => `
  WITH t AS MATERIALIZED (
    SELECT id, name, queue, state, worker, error_code, user_id, prediction_id, parent_id, model, created_at,
      finished_at
    ${stretch} LIMIT ${rows}
  ), grouped AS (
    SELECT error_code, name, count(*)::integer AS count, min(finished_at) AS first_at, max(finished_at) AS last_at,
      least(${parts - 1}, greatest(0, floor(extract(epoch FROM created_at - ${from}) / ${seconds})))::integer AS part,
      (array_agg(t.id::text ORDER BY t.id DESC))[1:3] AS sample
    FROM t WHERE ${fits} GROUP BY error_code, name, part
  )
  SELECT seen.*, grouped.* FROM (
    SELECT count(*)::integer AS seen, (SELECT id FROM t ORDER BY id LIMIT 1) AS last_id,
      (SELECT created_at FROM t ORDER BY id LIMIT 1) AS last_made
    FROM t) AS seen LEFT JOIN grouped ON true`

/** Every error that a task has, each found by one step along the index of errors. */
export const selectErrorCodes = `
  WITH RECURSIVE codes AS (
    (SELECT error_code FROM tasks WHERE error_code IS NOT NULL ORDER BY error_code LIMIT 1)
    UNION ALL
    SELECT (SELECT t.error_code FROM tasks t WHERE t.error_code > c.error_code ORDER BY t.error_code LIMIT 1)
    FROM codes c WHERE c.error_code IS NOT NULL
  )
  SELECT error_code AS value FROM codes WHERE error_code IS NOT NULL`

/** Names of workers of the last day that begin with `$1`; at most `$2`. */
export const selectWorkerNames = `
  SELECT DISTINCT name AS value FROM workers
  WHERE heartbeat_at > now() - interval '1 day' AND starts_with(name, $1) ORDER BY name LIMIT $2`
