import type { MigrationInterface, QueryRunner } from 'typeorm'

/**
 * Batches in chunks. A batch has the id of its task; each chunk is a task of its own, whose state is the chunk's. Until
 * a chunk is computed it holds its people; then they stand in `predictions` and the chunk keeps only counts and
 * errors. Ids of predictions are taken when a chunk is stored, so that they rise with the lines of the input, and a
 * batch's predictions are found by their range without an index of their own.
 */
export class Batches1764000004000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      CREATE TABLE batches (
        id uuid PRIMARY KEY,
        user_id bigint,
        model text NOT NULL,
        total integer,
        first_prediction_id bigint,
        last_prediction_id bigint,
        created_at timestamptz NOT NULL DEFAULT now(),
        accepted_at timestamptz
      )`)
    await runner.query(`CREATE INDEX batches_receiving ON batches (created_at) WHERE accepted_at IS NULL`)
    await runner.query(`
      CREATE TABLE batch_chunks (
        batch_id uuid NOT NULL,
        chunk integer NOT NULL,
        task_id uuid NOT NULL,
        row_count integer NOT NULL,
        error_count integer NOT NULL,
        stored_count integer,
        errors jsonb NOT NULL,
        first_prediction_id bigint,
        last_prediction_id bigint,
        prediction_ids bigint[],
        user_ids bigint[],
        lines integer[],
        metrics text,
        warnings jsonb,
        created_at timestamptz NOT NULL DEFAULT now(),
        PRIMARY KEY (batch_id, chunk)
      ) WITH (fillfactor = 50)`)
    await runner.query(`ALTER TABLE predictions ADD COLUMN batch_id uuid, ADD COLUMN batch_line integer`)
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(`ALTER TABLE predictions DROP COLUMN batch_id, DROP COLUMN batch_line`)
    await runner.query(`DROP TABLE batch_chunks`)
    await runner.query(`DROP TABLE batches`)
  }
}
