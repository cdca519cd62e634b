import type { MigrationInterface, QueryRunner } from 'typeorm'
import { createIndexesConcurrently } from './concurrent-index.js'

/**
 * Calls of Celery clients: which worker took each (`gateway`), which task it became, and what is still to be published when it ends. `request` is null once
 * all of that is published. A call that could not become a task has its `failure`, and its text in `raw` if it could not
 * be read. `celery_revokes` has what was revoked before it came. `predictions.external_id` is the `prediction_id` of a
 * caller who keeps predictions of their own.
 */
export class CeleryCalls1764000019000 implements MigrationInterface {
  readonly transaction = false

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      CREATE TABLE IF NOT EXISTS celery_calls (
        id text PRIMARY KEY,
        task_id uuid,
        name text NOT NULL,
        queue text NOT NULL,
        gateway text NOT NULL,
        request text,
        stamps text[],
        failure jsonb,
        raw bytea,
        eta timestamptz,
        received_at timestamptz NOT NULL DEFAULT now(),
        delivering_until timestamptz,
        delivered_at timestamptz
      ) WITH (fillfactor = 70)`)
    await runner.query(`
      CREATE UNIQUE INDEX IF NOT EXISTS celery_calls_task ON celery_calls (task_id) WHERE task_id IS NOT NULL`)
    await runner.query(`
      CREATE INDEX IF NOT EXISTS celery_calls_open ON celery_calls (received_at) WHERE delivered_at IS NULL`)
    await runner.query(`
      CREATE INDEX IF NOT EXISTS celery_calls_failed ON celery_calls (received_at) WHERE failure IS NOT NULL`)
    await runner.query(`
      CREATE TABLE IF NOT EXISTS celery_revokes (
        key text PRIMARY KEY,
        revoked_at timestamptz NOT NULL DEFAULT now()
      )`)
    await runner.query('ALTER TABLE predictions ADD COLUMN IF NOT EXISTS external_id bigint')
    await createIndexesConcurrently(runner, [
      { name: 'predictions_external', on: 'predictions (external_id, id) WHERE external_id IS NOT NULL' },
    ])
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('ALTER TABLE predictions DROP COLUMN external_id')
    await runner.query('DROP TABLE celery_calls')
    await runner.query('DROP TABLE celery_revokes')
  }
}
