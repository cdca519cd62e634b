import { PredictionRepository, StatisticsRepository, TaskRepository } from '#libs/database'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { newPrediction } from '../support/new-prediction.js'
import { query } from '../support/query.js'
import { createTestDatabase, type TestDatabase } from '../support/test-database.js'

/**
 * What the rollups say of every bucket of a width, and what the tasks themselves say of it. Times are compared in whole
 * microseconds, which is what PostgreSQL stores: a sum of floats can be half a millisecond's rounding away.
 */
const recounts = (widthSeconds: number) => ({
  counted: `SELECT extract(epoch FROM bucket)::int AS bucket, queue, name, outcome, model, tasks::int, retries::int,
      round(wait_ms * 1000)::bigint AS wait_us, round(run_ms * 1000)::bigint AS run_us,
      round(run_max_ms * 1000)::bigint AS run_max_us,
      (SELECT sum(n) FROM unnest(wait_histogram) AS n)::int AS waited, (SELECT sum(n) FROM unnest(run_histogram) AS n)::int AS ran
    FROM task_rollups WHERE width_s = ${widthSeconds} ORDER BY 1, 2, 3, 4, 5`,
  recounted: `SELECT (floor(extract(epoch FROM finished_at) / ${widthSeconds}) * ${widthSeconds})::int AS bucket, queue, name,
      state AS outcome, p.model, count(*)::int AS tasks, sum(retries + crashes)::int AS retries,
      round(coalesce(sum(extract(epoch FROM started_at - greatest(available_at, t.created_at)) * 1000000), 0))::bigint AS wait_us,
      round(coalesce(sum(extract(epoch FROM finished_at - started_at) * 1000000), 0))::bigint AS run_us,
      round(coalesce(max(extract(epoch FROM finished_at - started_at) * 1000000), 0))::bigint AS run_max_us,
      count(started_at)::int AS waited, count(started_at)::int AS ran
    FROM tasks t JOIN predictions p ON p.task_id = t.id WHERE finished_at IS NOT NULL
    GROUP BY 1, 2, 3, 4, 5 ORDER BY 1, 2, 3, 4, 5`,
})

describe('statistics', () => {
  let database: TestDatabase
  let statistics: StatisticsRepository
  let predictions: PredictionRepository

  const countAll = async () => {
    while (await statistics.count());
  }

  /** Tasks that have ended in the last `minutes`, spread evenly, in several states. */
  const addEnded = async (count: number, minutes: number) => {
    const rows = Array.from({ length: count }, () => newPrediction())
    await predictions.submit(rows)
    await query(
      database.url,
      `UPDATE tasks t SET created_at = e.at - interval '70 s', available_at = e.at - interval '60 s' * random(),
         started_at = CASE WHEN e.number % 10 > 0 THEN e.at - interval '1 ms' * (1 + e.number % 50) END,
         finished_at = e.at, retries = e.number % 3,
         state = CASE e.number % 10 WHEN 0 THEN 'cancelled' WHEN 1 THEN 'failed' WHEN 2 THEN 'timed_out' ELSE 'succeeded' END
       FROM (SELECT id, row_number() OVER (ORDER BY id) AS number,
           now() - interval '2 s' - make_interval(secs => $2 * 60.0 * row_number() OVER (ORDER BY id) / $1) AS at
         FROM tasks WHERE finished_at IS NULL) AS e
       WHERE t.id = e.id`,
      [count, minutes],
    )
    await query(
      database.url,
      `UPDATE tasks SET available_at = started_at - interval '5 ms' WHERE available_at > started_at`,
    )
  }

  const expectEqualRecount = async () => {
    for (const width of [60, 3_600, 86_400]) {
      const { counted, recounted } = recounts(width)
      const rows = await query(database.url, counted)
      expect(rows.length).toBeGreaterThan(0)
      expect(rows).toEqual(await query(database.url, recounted))
    }
  }

  beforeAll(async () => {
    database = await createTestDatabase()
    predictions = new PredictionRepository(
      database.dataSource,
      database.prepared,
      new TaskRepository(database.dataSource, database.prepared),
    )
    statistics = new StatisticsRepository(database.dataSource)
  })
  afterAll(() => database.drop())

  it('equal a recount of the tasks, also of those that ended before the first count', async () => {
    await addEnded(400, 150)
    await countAll()
    await expectEqualRecount()
  })

  it('count each task once, however often they are counted, and when a count is broken off', async () => {
    await countAll()
    await countAll()
    await query(database.url, `UPDATE statistics_progress SET counted_until = now() - interval '3 minutes'`)
    await query(database.url, `TRUNCATE task_rollups`)
    await query(database.url, `UPDATE statistics_progress SET counted_until = now() - interval '1 day'`)
    // The counts and how far they go are one transaction: what fails after the counts leaves none of them.
    await query(
      database.url,
      `CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'broken off'; END $$`,
    )
    await query(database.url, `CREATE TRIGGER fail BEFORE UPDATE ON statistics_progress EXECUTE FUNCTION fail()`)
    await expect(statistics.count()).rejects.toThrow('broken off')
    expect(await query(database.url, 'SELECT count(*)::int AS n FROM task_rollups')).toEqual([{ n: 0 }])
    await query(database.url, 'DROP TRIGGER fail ON statistics_progress')
    await countAll()
    await expectEqualRecount()
  })

  it('wait for a transaction in which a task has ended and which is not committed yet', async () => {
    await predictions.submit([newPrediction()])
    const runner = database.dataSource.createQueryRunner()
    await runner.startTransaction()
    await runner.query(
      `UPDATE tasks SET state = 'succeeded', started_at = now(), finished_at = now() WHERE finished_at IS NULL`,
    )
    await countAll()
    await runner.commitTransaction()
    await runner.release()
    await expect
      .poll(async () => {
        await countAll()
        const [row] = await query<{ is_past: boolean }>(
          database.url,
          `SELECT counted_until > (SELECT max(finished_at) FROM tasks) AS is_past FROM statistics_progress`,
        )
        return row?.is_past
      })
      .toBe(true)
    await expectEqualRecount()
  })

  it('keep what they counted when the tasks are removed', async () => {
    const before = await query(database.url, recounts(3_600).counted)
    await query(database.url, 'DELETE FROM tasks')
    await countAll()
    expect(await query(database.url, recounts(3_600).counted)).toEqual(before)
  })

  it('drop minutes after two weeks and hours after 400 days, and keep days', async () => {
    await query(
      database.url,
      `UPDATE task_rollups SET bucket = bucket - CASE width_s WHEN 60 THEN interval '15 days' ELSE interval '401 days' END`,
    )
    await statistics.removeOld()
    const rows = await query(database.url, 'SELECT DISTINCT width_s FROM task_rollups')
    expect(rows).toEqual([{ width_s: 86_400 }])
  })
})
