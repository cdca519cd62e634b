import { AuditRepository, createDataSource } from '#libs/database'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { query } from '../support/query.js'
import { createTestDatabase, type TestDatabase } from '../support/test-database.js'

/** Entries of the trail that is tampered with; the checkpoint is at the last one. */
const entries = [1, 2, 3, 4, 5, 6] as const
/** Another value for each column. */
const columns = {
  at: `at + interval '1 second'`,
  api_key_id: `'00000000-0000-7000-8000-000000000001'`,
  action: `'other.action'`,
  target: `target || ' '`,
  details: `details || '{"more": 1}'`,
  request_id: `'other-request'`,
  hash: `sha256(hash)`,
  previous_hash: `sha256(previous_hash)`,
  id: `id + 100`,
} as const

const contents =
  'at = b.at, api_key_id = b.api_key_id, action = b.action, target = b.target, details = b.details, request_id = b.request_id'
/** Makes every link fit again from an entry on, as one can who may run statements in the database. */
const relink = (from: number) => `
  DO $$ DECLARE entry audit_log; last bytea; BEGIN
    SELECT hash INTO last FROM audit_log WHERE id < ${from} ORDER BY id DESC LIMIT 1;
    FOR entry IN SELECT * FROM audit_log WHERE id >= ${from} ORDER BY id LOOP
      entry.previous_hash := coalesce(last, '');
      last := audit_entry_hash(entry);
      UPDATE audit_log SET previous_hash = entry.previous_hash, hash = last WHERE id = entry.id;
    END LOOP;
    UPDATE audit_head SET (id, hash) = (SELECT id, hash FROM audit_log ORDER BY id DESC LIMIT 1);
  END $$`

const pairs = entries.flatMap((a) => entries.filter((b) => b > a).map((b) => [a, b] as const))

const changes: readonly (readonly [what: string, sql: string])[] = [
  ...[1, 3, 6].flatMap((id) =>
    Object.entries(columns).map(
      ([column, value]) =>
        [`${column} of entry ${id}`, `UPDATE audit_log SET ${column} = ${value} WHERE id = ${id}`] as const,
    ),
  ),
  ...pairs.map(
    ([a, b]) =>
      [
        `contents of ${a} and ${b} swapped`,
        `UPDATE audit_log a SET ${contents} FROM audit_log b WHERE (a.id, b.id) IN ((${a}, ${b}), (${b}, ${a}))`,
      ] as const,
  ),
  ...entries.map((id) => [`entry ${id} removed`, `DELETE FROM audit_log WHERE id = ${id}`] as const),
  ...[2, 3, 4, 5].map((id) => [`entries up to ${id} removed`, `DELETE FROM audit_log WHERE id <= ${id}`] as const),
  ...[2, 3, 4, 5].map((id) => [`entries from ${id} on removed`, `DELETE FROM audit_log WHERE id >= ${id}`] as const),
  ...[2, 3, 4, 5].map(
    (id) =>
      [
        `the end cut off before ${id}, and the head with it`,
        `DELETE FROM audit_log WHERE id >= ${id};
     UPDATE audit_head SET (id, hash) = (SELECT id, hash FROM audit_log ORDER BY id DESC LIMIT 1)`,
      ] as const,
  ),
  ...entries.map(
    (id) =>
      [
        `entry ${id} changed and all links made to fit`,
        `UPDATE audit_log SET target = 'forged' WHERE id = ${id}; ${relink(id)}`,
      ] as const,
  ),
  ...[2, 3, 4, 5].map(
    (id) =>
      [
        `entry ${id} removed and all links made to fit`,
        `DELETE FROM audit_log WHERE id = ${id}; UPDATE audit_log SET id = id - 1 WHERE id > ${id}; ${relink(id)}`,
      ] as const,
  ),
  ['everything removed', 'DELETE FROM audit_log'],
  ['everything removed, and the head set back', `DELETE FROM audit_log; UPDATE audit_head SET id = 0, hash = ''`],
  [
    'an entry inserted past the trigger',
    `ALTER TABLE audit_log DISABLE TRIGGER USER;
     INSERT INTO audit_log (id, action, target, previous_hash, hash) OVERRIDING SYSTEM VALUE
     SELECT 7, 'forged', 'x', hash, sha256(hash) FROM audit_log WHERE id = 6;
     ALTER TABLE audit_log ENABLE TRIGGER USER`,
  ],
  ['the head moved ahead', `UPDATE audit_head SET id = 9`],
  ['the head given another hash', `UPDATE audit_head SET hash = sha256(hash)`],
]

describe('the audit trail, checked against a checkpoint, shows', () => {
  let database: TestDatabase
  let trail: AuditRepository
  const run = (sql: string) => query(database.url, sql)
  /** What `memoryguard audit verify` accepts. */
  const isIntact = async (checkpoint: { id: number; hash: string }) => {
    const { firstBrokenId, isTailThere, isCheckpointThere } = await trail.verify(checkpoint, 0)
    return firstBrokenId === null && isTailThere && isCheckpointThere !== false
  }

  beforeAll(async () => {
    database = await createTestDatabase()
    trail = new AuditRepository(database.dataSource)
    // Whoever owns the table can lift what protects its ids.
    await run('ALTER TABLE audit_log ALTER id DROP IDENTITY')
  })
  afterAll(() => database.drop())

  beforeEach(async () => {
    await run(`TRUNCATE audit_log; UPDATE audit_head SET id = 0, hash = ''`)
    for (const id of entries) {
      await trail.record({
        apiKeyId: null,
        action: 'test.change',
        target: `target ${id}`,
        details: { id },
        requestId: `request-${id}`,
      })
    }
  })

  it('at least 50 kinds of changes are tried', () => expect(changes.length).toBeGreaterThanOrEqual(50))

  it.each(changes)('%s', async (_, sql) => {
    const { head } = await trail.verify(undefined, 0)
    expect(await isIntact(head)).toBe(true)
    await run(sql)
    expect(await isIntact(head)).toBe(false)
  })

  it.each([
    [
      'the function that computes hashes replaced',
      `CREATE OR REPLACE FUNCTION audit_entry_hash(entry audit_log)
       RETURNS bytea LANGUAGE sql STABLE AS 'SELECT entry.hash'`,
    ],
    [
      'functions of PostgreSQL hidden by others',
      `CREATE SCHEMA hiding;
       CREATE FUNCTION hiding.sha256(bytea) RETURNS bytea LANGUAGE sql
         AS 'SELECT coalesce((SELECT hash FROM public.audit_log WHERE starts_with(encode($1, ''hex''), encode(previous_hash, ''hex'')) ORDER BY id DESC LIMIT 1), $1)';
       CREATE OR REPLACE FUNCTION audit_entry_hash(entry audit_log) RETURNS bytea LANGUAGE sql STABLE
         AS 'SELECT hiding.sha256(entry.previous_hash)'`,
    ],
  ])('entry 3 changed and %s', async (_, sql) => {
    const other = await createTestDatabase()
    try {
      const entry = { apiKeyId: null, action: 'test.change', target: 'x', details: {}, requestId: null }
      for (let left = 4; left > 0; left--) await new AuditRepository(other.dataSource).record(entry)
      const { head } = await new AuditRepository(other.dataSource).verify(undefined, 0)
      await query(other.url, `UPDATE audit_log SET target = 'forged' WHERE id = 3; ${sql}`)
      const [row] = await query<{ name: string }>(other.url, 'SELECT current_database() AS name')
      await query(other.url, `ALTER DATABASE ${row?.name} SET search_path = hiding, public, pg_catalog`)
      const reopened = createDataSource(other.config)
      await reopened.initialize()
      try {
        expect(await new AuditRepository(reopened).verify(head, 0)).toMatchObject({ firstBrokenId: 3 })
      } finally {
        await reopened.destroy()
      }
    } finally {
      await other.drop()
    }
  })
})
