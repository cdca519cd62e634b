import type { MigrationInterface, QueryRunner } from 'typeorm'

/**
 * What operators need: revoking, replays, paused queues, commands to workers, and the audit trail.
 *
 * The new indexes are partial and no column of theirs changes while a task runs well, so a prediction pays for none
 * of them.
 */
export class Operations1764000003000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      ALTER TABLE tasks
        ADD COLUMN eta timestamptz,
        ADD COLUMN revoke_requested_at timestamptz,
        ADD COLUMN terminate_requested boolean,
        ADD COLUMN result_forgotten_at timestamptz,
        ADD COLUMN replay_of uuid,
        ADD COLUMN parent_id uuid`)
    await runner.query(`CREATE UNIQUE INDEX tasks_replay ON tasks (replay_of) WHERE replay_of IS NOT NULL`)
    await runner.query(`CREATE INDEX tasks_children ON tasks (parent_id) WHERE parent_id IS NOT NULL`)
    await runner.query(`CREATE INDEX tasks_troubled ON tasks (id) WHERE error_code IS NOT NULL`)
    await runner.query(`
      CREATE TABLE paused_queues (
        queue text PRIMARY KEY,
        paused_at timestamptz NOT NULL DEFAULT now()
      )`)
    await runner.query(`
      CREATE TABLE worker_commands (
        id uuid PRIMARY KEY,
        worker_id uuid NOT NULL,
        command text NOT NULL,
        args jsonb NOT NULL DEFAULT '{}',
        created_at timestamptz NOT NULL DEFAULT now(),
        expires_at timestamptz NOT NULL,
        acknowledged_at timestamptz,
        answer jsonb,
        error text
      )`)
    await runner.query(`CREATE INDEX worker_commands_open ON worker_commands (worker_id) WHERE acknowledged_at IS NULL`)
    await runner.query(`ALTER TABLE workers ADD COLUMN tasks text[] NOT NULL DEFAULT '{}'`)
    await runner.query(`
      CREATE TABLE audit_log (
        id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        at timestamptz NOT NULL DEFAULT now(),
        api_key_id uuid,
        action text NOT NULL,
        target text NOT NULL,
        details jsonb NOT NULL DEFAULT '{}',
        request_id text
      )`)
  }

  async down(runner: QueryRunner): Promise<void> {
    for (const table of ['audit_log', 'worker_commands', 'paused_queues']) await runner.query(`DROP TABLE ${table}`)
    await runner.query(`ALTER TABLE workers DROP COLUMN tasks`)
    await runner.query(`
      ALTER TABLE tasks DROP COLUMN eta, DROP COLUMN revoke_requested_at, DROP COLUMN terminate_requested,
        DROP COLUMN result_forgotten_at, DROP COLUMN replay_of, DROP COLUMN parent_id`)
  }
}
