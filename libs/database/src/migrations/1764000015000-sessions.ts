import type { MigrationInterface, QueryRunner } from 'typeorm'

/** Sessions of browsers, one-time links that start one, and the people and services that have signed in by OIDC. */
export class Sessions1764000015000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      CREATE TABLE sessions (
        id uuid PRIMARY KEY,
        hash bytea NOT NULL UNIQUE,
        principal_id uuid NOT NULL,
        name text NOT NULL,
        method text NOT NULL,
        role text NOT NULL,
        user_id bigint,
        api_key_id uuid REFERENCES api_keys (id) ON DELETE CASCADE,
        created_at timestamptz NOT NULL DEFAULT now(),
        last_seen_at timestamptz NOT NULL DEFAULT now(),
        expires_at timestamptz NOT NULL
      )`)
    await runner.query('CREATE INDEX sessions_principal ON sessions (principal_id)')
    await runner.query(`
      CREATE TABLE session_links (
        hash bytea PRIMARY KEY,
        api_key_id uuid NOT NULL REFERENCES api_keys (id) ON DELETE CASCADE,
        expires_at timestamptz NOT NULL
      )`)
    await runner.query(`
      CREATE TABLE oidc_callers (
        id uuid PRIMARY KEY,
        issuer text NOT NULL,
        subject text NOT NULL,
        first_seen_at timestamptz NOT NULL DEFAULT now()
      )`)
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('DROP TABLE sessions, session_links, oidc_callers')
  }
}
