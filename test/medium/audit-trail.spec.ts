import { AuditRepository, type AuditEntry } from '#libs/database'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { query, queryNumber } from '../support/query.js'
import { createTestDatabase, type TestDatabase } from '../support/test-database.js'

const entryOf = (target: string): AuditEntry => ({
  apiKeyId: null,
  action: 'test.change',
  target,
  details: { target, list: [1, 'two', null] },
  requestId: 'request-1',
})

describe('A7: the audit trail', () => {
  let database: TestDatabase
  let trail: AuditRepository
  beforeAll(async () => {
    database = await createTestDatabase()
    trail = new AuditRepository(database.dataSource)
  })
  afterAll(() => database.drop())

  const run = (sql: string) => query(database.url, sql)

  beforeEach(async () => {
    await run(`TRUNCATE audit_log`)
    await run(`UPDATE audit_head SET id = 0, hash = ''`)
    for (const target of ['1', '2', '3', '4', '5']) await trail.record(entryOf(target))
  })

  it('is intact, whoever writes at the same time and whatever the session is set to', async () => {
    await Promise.all(Array.from({ length: 40 }, (_, index) => trail.record(entryOf(`parallel ${index}`))))
    await run(`SET datestyle = 'German, DMY'; SET timezone = 'Asia/Tokyo'; SET extra_float_digits = -15;
      INSERT INTO audit_log (action, target, details) VALUES ('by.hand', 'ü', '{"b": 1.50, "a": 2}')`)
    expect(await trail.verify(undefined, 0)).toMatchObject({
      entries: 46,
      firstBrokenId: null,
      head: { id: 46, hash: expect.stringMatching(/^[0-9a-f]{64}$/) },
      isTailThere: true,
    })
    const rows = await run('SELECT id::int FROM audit_log ORDER BY id')
    expect(rows.map((row) => Object.values(row)[0])).toEqual(Array.from({ length: 46 }, (_, index) => index + 1))
  })

  it('does not record a change that was undone, and undoes a change that cannot be recorded', async () => {
    const marks = () => queryNumber(database.url, 'SELECT count(*)::int AS number FROM paused_queues')
    const pause = (target: string) =>
      trail.recordChange(
        (transaction) => transaction.query(`INSERT INTO paused_queues (queue) VALUES ('forecasts')`),
        () => entryOf(target),
      )
    await expect(
      trail.recordChange(
        async () => {
          throw new Error('undone')
        },
        () => entryOf('never'),
      ),
    ).rejects.toThrow('undone')
    await run(`ALTER TABLE audit_log ADD CONSTRAINT refused CHECK (target <> 'refused') NOT VALID`)
    await expect(pause('refused')).rejects.toThrow('refused')
    expect(await marks()).toBe(0)
    await pause('accepted')
    expect(await marks()).toBe(1)
    expect((await trail.list(undefined, 2)).map(({ id, target }) => [id, target])).toEqual([
      [6, 'accepted'],
      [5, '5'],
    ])
    await run(`ALTER TABLE audit_log DROP CONSTRAINT refused; DELETE FROM paused_queues`)
  })

  it.each([
    ['an entry was changed', `UPDATE audit_log SET target = 'other' WHERE id = 3`, 3],
    ['a time was changed', `UPDATE audit_log SET at = at - interval '1 microsecond' WHERE id = 3`, 3],
    ['a hash was changed with its entry', `UPDATE audit_log a SET details = '{}', hash = sha256('') WHERE id = 3`, 3],
    ['an entry was removed', 'DELETE FROM audit_log WHERE id = 3', 4],
    ['the oldest entries were removed', 'DELETE FROM audit_log WHERE id <= 2', 3],
    [
      'two entries were swapped',
      `UPDATE audit_log a SET target = b.target, at = b.at, details = b.details FROM audit_log b
       WHERE (a.id, b.id) IN ((2, 3), (3, 2))`,
      2,
    ],
  ])('shows that %s', async (_, sql, firstBrokenId) => {
    await run(sql)
    expect(await trail.verify(undefined, 0)).toMatchObject({ firstBrokenId, isTailThere: true })
  })

  it.each(['DELETE FROM audit_log WHERE id = 5', 'DELETE FROM audit_log'])(
    'shows that its end is missing: %s',
    async (sql) => {
      await run(sql)
      expect(await trail.verify(undefined, 0)).toMatchObject({ firstBrokenId: null, isTailThere: false })
    },
  )

  it('shows by a checkpoint that it was written anew', async () => {
    const { head } = await trail.verify(undefined, 0)
    expect(await trail.verify(head, 0)).toMatchObject({ isCheckpointThere: true })
    await run(`TRUNCATE audit_log; UPDATE audit_head SET id = 0, hash = ''`)
    for (const target of ['1', '2', '3', '4', 'forged']) await trail.record(entryOf(target))
    expect(await trail.verify(undefined, 0)).toMatchObject({ firstBrokenId: null, isTailThere: true })
    expect(await trail.verify(head, 0)).toMatchObject({ isCheckpointThere: false })
    expect(await trail.verify({ id: 0, hash: '' }, 0)).toMatchObject({ isCheckpointThere: true })
  })

  it('names a person by the same pseudonym, which reveals nothing without the key', async () => {
    const name = await trail.pseudonymOf(1)
    expect(name).toMatch(/^person-[0-9a-f]{32}$/)
    expect(await trail.pseudonymOf(1)).toBe(name)
    expect(await trail.pseudonymOf(2)).not.toBe(name)
    const second = await createTestDatabase({ empty: true })
    try {
      await second.dataSource.runMigrations()
      expect(await new AuditRepository(second.dataSource).pseudonymOf(1)).not.toBe(name)
    } finally {
      await second.drop()
    }
  })

  it('of an older version becomes a chain without numbers of people', async () => {
    const second = await createTestDatabase({ empty: true })
    try {
      await second.dataSource.runMigrations()
      await second.dataSource.undoLastMigration()
      while (await hasChain(second)) await second.dataSource.undoLastMigration()
      await query(
        second.url,
        `INSERT INTO audit_log (action, target, details) VALUES ('api_key.create', 'a', '{"role": "viewer", "user_id": 7}'),
           ('schedule.create', 'b', '{"name": "for Mrs. M.", "task": "ml.update_forecasts"}'), ('user.erase', 'c', '{}')`,
      )
      await second.dataSource.runMigrations()
      const upgraded = new AuditRepository(second.dataSource)
      expect(await upgraded.verify(undefined, 0)).toMatchObject({ entries: 3, firstBrokenId: null, isTailThere: true })
      expect((await upgraded.list(undefined, 9)).map(({ details }) => details)).toEqual([
        {},
        { task: 'ml.update_forecasts' },
        { role: 'viewer', person: await upgraded.pseudonymOf(7) },
      ])
    } finally {
      await second.drop()
    }
  })
})

const hasChain = async ({ url }: TestDatabase): Promise<boolean> =>
  (await queryNumber(
    url,
    `SELECT count(*)::int AS number FROM information_schema.tables WHERE table_name = 'audit_head'`,
  )) > 0
