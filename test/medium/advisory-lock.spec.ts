import { withAdvisoryLock } from '#libs/database'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createTestDatabase, type TestDatabase } from '../support/test-database.js'
import { waitFor } from '../support/wait-for.js'

describe('an advisory lock', () => {
  let database: TestDatabase
  beforeAll(async () => {
    database = await createTestDatabase()
  })
  afterAll(() => database.drop())

  const enter = (chore: () => Promise<string>, silentMs?: number) =>
    withAdvisoryLock(database.dataSource, 'maintenance', chore, silentMs)
  const pass = () => enter(async () => 'done')

  it('lets one in at a time', async () => {
    let finish: () => void = () => undefined
    const working = new Promise<string>((resolve) => {
      finish = () => resolve('first')
    })
    let isIn = false
    const first = enter(() => {
      isIn = true
      return working
    })
    await waitFor(() => isIn, { what: 'the first to be in' })
    expect(await pass()).toBeUndefined()
    finish()
    expect(await first).toBe('first')
    expect(await pass()).toBe('done')
  })

  it('leaves connections to work with, even two at once in a process that may have the fewest', async () => {
    const small = await createTestDatabase({ env: { DATABASE_POOL_SIZE: '4' } })
    const { dataSource } = small
    const work = () => dataSource.query('SELECT 1 AS done')
    try {
      const both = withAdvisoryLock(dataSource, 'maintenance', () => withAdvisoryLock(dataSource, 'webhooks', work))
      expect(await both).toEqual([{ done: 1 }])
    } finally {
      await small.drop()
    }
  })

  it('is taken from a holder that has fallen silent', async () => {
    let finish: () => void = () => undefined
    let isIn = false
    const late = new Promise<string>((resolve) => (finish = () => resolve('late')))
    const silent = enter(() => {
      isIn = true
      return late
    }, 100)
    await waitFor(() => isIn, { what: 'the holder to be in' })
    await waitFor(async () => (await pass()) === 'done', { what: 'another to be let in', intervalMs: 20 })
    finish()
    expect(await silent).toBe('late')
    expect(await pass()).toBe('done')
  })
})
