import { createHmac } from 'node:crypto'
import type { MigrationInterface, QueryRunner } from 'typeorm'

/**
 * The audit trail becomes a chain: each entry holds the hash of the one before it, so that one that is changed, removed
 * or moved shows. The database links the entries, whoever writes them. Entries name people by pseudonym only, so that an
 * erasure leaves the chain as it is. Who submitted a task or recorded a measurement is kept with it.
 */
export class AuditChain1764000008000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`ALTER TABLE tasks ADD COLUMN submitted_by uuid`)
    await runner.query(`ALTER TABLE health_metrics ADD COLUMN recorded_by uuid`)
    await runner.query(`ALTER TABLE audit_log ADD COLUMN previous_hash bytea, ADD COLUMN hash bytea`)
    await usePseudonyms(runner)
    await runner.query(`
      CREATE TABLE audit_head (
        is_only boolean PRIMARY KEY DEFAULT true CHECK (is_only),
        id bigint NOT NULL,
        hash bytea NOT NULL
      )`)
    await runner.query(`INSERT INTO audit_head (id, hash) VALUES (0, '')`)
    // Times as microseconds: their text depends on the settings of the session.
    await runner.query(`
      CREATE FUNCTION audit_entry_hash(entry audit_log) RETURNS bytea LANGUAGE sql STABLE SET search_path FROM CURRENT AS $$
        SELECT sha256(entry.previous_hash || convert_to(jsonb_build_array(
          entry.id, (extract(epoch FROM entry.at) * 1000000)::bigint, entry.api_key_id, entry.action, entry.target,
          entry.details, entry.request_id)::text, 'UTF8'))
      $$`)
    await runner.query(`
      CREATE FUNCTION link_audit_entry() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
      DECLARE
        head audit_head;
      BEGIN
        SELECT * INTO head FROM audit_head FOR UPDATE;
        NEW.id := head.id + 1;
        NEW.previous_hash := head.hash;
        NEW.hash := audit_entry_hash(NEW);
        UPDATE audit_head SET id = NEW.id, hash = NEW.hash;
        RETURN NEW;
      END
      $$`)
    await runner.query(`
      DO $$
      DECLARE
        entry audit_log;
        last bytea := '';
      BEGIN
        FOR entry IN SELECT * FROM audit_log ORDER BY id LOOP
          entry.previous_hash := last;
          last := audit_entry_hash(entry);
          UPDATE audit_log SET previous_hash = entry.previous_hash, hash = last WHERE id = entry.id;
          UPDATE audit_head SET id = entry.id, hash = last;
        END LOOP;
      END
      $$`)
    await runner.query(`ALTER TABLE audit_log ALTER COLUMN previous_hash SET NOT NULL, ALTER COLUMN hash SET NOT NULL`)
    await runner.query(`
      CREATE TRIGGER audit_chain BEFORE INSERT ON audit_log FOR EACH ROW EXECUTE FUNCTION link_audit_entry()`)
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(`DROP TRIGGER audit_chain ON audit_log`)
    await runner.query(`DROP FUNCTION link_audit_entry()`)
    await runner.query(`DROP FUNCTION audit_entry_hash(audit_log)`)
    await runner.query(`DROP TABLE audit_head`)
    await runner.query(`ALTER TABLE audit_log DROP COLUMN previous_hash, DROP COLUMN hash`)
    await runner.query(`ALTER TABLE health_metrics DROP COLUMN recorded_by`)
    await runner.query(`ALTER TABLE tasks DROP COLUMN submitted_by`)
  }
}

/** Older entries named the person of a new key by number, and schedules by their name, which is free text. */
const usePseudonyms = async (runner: QueryRunner): Promise<void> => {
  const [secret]: { key: Buffer }[] = await runner.query('SELECT key FROM pseudonym_key')
  if (!secret) throw new Error('The key of the pseudonyms is not in the database')
  const people: { person: string }[] = await runner.query(
    `SELECT DISTINCT details ->> 'user_id' AS person FROM audit_log WHERE details ? 'user_id'`,
  )
  for (const { person } of people) {
    const isErased = person.startsWith('person-')
    const pseudonym = isErased
      ? person
      : `person-${createHmac('sha256', secret.key).update(person).digest('hex').slice(0, 32)}`
    await runner.query(
      `UPDATE audit_log SET details = details - 'user_id' || jsonb_build_object('person', $2::text)
       WHERE details ->> 'user_id' = $1`,
      [person, pseudonym],
    )
  }
  await runner.query(
    `UPDATE audit_log SET details = details - 'name' WHERE action LIKE 'schedule.%' AND details ? 'name'`,
  )
}
