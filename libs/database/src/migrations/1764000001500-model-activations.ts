import type { MigrationInterface, QueryRunner } from 'typeorm'

/** Which versions of the models serve and shadow, what workers say of their models, and how shadows differ. */
export class ModelActivations1764000001500 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      CREATE TABLE model_activations (
        name text PRIMARY KEY,
        versions text[] NOT NULL DEFAULT '{}',
        shadow text,
        shadow_since timestamptz,
        changed_at timestamptz NOT NULL DEFAULT now()
      )`)
    await runner.query(`
      CREATE TABLE shadow_reports (
        model text NOT NULL,
        served text NOT NULL,
        compared bigint NOT NULL DEFAULT 0,
        failed bigint NOT NULL DEFAULT 0,
        skipped bigint NOT NULL DEFAULT 0,
        sum_difference double precision NOT NULL DEFAULT 0,
        sum_absolute double precision NOT NULL DEFAULT 0,
        max_absolute double precision NOT NULL DEFAULT 0,
        category_changes jsonb NOT NULL DEFAULT '{}',
        PRIMARY KEY (model, served)
      )`)
    await runner.query(`ALTER TABLE workers ADD COLUMN model_states jsonb NOT NULL DEFAULT '{}'`)
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('ALTER TABLE workers DROP COLUMN model_states')
    await runner.query('DROP TABLE shadow_reports')
    await runner.query('DROP TABLE model_activations')
  }
}
