import { computeBatchChunk } from '#libs/tasks/contracts'

/** Tasks that one transaction changes. */
export const sliceSize = 500
/** Tasks of a plan that it shows. */
const sampleSize = 10
/** A plan must be run within this time, in seconds. */
const lifeSeconds = 300

/**
 * Fixes the tasks `t` that fit `where` as a plan, the oldest `most` of them. The chunks of a batch that is among them go
 * with it, and are not counted. `parameters` are those of the plan: id, action, terminate, filter, API key and `most`.
 */
export const insertPlan = (
  where: string,
  parameters: {
    readonly id: string
    readonly action: string
    readonly terminate: string
    readonly filter: string
    readonly plannedBy: string
    readonly most: string
  },
): string => {
  const { id, action, terminate, filter, plannedBy, most } = parameters
  return `
  WITH fitting AS MATERIALIZED (
    SELECT t.id, t.name, t.parent_id FROM tasks t WHERE ${where}
  ), chosen AS MATERIALIZED (
    SELECT c.id, (row_number() OVER (ORDER BY c.id))::integer - 1 AS place FROM (
      SELECT f.id FROM fitting f
      WHERE f.name <> '${computeBatchChunk.name}' OR NOT EXISTS (SELECT 1 FROM fitting b WHERE b.id = f.parent_id)
      ORDER BY f.id LIMIT ${most}::integer + 1) AS c
  ), slices AS (
    INSERT INTO plan_slices (plan_id, slice, task_ids)
    SELECT ${id}::uuid, place / ${sliceSize}, array_agg(c.id ORDER BY place)
    FROM chosen c WHERE place < ${most}::integer GROUP BY place / ${sliceSize}
  )
  INSERT INTO plans (id, action, terminate, filter, planned_by, expires_at, total, is_capped, sample)
  SELECT ${id}::uuid, ${action}, ${terminate}::boolean, ${filter}::jsonb, ${plannedBy}::uuid,
    now() + interval '${lifeSeconds} s', least(count(*), ${most}::integer), count(*) > ${most}::integer,
    ARRAY(SELECT c.id FROM chosen c WHERE place < ${most}::integer ORDER BY place DESC LIMIT ${sampleSize})
  FROM chosen`
}

/** Starts plan `$1` for API key `$2` if it has not expired; a plan without tasks has then finished. */
export const startPlan = `
  WITH started AS (
    UPDATE plans SET started_at = now(), run_by = $2, finished_at = CASE WHEN total = 0 THEN now() END
    WHERE id = $1 AND started_at IS NULL AND expires_at > now() RETURNING id
  ) SELECT id FROM started`

/** Takes a slice of a running plan, the oldest plan first, that no other process is at. */
export const takeSlice = `
  SELECT s.plan_id AS "planId", s.slice, s.task_ids AS ids, s.failures, p.action, p.terminate, p.run_by AS "runBy"
  FROM plans p JOIN plan_slices s ON s.plan_id = p.id
  WHERE p.started_at IS NOT NULL AND p.finished_at IS NULL
  ORDER BY p.started_at, s.slice LIMIT 1 FOR UPDATE OF s SKIP LOCKED`

/** The tasks `$1` that are there, with their state if nobody else is just changing them. They stay locked. */
export const lockTasks = `
  WITH locked AS (
    SELECT id, state, finished_at IS NOT NULL AS has_ended FROM tasks WHERE id = ANY($1::uuid[]) FOR UPDATE SKIP LOCKED
  )
  SELECT t.id, l.state, l.has_ended AS "hasEnded" FROM tasks t LEFT JOIN locked l ON l.id = t.id
  WHERE t.id = ANY($1::uuid[])`

/** Leaves the tasks `$3` in slice `$2` of plan `$1`. */
export const keepInSlice = `UPDATE plan_slices SET task_ids = $3::uuid[] WHERE plan_id = $1 AND slice = $2`

export const deleteSlice = `DELETE FROM plan_slices WHERE plan_id = $1 AND slice = $2`

/** Adds to what plan `$1` has done (`$2`), skipped (`$3`) and failed to do (`$4`). */
export const addProgress = `
  UPDATE plans SET done = done + $2, skipped = skipped + $3, failed = failed + $4 WHERE id = $1`

/** Finishes plan `$1` if nothing of it is left. Its row is locked before, so that the last of two processes sees that. */
export const finishPlan = `
  WITH finished AS (
    UPDATE plans SET finished_at = now()
    WHERE id = $1 AND finished_at IS NULL AND NOT EXISTS (SELECT 1 FROM plan_slices WHERE plan_id = $1)
    RETURNING *
  ) SELECT action, total, done, skipped, failed, run_by AS "runBy" FROM finished`

/** Slice `$2` of plan `$1` if task `$3` is still the next of it: another process may have been at it meanwhile. */
export const lockSlice = `
  SELECT task_ids AS ids FROM plan_slices WHERE plan_id = $1 AND slice = $2 AND task_ids[1] = $3::uuid FOR UPDATE`

export const countFailure = `UPDATE plan_slices SET failures = failures + 1 WHERE plan_id = $1 AND slice = $2`

/** Plans that can no longer be run, an hour after that, and finished ones after `$1` seconds. */
export const deleteOldPlans = `
  DELETE FROM plans WHERE (started_at IS NULL AND expires_at < now() - interval '1 hour')
    OR finished_at < now() - make_interval(secs => $1)`
