import type { MigrationInterface, QueryRunner } from 'typeorm'

/** Explanations, at most one for each output of a prediction. */
export class Explanations1764000001000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      CREATE TABLE explanations (
        prediction_id bigint NOT NULL,
        output_name text NOT NULL,
        task_id uuid NOT NULL,
        model text,
        method text,
        space text,
        base_value double precision,
        output double precision,
        contributions jsonb,
        standard_error double precision,
        text text,
        created_at timestamptz NOT NULL DEFAULT now(),
        PRIMARY KEY (prediction_id, output_name)
      ) WITH (fillfactor = 70)`)
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('DROP TABLE explanations')
  }
}
