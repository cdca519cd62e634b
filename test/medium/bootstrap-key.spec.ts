import { ApiKeyRepository, BootstrapKeyRepository } from '#libs/database'
import { BootstrapKey1764000008500 } from '../../libs/database/src/migrations/1764000008500-bootstrap-key.js'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { insertKey, query } from '../support/query.js'
import { createTestDatabase, type TestDatabase } from '../support/test-database.js'

const [first, second] = ['mg_x7Kq9ZpLw3Tn5Vb8Rc2Jd6', 'mg_P4sHy8WmQe1Gu7Xf0Ba5Nk']

describe('A5: the bootstrap key', () => {
  let database: TestDatabase
  let keys: ApiKeyRepository
  let bootstrap: BootstrapKeyRepository

  beforeAll(async () => {
    database = await createTestDatabase({ env: { DATABASE_POOL_SIZE: '30' } })
    keys = new ApiKeyRepository(database.dataSource)
    bootstrap = new BootstrapKeyRepository(database.dataSource)
  })
  afterAll(() => database.drop())
  beforeEach(() => query(database.url, 'TRUNCATE api_keys CASCADE; DELETE FROM audit_log'))

  const listValid = () =>
    query<{ id: string }>(database.url, 'SELECT id::text FROM api_keys WHERE is_bootstrap AND revoked_at IS NULL')
  const listAudit = () =>
    query<{ action: string; target: string; details: object }>(
      database.url,
      'SELECT action, target, details FROM audit_log ORDER BY id',
    )

  it('is one, however many processes start with it at once', async () => {
    const outcomes = await Promise.all(Array.from({ length: 10 }, () => bootstrap.install(first)))
    expect(outcomes.filter((outcome) => outcome === 'installed')).toHaveLength(1)
    expect(outcomes.filter((outcome) => outcome === 'kept')).toHaveLength(9)
    expect([await listValid(), await listAudit()]).toEqual([[expect.anything()], [expect.anything()]])
  })

  it('is replaced by a new value, which the audit trail holds, and never comes back', async () => {
    await bootstrap.install(first)
    const [old] = await listValid()
    expect(await bootstrap.install(second)).toBe('installed')
    const [current, ...others] = await listValid()
    expect(others).toEqual([])
    expect([await keys.findValid(first), (await keys.findValid(second))?.id]).toEqual([null, current?.id])
    expect(await listAudit()).toEqual([
      { action: 'api_key.create', target: old?.id, details: { role: 'admin', is_bootstrap: true } },
      { action: 'api_key.create', target: current?.id, details: { role: 'admin', is_bootstrap: true } },
      { action: 'api_key.revoke', target: old?.id, details: { replaced_by: current?.id } },
    ])
    expect(await bootstrap.install(first)).toBe('refused')
    expect(await listValid()).toEqual([current])
  })

  it('leaves the keys that administrators made, and those it finds of older versions it replaces', async () => {
    for (let older = 0; older < 2; older += 1) await insertKey(database.url, { role: 'admin' })
    await query(database.url, 'UPDATE api_keys SET is_bootstrap = true')
    const made = await insertKey(database.url, { role: 'admin' })
    expect(await listValid()).toHaveLength(2)
    await bootstrap.install(first)
    expect(await listValid()).toHaveLength(1)
    expect(await keys.findValid(made)).not.toBeNull()
  })

  it('is distinguished from keys of the same name that an administrator made, as older versions stored both', async () => {
    await Promise.all([1, 2, 3].map(() => insertKey(database.url, { role: 'admin' })))
    await query(database.url, `UPDATE api_keys SET name = 'first admin key'`)
    const [made, ...found] = await query<{ id: string }>(database.url, 'SELECT id::text FROM api_keys ORDER BY id')
    await query(database.url, `INSERT INTO audit_log (action, target) VALUES ('api_key.create', $1)`, [made?.id])
    const runner = database.dataSource.createQueryRunner()
    await new BootstrapKey1764000008500().down(runner)
    await new BootstrapKey1764000008500().up(runner)
    await runner.release()
    expect((await listValid()).map(({ id }) => id).toSorted()).toEqual(found.map(({ id }) => id))
  })

  it.each([
    ['was revoked', { role: 'admin', revokedAt: new Date() }],
    ['has another role', { role: 'viewer' }],
    ['is bound to a person', { role: 'admin', userId: 1 }],
    ['expires', { role: 'admin', expiresAt: new Date(Date.now() + 60_000) }],
  ] as const)('is no key that %s, and then replaces none', async (_, options) => {
    await bootstrap.install(first)
    const key = await insertKey(database.url, options)
    expect(await bootstrap.install(key)).toBe('refused')
    expect(await keys.findValid(first)).not.toBeNull()
  })

  it('becomes an administrator’s key that is configured', async () => {
    await bootstrap.install(first)
    const key = await insertKey(database.url, { role: 'admin' })
    expect(await bootstrap.install(key)).toBe('kept')
    expect([await keys.findValid(first), await listValid()]).toEqual([null, [{ id: (await keys.findValid(key))?.id }]])
  })

  it('is made once where there is no admin key, by one of many processes, and by none later', async () => {
    const kept: string[] = []
    const start = () =>
      bootstrap.installFirst((key) => {
        kept.push(key)
        return 'place'
      })
    const places = await Promise.all(Array.from({ length: 10 }, start))
    expect(places.filter((place) => place !== undefined)).toEqual(['place'])
    expect(kept).toHaveLength(1)
    expect((await keys.findValid(kept[0] ?? ''))?.role).toBe('admin')
    expect(await start()).toBeUndefined()
    await query(database.url, 'UPDATE api_keys SET revoked_at = now()')
    expect(await start()).toBe('place')
  })

  it('is not made if it cannot be kept, nor if it cannot be recorded', async () => {
    const refuse = () => {
      throw new Error('no room')
    }
    await expect(bootstrap.installFirst(refuse)).rejects.toThrow('no room')
    await query(database.url, 'ALTER TABLE audit_log ADD CONSTRAINT refused CHECK (false) NOT VALID')
    await expect(bootstrap.install(first)).rejects.toThrow('refused')
    await query(database.url, 'ALTER TABLE audit_log DROP CONSTRAINT refused')
    expect(await query(database.url, 'SELECT 1 FROM api_keys UNION ALL SELECT 1 FROM audit_log')).toEqual([])
  })
})
