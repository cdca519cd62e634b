import type { MigrationInterface, QueryRunner } from 'typeorm'

/**
 * The progress of tasks, and the webhooks for their ends. Nothing is written here for a task that reports no progress and
 * that no webhook matches.
 */
export class EventsAndWebhooks1764000007000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      CREATE TABLE task_progress (
        task_id uuid PRIMARY KEY,
        percent double precision,
        stage text,
        done bigint,
        total bigint,
        eta_seconds double precision,
        updated_at timestamptz NOT NULL DEFAULT now()
      ) WITH (fillfactor = 70)`)
    await runner.query(`
      CREATE TABLE webhooks (
        id uuid PRIMARY KEY,
        url text NOT NULL,
        description text,
        events text[] NOT NULL,
        task_names text[],
        secret text NOT NULL,
        previous_secret text,
        previous_secret_until timestamptz,
        is_active boolean NOT NULL,
        active_since timestamptz NOT NULL DEFAULT now(),
        disabled_reason text,
        created_at timestamptz NOT NULL DEFAULT now()
      )`)
    await runner.query(`
      CREATE TABLE webhook_deliveries (
        id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
        position bigint GENERATED ALWAYS AS IDENTITY,
        webhook_id uuid NOT NULL REFERENCES webhooks ON DELETE CASCADE,
        event text NOT NULL,
        task_id uuid,
        data jsonb NOT NULL,
        occurred_at timestamptz NOT NULL,
        state text NOT NULL DEFAULT 'pending',
        attempts integer NOT NULL DEFAULT 0,
        failures integer NOT NULL DEFAULT 0,
        next_attempt_at timestamptz NOT NULL DEFAULT now(),
        status_code integer,
        error text,
        created_at timestamptz NOT NULL DEFAULT now(),
        last_attempt_at timestamptz,
        UNIQUE (webhook_id, task_id, event)
      )`)
    await runner.query(`
      CREATE INDEX webhook_deliveries_due ON webhook_deliveries (webhook_id, next_attempt_at) WHERE state = 'pending'`)
    await runner.query(`CREATE INDEX webhook_deliveries_task ON webhook_deliveries (task_id)`)
    await runner.query(`CREATE INDEX webhook_deliveries_list ON webhook_deliveries (webhook_id, position)`)
    await runner.query(`
      CREATE TABLE webhook_cursor (
        id boolean PRIMARY KEY DEFAULT true CHECK (id),
        planned_until timestamptz NOT NULL
      )`)
  }

  async down(runner: QueryRunner): Promise<void> {
    for (const table of ['webhook_cursor', 'webhook_deliveries', 'webhooks', 'task_progress']) {
      await runner.query(`DROP TABLE ${table}`)
    }
  }
}
