import { BatchRepository, ProgressRepository, TaskRepository } from '#libs/database'
import { v7 as uuidv7 } from 'uuid'
import { afterAll, beforeAll, expect, it, vi } from 'vitest'
import { createTestDatabase, type TestDatabase } from '../support/test-database.js'

let database: TestDatabase
beforeAll(async () => {
  database = await createTestDatabase()
})
afterAll(() => database.drop())

it('the progress of any number of batches is read at once', async () => {
  const { dataSource, prepared } = database
  const batches = new BatchRepository(dataSource, new TaskRepository(dataSource, prepared))
  const progress = new ProgressRepository(dataSource, batches)
  const ids = [uuidv7(), uuidv7()]
  for (const [index, id] of ids.entries()) {
    await batches.begin(id, 'dementia-risk@1', null)
    const userIds = Array.from({ length: index + 1 }, (_, user) => user + 1)
    const rest = { lines: userIds, metrics: userIds.map(() => ({})), warnings: {}, errors: [] }
    await batches.addChunk(id, { chunk: 0, taskId: uuidv7(), userIds, ...rest })
    await batches.accept({ taskId: id, userId: null })
  }
  const asked = vi.spyOn(dataSource, 'query')
  const found = await progress.list([...ids, uuidv7()].map((id) => ({ id, state: 'queued', isBatch: true })))
  expect(ids.map((id) => found.get(id)?.total)).toEqual([1, 2])
  expect([found.size, asked.mock.calls.length]).toEqual([2, 1])
})
