import { batchPredictions, computeBatchChunk } from '#libs/tasks/contracts'
import { binOf } from './histogram.js'

/** Widths of buckets in seconds, with what cuts a time to its bucket. */
export const bucketWidths = [
  { seconds: 60, unit: 'minute' },
  { seconds: 3_600, unit: 'hour' },
  { seconds: 86_400, unit: 'day' },
] as const

/**
 * Tasks of the queues `$1` that ended from `$2` on and before `$3`, grouped by minute, labels and bins. The wait is that of
 * the last attempt, from when it could start; a task that never started has neither wait nor run. Chunks count under the name of their batch.
 */
export const endedTasks = `
  SELECT minute, queue, name, outcome, model, wait_bin, run_bin, count(*)::int AS tasks, sum(retries)::int AS retries,
    coalesce(sum(wait_ms), 0) AS wait_ms, coalesce(sum(run_ms), 0) AS run_ms, coalesce(max(run_ms), 0) AS run_max_ms
  FROM (
    -- OFFSET 0 keeps each duration from being computed again for each use.
    SELECT *, ${binOf('wait_ms')} AS wait_bin, ${binOf('run_ms')} AS run_bin FROM (
      SELECT floor(date_part('epoch', finished_at) / 60) * 60000 AS minute, queue,
        CASE name WHEN '${computeBatchChunk.name}' THEN '${batchPredictions.name}' ELSE name END AS name,
        state AS outcome, coalesce(model, '') AS model, retries + crashes AS retries,
        CASE WHEN started_at IS NOT NULL THEN
          greatest(0, date_part('epoch', started_at - greatest(available_at, created_at)) * 1000) END AS wait_ms,
        CASE WHEN started_at IS NOT NULL THEN
          greatest(0, date_part('epoch', finished_at - started_at) * 1000) END AS run_ms
      FROM tasks
      WHERE queue = ANY($1) AND finished_at >= $2 AND finished_at < $3 AND finished_at IS NOT NULL
      OFFSET 0
    ) AS timed OFFSET 0
  ) AS binned
  GROUP BY minute, queue, name, outcome, model, wait_bin, run_bin`

const sumOf = (column: string) =>
  `${column} = ARRAY(SELECT a + b FROM unnest(r.${column}, excluded.${column}) WITH ORDINALITY AS u(a, b, bin) ORDER BY bin)`

/** Adds counts, a JSON array `$1`, to the rows of their buckets. */
export const addRollups = `
  INSERT INTO task_rollups AS r (width_s, bucket, queue, name, outcome, model, layout, tasks, retries, wait_ms, run_ms,
    run_max_ms, wait_histogram, run_histogram)
  SELECT width_s, to_timestamp(bucket / 1000), queue, name, outcome, model, layout, tasks, retries, wait_ms, run_ms,
    run_max_ms, wait_histogram, run_histogram
  FROM json_to_recordset($1::json) AS i(width_s int, bucket float8, queue text, name text, outcome text, model text,
    layout smallint, tasks bigint, retries bigint, wait_ms float8, run_ms float8, run_max_ms float8,
    wait_histogram int[], run_histogram int[])
  ON CONFLICT (width_s, bucket, queue, name, outcome, model) DO UPDATE SET
    tasks = r.tasks + excluded.tasks, retries = r.retries + excluded.retries, wait_ms = r.wait_ms + excluded.wait_ms,
    run_ms = r.run_ms + excluded.run_ms, run_max_ms = greatest(r.run_max_ms, excluded.run_max_ms),
    ${sumOf('wait_histogram')}, ${sumOf('run_histogram')}`

/** Adds one sample of each queue, a JSON array `$1`, to the rows of the buckets of now. */
export const addSamples = `
  INSERT INTO queue_samples AS s (width_s, bucket, queue, samples, waiting_sum, waiting_max, scheduled_max, running_sum,
    running_max, oldest_max_s, consumers_min, slots_max, busy_sum, busy_max, paused)
  SELECT w.seconds, date_trunc(w.unit, now()), i.queue, 1, i.waiting, i.waiting, i.scheduled, i.running, i.running,
    i.oldest_s, i.consumers, i.slots, i.busy, i.busy, i.paused
  FROM json_to_recordset($1::json) AS i(queue text, waiting int, scheduled int, running int, oldest_s float8,
      consumers int, slots int, busy int, paused boolean),
    (VALUES ${bucketWidths.map(({ seconds, unit }) => `(${seconds}, '${unit}')`).join(', ')}) AS w(seconds, unit)
  ON CONFLICT (width_s, bucket, queue) DO UPDATE SET
    samples = s.samples + 1, waiting_sum = s.waiting_sum + excluded.waiting_sum,
    waiting_max = greatest(s.waiting_max, excluded.waiting_max),
    scheduled_max = greatest(s.scheduled_max, excluded.scheduled_max),
    running_sum = s.running_sum + excluded.running_sum, running_max = greatest(s.running_max, excluded.running_max),
    oldest_max_s = greatest(s.oldest_max_s, excluded.oldest_max_s),
    consumers_min = least(s.consumers_min, excluded.consumers_min),
    slots_max = greatest(s.slots_max, excluded.slots_max), busy_sum = s.busy_sum + excluded.busy_sum,
    busy_max = greatest(s.busy_max, excluded.busy_max), paused = s.paused OR excluded.paused`

/** The start of a point: `$2` is the step in seconds, counted from the epoch. */
const pointOf = `(floor(extract(epoch FROM bucket) / $2) * $2 * 1000)::float8`

/**
 * Rollups of width `$1` from `$3` on and before `$4`, merged by points of `$2` seconds, by outcome and, with `group`, by a label.
 * Nulls in `$5` to `$8` (queue, name, model, outcome) select all.
 */
export const readRollups = (group: 'queue' | 'name' | 'outcome' | 'model' | null): string => {
  const label = group ?? `''`
  return `
  WITH picked AS MATERIALIZED (
    SELECT ${pointOf} AS point, ${label} AS label, outcome, tasks, retries, wait_ms, run_ms, run_max_ms,
      wait_histogram, run_histogram
    FROM task_rollups
    WHERE width_s = $1 AND bucket >= $3 AND bucket < $4 AND ($5::text IS NULL OR queue = $5)
      AND ($6::text IS NULL OR name = $6) AND ($7::text IS NULL OR model = $7) AND ($8::text IS NULL OR outcome = $8)
  ), counted AS (
    SELECT point, label, jsonb_object_agg(outcome, tasks) AS outcomes, sum(retries)::float8 AS retries,
      sum(wait_ms) AS wait_ms, sum(run_ms) AS run_ms, max(run_max_ms) AS run_max_ms
    FROM (
      SELECT point, label, outcome, sum(tasks) AS tasks, sum(retries) AS retries, sum(wait_ms) AS wait_ms,
        sum(run_ms) AS run_ms, max(run_max_ms) AS run_max_ms
      FROM picked GROUP BY point, label, outcome
    ) AS by_outcome GROUP BY point, label
  ), added AS (
    -- Most bins are empty: left out early, they cost nothing more.
    SELECT point, label, array_agg(bin) AS bins, array_agg(wait) AS wait, array_agg(run) AS run FROM (
      SELECT point, label, bin::int - 1 AS bin, sum(wait)::float8 AS wait, sum(run)::float8 AS run
      FROM picked, unnest(wait_histogram, run_histogram) WITH ORDINALITY AS u(wait, run, bin)
      WHERE wait + run > 0
      GROUP BY point, label, bin
    ) AS by_bin GROUP BY point, label
  )
  SELECT point, label, outcomes, retries, wait_ms AS "waitMs", run_ms AS "runMs", run_max_ms AS "runMaxMs",
    coalesce(bins, '{}') AS bins, coalesce(wait, '{}') AS wait, coalesce(run, '{}') AS run
  FROM counted LEFT JOIN added USING (point, label) ORDER BY point, label`
}

/** Samples of width `$1` from `$3` on and before `$4`, merged by points of `$2` seconds and by queue; a null `$5` selects all queues. */
export const readSamples = `
  SELECT ${pointOf} AS point, queue, sum(samples)::int AS samples, sum(waiting_sum)::float8 / sum(samples) AS waiting,
    max(waiting_max) AS "waitingMax", max(scheduled_max) AS "scheduledMax",
    sum(running_sum)::float8 / sum(samples) AS running, max(running_max) AS "runningMax", max(oldest_max_s) AS "oldestMaxS",
    min(consumers_min) AS "consumersMin", max(slots_max) AS "slotsMax", sum(busy_sum)::float8 / sum(samples) AS busy,
    max(busy_max) AS "busyMax", bool_or(paused) AS paused
  FROM queue_samples
  WHERE width_s = $1 AND bucket >= $3 AND bucket < $4 AND ($5::text IS NULL OR queue = $5)
  GROUP BY 1, queue ORDER BY 1, queue`
