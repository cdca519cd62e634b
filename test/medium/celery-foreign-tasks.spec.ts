import { CeleryConnections, CeleryControl, CeleryQueues, encodeMessage, LogicalClock } from '#libs/celery'
import { createLogger } from '#libs/platform'
import { Redis } from 'ioredis'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { ForeignTasks } from '../../apps/worker/src/celery/foreign-tasks.js'
import { StrayMessages } from '../../apps/worker/src/celery/stray-messages.js'
import { hasRedis, startRedis, type RedisServer } from '../support/redis-server.js'
import { waitFor } from '../support/wait-for.js'

const log = createLogger('worker', 'silent')

describe.runIf(hasRedis())('tasks of others in the queues of a worker', () => {
  let server: RedisServer
  let redis: Redis
  let connections: CeleryConnections
  let strays: StrayMessages
  let foreign: ForeignTasks
  const ends: (() => unknown)[] = []

  beforeAll(async () => {
    server = await startRedis()
  })
  afterAll(() => server.stop())
  beforeEach(async () => {
    const url = `${server.url}/1`
    redis = new Redis(url)
    await redis.flushall()
    connections = new CeleryConnections({ brokerUrl: url, resultBackend: url })
    strays = new StrayMessages(new CeleryQueues(connections))
    foreign = new ForeignTasks(connections, strays, log)
    ends.push(
      () => redis.disconnect(),
      () => connections.close(),
      () => foreign.loop.stop(),
    )
  })
  afterEach(async () => {
    for (const end of ends.splice(0).reverse()) await end()
  })

  const send = (task: string) =>
    redis.lpush(
      'celery',
      encodeMessage({ id: task, task, args: [1], kwargs: {}, origin: 'gen1@web', queue: 'celery', priority: 0 }),
    )
  /** What a Celery worker with these tasks replies. */
  const startOther = async (tasks: readonly string[]) => {
    const handle = async (method: string) => (method === 'registered' ? tasks : null)
    const options = { name: 'celery@old', clock: new LogicalClock(), handle, learnRevoked: async () => undefined }
    const control = new CeleryControl(connections, options, log)
    control.start()
    ends.push(() => control.stop())
    await waitFor(async () => (await redis.pubsub('NUMSUB', '/1.celery.pidbox'))[1] === 1, { what: 'the other worker' })
  }
  const commandsRun = async () => Number(/cmdstat_publish:calls=(\d+)/.exec(await redis.info('commandstats'))?.[1] ?? 0)

  it('are named as long as no worker replies that has them', async () => {
    await send('patterns.detect')
    await send('ml.process_prediction')
    await strays.take(['celery'], ['ml.process_prediction'])
    foreign.loop.start(0)
    await waitFor(() => foreign.notes.length > 0, { what: 'the note' })
    expect(foreign.notes).toEqual([
      'Celery tasks that no worker takes wait in the queues: patterns.detect. Start a Celery worker that has them, or stop sending them.',
    ])
    await startOther(['patterns.detect [rate_limit=10/m]'])
    foreign.loop.wake()
    await waitFor(() => foreign.notes.length === 0, { what: 'no note' })
    expect(await redis.keys('*reply*')).toEqual([])
  })

  it('are named if the worker that replies does not have them', async () => {
    await startOther(['patterns.other'])
    await send('patterns.detect')
    await strays.take(['celery'], [])
    foreign.loop.start(0)
    await waitFor(() => foreign.notes[0]?.includes('patterns.detect'), { what: 'the note' })
  })

  it('cost nothing while there are none', async () => {
    await send('ml.process_prediction')
    await strays.take(['celery'], ['ml.process_prediction'])
    await redis.config('RESETSTAT')
    foreign.loop.start(0)
    await new Promise((resolve) => setTimeout(resolve, 200))
    expect(await commandsRun()).toBe(0)
    expect(foreign.notes).toEqual([])
  })
})
