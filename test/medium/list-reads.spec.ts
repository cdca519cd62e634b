import { ListReads } from '#libs/database'
import { MemoryGuardError } from '#libs/platform'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createTestDatabase, type TestDatabase } from '../support/test-database.js'

describe('E6: the statements of lists', () => {
  let database: TestDatabase
  let reads: ListReads
  beforeAll(async () => {
    // Of four connections one is for lists.
    database = await createTestDatabase({ env: { DATABASE_POOL_SIZE: '4' } })
    reads = new ListReads(database.dataSource, database.config)
  })
  afterAll(() => database.drop())

  const sleep = (seconds: number) => reads.query(`SELECT pg_sleep(${seconds})`)
  const outcomeOf = (reading: Promise<unknown>) =>
    reading.then(
      () => 'read',
      (error: unknown) => (error instanceof MemoryGuardError ? `${error.code}: ${error.message}` : String(error)),
    )

  it('end after some seconds, and so does the wait for a turn; then others have theirs', async () => {
    const order: string[] = []
    const note = async (name: string, reading: Promise<unknown>) => {
      const outcome = await outcomeOf(reading)
      order.push(name)
      return outcome
    }
    const outcomes = Promise.all([
      note('first', sleep(3)),
      note('second', sleep(60)),
      note('third', reads.query('SELECT 1 AS one')),
      note('fourth', reads.query('SELECT 1 AS one')),
    ])
    // The rest of the service has connections meanwhile.
    expect(await database.dataSource.query('SELECT 1 AS one')).toEqual([{ one: 1 }])
    expect(order).toEqual([])
    expect(await outcomes).toEqual([
      'read',
      'SERVER_BUSY: The list took too long. Ask for a narrower one, or try again later.',
      'SERVER_BUSY: Too many lists are being read. Try again later.',
      'SERVER_BUSY: Too many lists are being read. Try again later.',
    ])
    expect(order).toEqual(['first', 'third', 'fourth', 'second'])
    expect(await reads.query('SELECT 1 AS one')).toEqual([{ one: 1 }])
  })

  it('write nothing, and what they fail for is passed on as it is', async () => {
    await expect(reads.query('DELETE FROM tasks')).rejects.toMatchObject({ driverError: { code: '25006' } })
    await expect(reads.query('SELECT nothing')).rejects.toMatchObject({ driverError: { code: '42703' } })
    expect(await reads.query('SELECT 1 AS one')).toEqual([{ one: 1 }])
  })
})
