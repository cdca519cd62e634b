import { AuditRepository } from '#libs/database'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { query } from '../support/query.js'
import { createTestDatabase, type TestDatabase } from '../support/test-database.js'

const day = 86_400
const ttl = 10 * day

describe('A7: the removal of old entries of the audit trail', () => {
  let database: TestDatabase
  let trail: AuditRepository
  beforeAll(async () => {
    database = await createTestDatabase()
    trail = new AuditRepository(database.dataSource)
  })
  afterAll(() => database.drop())

  const run = (sql: string) => query(database.url, sql)
  const append = (action: string, ageDays: number, details = '{"b": 1.50, "ü": [null]}') =>
    run(`INSERT INTO audit_log (action, target, at, details)
      VALUES ('${action}', 'x', now() - interval '${ageDays} days', '${details}')`)
  const isIntact = async (known: Parameters<AuditRepository['verify']>[0], ttlSeconds: number) => {
    const found = await trail.verify(known, ttlSeconds)
    return found.firstBrokenId === null && found.isTailThere && found.isRemovalDue && found.isCheckpointThere !== false
  }
  const cutOff = (lastId: number, details = '{"removed": 2}') =>
    run(`DELETE FROM audit_log WHERE id <= ${lastId};
      INSERT INTO audit_log (action, target, details) VALUES ('audit.expire', '${lastId}', '${details}')`)

  beforeEach(async () => {
    await run(`TRUNCATE audit_log; UPDATE audit_head SET id = 0, hash = ''`)
    for (const age of [40, 30, 20, 1, 0]) await append('old', age)
  })

  it('leaves a trail that is intact, and proves the time of the last entry that it removed', async () => {
    const { head } = await trail.verify(undefined, ttl)
    expect(await trail.removeExpired(ttl)).toBe(false)
    const [record] = await trail.list(undefined, 1)
    expect(record).toMatchObject({ action: 'audit.expire', target: '3', details: { removed: 3, ttl_seconds: ttl } })
    expect(await trail.verify(undefined, 0)).toMatchObject({ entries: 3, firstBrokenId: null, lastRemovedId: 3 })
    for (const known of [undefined, head, { id: 0, hash: '' }]) expect(await isIntact(known, ttl)).toBe(true)
  })

  it('does not remove the records of earlier removals alone', async () => {
    await trail.removeExpired(ttl)
    await trail.removeExpired(0.5 * day)
    expect((await trail.list(undefined, 9)).map(({ action, target }) => [action, target])).toEqual([
      ['audit.expire', '4'],
      ['audit.expire', '3'],
      ['old', 'x'],
    ])
    await trail.removeExpired(0.000_001)
    await trail.removeExpired(0.000_001)
    expect((await trail.list(undefined, 9)).map(({ target }) => target)).toEqual(['5', '4', '3'])
    expect(await isIntact(undefined, 0)).toBe(true)
  })

  it('removes what stands behind many records of removals', async () => {
    await run(`TRUNCATE audit_log; UPDATE audit_head SET id = 0, hash = ''`)
    await run(`INSERT INTO audit_log (action, target, at)
      SELECT CASE WHEN n < 1500 THEN 'audit.expire' ELSE 'old' END, '0', now() - interval '30 days'
      FROM generate_series(1, 1501) n`)
    expect(await trail.removeExpired(ttl)).toBe(true)
    expect(await trail.list(undefined, 9)).toMatchObject([{ action: 'audit.expire', target: '1501' }])
  })

  it('shows that entries were cut off under the pretext of their age', async () => {
    const { head } = await trail.verify(undefined, ttl)
    for (let entry = 0; entry < 3; entry += 1) await append('new', 0)
    await cutOff(2)
    expect(await trail.verify(head, 0)).toMatchObject({ isCheckpointThere: true, isRemovalDue: false })
    expect(await isIntact(head, ttl)).toBe(false)
    await cutOff(6)
    expect(await trail.verify(head, 0)).toMatchObject({ isCheckpointThere: false, isRemovalDue: false })
    expect(await isIntact(head, ttl)).toBe(false)
    expect(await isIntact({ id: head.id, hash: head.hash }, 0)).toBe(false)
  })

  it('shows that entries were removed before the time that is set', async () => {
    await append('newest', 0)
    const { head } = await trail.verify(undefined, ttl)
    await trail.removeExpired(ttl)
    expect(await isIntact(head, 19 * day)).toBe(true)
    expect(await isIntact(head, 21 * day)).toBe(false)
    expect(await isIntact(head, 0)).toBe(false)
    const { head: later } = await trail.verify(undefined, ttl)
    expect(await isIntact(later, 0)).toBe(true)
  })

  it('is not proved by the content of another entry, nor by a record that is dated ahead', async () => {
    const { head } = await trail.verify(undefined, ttl)
    await trail.removeExpired(ttl)
    const [record] = await trail.list(undefined, 1)
    const details = JSON.stringify(record?.details)
    await run(`DELETE FROM audit_log WHERE id = 4; INSERT INTO audit_log (action, target, details)
      VALUES ('audit.expire', '4', '${details}')`)
    expect(await trail.verify(head, ttl)).toMatchObject({ firstBrokenId: 5 })
    await cutOff(4, '{"removed": 1, "last_entry": "[4, 1, ", "last_previous_hash": "no"}')
    expect(await isIntact(head, ttl)).toBe(false)
    await cutOff(6)
    await run(`INSERT INTO audit_log (action, target, details, at)
      VALUES ('audit.expire', '6', '{"removed": 1}', now() + interval '90 days')`)
    expect(await isIntact(head, ttl)).toBe(false)
  })

  it('accepts a checkpoint that expired, and no other one', async () => {
    await run(`TRUNCATE audit_log; UPDATE audit_head SET id = 0, hash = ''`)
    for (const age of [40, 30, 20]) await append('old', age)
    const { head } = await trail.verify(undefined, ttl)
    await append('new', 0)
    await trail.removeExpired(ttl)
    expect(await isIntact(head, ttl)).toBe(true)
    expect(await isIntact({ id: head.id, hash: head.hash }, ttl)).toBe(true)
    expect(await isIntact({ ...head, hash: 'a'.repeat(64) }, ttl)).toBe(false)
    expect(await isIntact({ ...head, id: 2, at: new Date() }, ttl)).toBe(false)
    expect(await isIntact({ ...head, id: 2 }, ttl)).toBe(true)
    expect(await isIntact(head, 0)).toBe(false)
  })

  it('of an older version is accepted as it was recorded then', async () => {
    await cutOff(3, '{"removed": 3}')
    expect(await isIntact(undefined, 0)).toBe(true)
    const { head } = await trail.verify(undefined, ttl)
    await append('new', 0)
    expect(await isIntact(head, 0)).toBe(true)
    expect(await isIntact({ id: 2, hash: 'a'.repeat(64) }, ttl)).toBe(true)
    expect(await isIntact({ id: 2, hash: 'a'.repeat(64) }, 0)).toBe(false)
  })
})
