import pg from 'pg'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { startStack, type Stack } from '../support/stack.js'

const lists = ['/v1/tasks', '/v1/tasks?state=failed', '/v1/predictions', '/v1/predictions?state=failed']

describe('E6: lists that the database cannot read in time', () => {
  let stack: Stack
  let locker: pg.Client
  beforeAll(async () => {
    stack = await startStack({ broker: 'postgres', workers: 0 })
    locker = new pg.Client({ connectionString: stack.databaseUrl })
    await locker.connect()
  })
  afterAll(async () => {
    await locker.end()
    await stack.stop()
  })

  it('get 503 with Retry-After, and all else is served meanwhile', async () => {
    await locker.query('BEGIN; LOCK TABLE tasks IN ACCESS EXCLUSIVE MODE')
    let unfinished = 0
    const read = async (path: string) => {
      unfinished += 1
      const response = await stack.request('GET', path)
      unfinished -= 1
      return [path, response.status, response.body['code'], Number(response.headers.get('retry-after')) > 0]
    }
    const reading = Promise.all([...lists, ...lists, ...lists].map(read))
    expect((await stack.request('GET', '/v1/api-keys')).status).toBe(200)
    expect((await stack.request('GET', '/readyz')).status).toBe(200)
    // What was served was served while every list waited.
    expect(unfinished).toBe(3 * lists.length)
    for (const outcome of await reading) expect(outcome).toEqual([outcome[0], 503, 'SERVER_BUSY', true])
    await locker.query('ROLLBACK')
    for (const path of lists) expect([path, (await stack.request('GET', path)).status]).toEqual([path, 200])
  })
})
