import type { MigrationInterface, QueryRunner } from 'typeorm'

/**
 * Plans: changes of many tasks whose set is fixed before they are made. A slice holds the ids of up to some hundred tasks
 * that are still to be changed, and is deleted with the last of them; an array of ids costs a fraction of a row for each.
 */
export class Plans1764000017000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      CREATE TABLE plans (
        id uuid PRIMARY KEY,
        action text NOT NULL,
        terminate boolean NOT NULL,
        filter jsonb NOT NULL,
        total integer NOT NULL,
        is_capped boolean NOT NULL,
        sample uuid[] NOT NULL,
        done integer NOT NULL DEFAULT 0,
        skipped integer NOT NULL DEFAULT 0,
        failed integer NOT NULL DEFAULT 0,
        planned_by uuid NOT NULL,
        run_by uuid,
        created_at timestamptz NOT NULL DEFAULT now(),
        expires_at timestamptz NOT NULL,
        started_at timestamptz,
        finished_at timestamptz
      )`)
    await runner.query(`
      CREATE TABLE plan_slices (
        plan_id uuid NOT NULL REFERENCES plans ON DELETE CASCADE,
        slice integer NOT NULL,
        task_ids uuid[] NOT NULL,
        failures integer NOT NULL DEFAULT 0,
        PRIMARY KEY (plan_id, slice)
      )`)
    await runner.query(`
      CREATE INDEX plans_running ON plans (started_at) WHERE started_at IS NOT NULL AND finished_at IS NULL`)
  }

  async down(runner: QueryRunner): Promise<void> {
    for (const table of ['plan_slices', 'plans']) await runner.query(`DROP TABLE ${table}`)
  }
}
