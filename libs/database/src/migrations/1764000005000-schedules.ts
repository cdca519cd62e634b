import type { MigrationInterface, QueryRunner } from 'typeorm'

/** Periodic tasks. `tasks` needs nothing new: a tick stands in its idempotency key. */
export class Schedules1764000005000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      CREATE TABLE schedules (
        id uuid PRIMARY KEY,
        name text NOT NULL UNIQUE,
        task text NOT NULL,
        args jsonb NOT NULL DEFAULT '{}',
        user_id bigint,
        prediction_id bigint,
        queue text NOT NULL,
        priority smallint NOT NULL DEFAULT 0,
        expires_seconds integer,
        cron text,
        time_zone text,
        interval_seconds integer,
        catch_up text NOT NULL DEFAULT 'one',
        is_paused boolean NOT NULL DEFAULT false,
        next_run_at timestamptz,
        last_run_at timestamptz,
        last_task_id uuid,
        created_at timestamptz NOT NULL DEFAULT now(),
        updated_at timestamptz NOT NULL DEFAULT now(),
        CHECK ((cron IS NULL) <> (interval_seconds IS NULL)),
        CHECK ((cron IS NULL) = (time_zone IS NULL))
      )`)
    await runner.query(`CREATE INDEX schedules_due ON schedules (next_run_at) WHERE next_run_at IS NOT NULL`)
    await runner.query(`CREATE INDEX schedules_user ON schedules (user_id) WHERE user_id IS NOT NULL`)
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('DROP TABLE schedules')
  }
}
