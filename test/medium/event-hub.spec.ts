import { TaskEventRepository, TaskRepository } from '#libs/database'
import { createLogger } from '#libs/platform'
import { FinishedTasks } from '#libs/tasks'
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest'
import type { Principal } from '../../apps/api/src/access/access.js'
import { EventHub } from '../../apps/api/src/events/event-hub.js'
import { startOf } from '../../apps/api/src/events/event-key.js'
import { query } from '../support/query.js'
import { createTestDatabase, type TestDatabase } from '../support/test-database.js'

const log = createLogger('test', 'silent')
const principal: Principal = { id: 'test', name: 'test', role: 'viewer', userId: null, method: 'key' }
const minuteMs = 60_000

describe('going on with the stream of all tasks', () => {
  let database: TestDatabase
  let repository: TaskEventRepository
  let finished: FinishedTasks
  let hub: EventHub
  let leaving = new AbortController()
  beforeAll(async () => {
    database = await createTestDatabase()
    repository = new TaskEventRepository(database.dataSource)
    finished = new FinishedTasks(new TaskRepository(database.dataSource, database.prepared), database.config, log)
    hub = new EventHub(repository, finished, log)
  })
  afterEach(() => {
    leaving.abort()
    leaving = new AbortController()
  })
  afterAll(async () => {
    await finished.onApplicationShutdown()
    await database.drop()
  })

  const followFrom = (at: number) => hub.follow({}, principal, startOf(at), leaving.signal)

  it('reaches back an hour', async () => {
    const { now } = await repository.readClock()
    await expect(followFrom(now - 61 * minuteMs)).rejects.toMatchObject({ code: 'RESOURCE_GONE' })
    await followFrom(now - 59 * minuteMs)
  })

  it('reads the table for one client at a time', async () => {
    await query(
      database.url,
      `INSERT INTO tasks (id, name, queue, state, args, finished_at)
       VALUES (gen_random_uuid(), 'ml.health_check', 'predictions', 'succeeded', '{}', now())`,
    )
    const from = (await repository.readClock()).now - minuteMs
    const listChanged = repository.listChanged.bind(repository)
    let reads = 0
    let underWay = 0
    let most = 0
    vi.spyOn(repository, 'listChanged').mockImplementation(async (since, ...rest) => {
      if (since !== from) return listChanged(since, ...rest)
      reads += 1
      most = Math.max(most, (underWay += 1))
      try {
        return await listChanged(since, ...rest)
      } finally {
        underWay -= 1
      }
    })
    const sources = await Promise.all(Array.from({ length: 5 }, () => followFrom(from)))
    const first = await Promise.all(sources.map(({ events }) => events.next()))
    expect(first.map(({ value }) => value.event)).toEqual(Array(5).fill('task.queued'))
    expect([reads, most]).toEqual([5, 1])
  })
})
