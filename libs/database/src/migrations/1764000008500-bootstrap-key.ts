import type { MigrationInterface, QueryRunner } from 'typeorm'

/**
 * Marks the admin keys that came from a configuration, so that a new one replaces them: so far each start of an api could
 * add one. Keys that an administrator has given the same name stand in the audit trail.
 */
export class BootstrapKey1764000008500 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`ALTER TABLE api_keys ADD COLUMN is_bootstrap boolean NOT NULL DEFAULT false`)
    await runner.query(`
      UPDATE api_keys SET is_bootstrap = true
      WHERE name = 'first admin key' AND role = 'admin'
        AND id::text NOT IN (SELECT target FROM audit_log WHERE action = 'api_key.create')`)
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(`ALTER TABLE api_keys DROP COLUMN is_bootstrap`)
  }
}
