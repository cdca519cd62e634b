import { PredictionRepository, QueueRepository, TaskRepository } from '#libs/database'
import type { QueueName } from '#libs/platform'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { newPrediction } from '../support/new-prediction.js'
import { query } from '../support/query.js'
import { createTestDatabase, type TestDatabase } from '../support/test-database.js'

describe('queue repository', () => {
  let database: TestDatabase
  let tasks: TaskRepository
  let predictions: PredictionRepository
  let queues: QueueRepository

  beforeAll(async () => {
    database = await createTestDatabase()
    tasks = new TaskRepository(database.dataSource, database.prepared)
    predictions = new PredictionRepository(database.dataSource, database.prepared, tasks)
    queues = new QueueRepository(database.dataSource)
  })
  afterAll(() => database.drop())

  it('lists what should be in the broker, in pages', async () => {
    const batch = Array.from({ length: 5 }, () => newPrediction())
    await predictions.submit(batch)
    const ids = batch.map(({ taskId }) => taskId).sort()
    await query(
      database.url,
      `UPDATE tasks SET created_at = now() - interval '10 s', available_at = now() - interval '10 s'`,
    )
    const [running = ''] = ids
    expect(await tasks.claim([{ taskId: running, attempt: 1 }], 'w1', 60)).toHaveLength(1)
    const list = (
      queue: QueueName,
      fromSecondsAgo: number,
      toSecondsAgo: number,
      { afterId = ids[0] ?? '', limit = 100, isUrgent = false } = {},
    ) => {
      const dueFrom = Date.now() - fromSecondsAgo * 1000
      return queues.listWaiting(
        queue,
        { dueFrom, dueBefore: Date.now() - toSecondsAgo * 1000, isUrgent },
        afterId,
        limit,
      )
    }
    expect(await list('predictions', 60, 2)).toHaveLength(4)
    expect(await list('predictions', 60, 30)).toEqual([])
    expect(await list('predictions', 5, 2)).toEqual([])
    expect(await list('batch', 60, 2)).toEqual([])
    const page = await list('predictions', 60, 2, { afterId: ids[1] ?? '', limit: 2 })
    expect(page.map(({ taskId, attempt }) => [taskId, attempt])).toEqual([
      [ids[2], 1],
      [ids[3], 1],
    ])
    await query(database.url, 'UPDATE tasks SET priority = 3 WHERE id = $1', [ids[4]])
    expect(await list('predictions', 60, 2)).toHaveLength(3)
    expect(await list('predictions', 60, 2, { isUrgent: true })).toMatchObject([{ taskId: ids[4], priority: 3 }])
    expect(await queues.countWaiting('predictions', { dueFrom: 0, dueBefore: Date.now(), isUrgent: true })).toBe(1)
  })

  it('knows how long a task keeps a slot busy, whatever was idle, was purged or has run together', async () => {
    await query(database.url, 'TRUNCATE tasks CASCADE')
    expect(await queues.readSecondsOfTask('predictions')).toBeNull()
    const batch = Array.from({ length: 6 }, () => newPrediction())
    await predictions.submit(batch)
    const [alone, one, other, ...rest] = batch.map(({ taskId }) => taskId)
    const end = (ids: readonly unknown[], startedAgo: number, seconds: number) =>
      query(
        database.url,
        `UPDATE tasks SET state = 'succeeded', worker = 'w1', started_at = now() - make_interval(secs => $2),
           finished_at = now() - make_interval(secs => $2) + make_interval(secs => $3) WHERE id = ANY($1)`,
        [ids, startedAgo, seconds],
      )
    await end([alone], 200, 2)
    expect(await queues.readSecondsOfTask('predictions')).toBe(2)
    await query(
      database.url,
      `UPDATE tasks SET state = 'cancelled', finished_at = now(), error_code = 'TASK_REVOKED', error_message = 'x'
       WHERE id = ANY($1)`,
      [rest],
    )
    expect(await queues.readSecondsOfTask('predictions')).toBe(2)
    await query(
      database.url,
      `UPDATE tasks SET state = 'succeeded', worker = 'w1', started_at = t.at, finished_at = t.at + interval '1 s'
       FROM (SELECT now() - interval '9 s' AS at) AS t WHERE id = ANY($1)`,
      [[one, other]],
    )
    expect(await queues.readSecondsOfTask('predictions')).toBe(1)
    expect(await queues.readSecondsOfTask('batch')).toBeNull()
  })
})
