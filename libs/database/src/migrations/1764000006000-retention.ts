import type { MigrationInterface, QueryRunner } from 'typeorm'

/**
 * What is kept of an erased person: ids of tasks, so that a request for one gets 410, and the key of the
 * pseudonyms in the audit trail. Neither names a person. Predictions need no such rows: see `RetentionRepository`.
 */
export class Retention1764000006000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      CREATE TABLE erased_tasks (
        id uuid PRIMARY KEY,
        erased_at timestamptz NOT NULL DEFAULT now()
      )`)
    await runner.query(`
      CREATE TABLE pseudonym_key (
        is_only boolean PRIMARY KEY DEFAULT true CHECK (is_only),
        key bytea NOT NULL
      )`)
    await runner.query(`
      INSERT INTO pseudonym_key (key)
      SELECT decode(replace(gen_random_uuid()::text || gen_random_uuid()::text, '-', ''), 'hex')`)
  }

  async down(runner: QueryRunner): Promise<void> {
    for (const table of ['pseudonym_key', 'erased_tasks']) await runner.query(`DROP TABLE ${table}`)
  }
}
