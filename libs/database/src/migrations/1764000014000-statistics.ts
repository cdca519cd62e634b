import type { MigrationInterface, QueryRunner } from 'typeorm'

/**
 * Statistics by minute, hour and day. They outlive the rows that they were counted from, and name no person.
 *
 * `task_rollups` counts ended tasks, once each: the one row of `statistics_progress` says up to which end. `queue_samples`
 * holds what no row tells later: how much waited, and who was there to run it. `tasks.model` is the model of a task's
 * prediction once more: to look each up would double the cost of counting.
 */
export class Statistics1764000014000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query('ALTER TABLE tasks ADD COLUMN model text')
    await runner.query(`
      CREATE TABLE task_rollups (
        width_s integer NOT NULL,
        bucket timestamptz NOT NULL,
        queue text NOT NULL,
        name text NOT NULL,
        outcome text NOT NULL,
        model text NOT NULL,
        layout smallint NOT NULL,
        tasks bigint NOT NULL,
        retries bigint NOT NULL,
        wait_ms double precision NOT NULL,
        run_ms double precision NOT NULL,
        run_max_ms double precision NOT NULL,
        wait_histogram integer[] NOT NULL,
        run_histogram integer[] NOT NULL,
        PRIMARY KEY (width_s, bucket, queue, name, outcome, model)
      ) WITH (fillfactor = 80)`)
    await runner.query(`
      CREATE TABLE queue_samples (
        width_s integer NOT NULL,
        bucket timestamptz NOT NULL,
        queue text NOT NULL,
        samples integer NOT NULL,
        waiting_sum bigint NOT NULL,
        waiting_max integer NOT NULL,
        scheduled_max integer NOT NULL,
        running_sum bigint NOT NULL,
        running_max integer NOT NULL,
        oldest_max_s double precision NOT NULL,
        consumers_min integer NOT NULL,
        slots_max integer NOT NULL,
        busy_sum bigint NOT NULL,
        busy_max integer NOT NULL,
        paused boolean NOT NULL,
        PRIMARY KEY (width_s, bucket, queue)
      ) WITH (fillfactor = 80)`)
    await runner.query(`
      CREATE TABLE statistics_progress (
        singleton boolean PRIMARY KEY DEFAULT true CHECK (singleton),
        counted_from timestamptz,
        counted_until timestamptz
      )`)
    await runner.query('INSERT INTO statistics_progress DEFAULT VALUES')
  }

  async down(runner: QueryRunner): Promise<void> {
    for (const table of ['statistics_progress', 'queue_samples', 'task_rollups'])
      await runner.query(`DROP TABLE ${table}`)
    await runner.query('ALTER TABLE tasks DROP COLUMN model')
  }
}
