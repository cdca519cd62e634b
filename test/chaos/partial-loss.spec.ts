import { rmSync } from 'node:fs'
import fc from 'fast-check'
import { Redis } from 'ioredis'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { listBroker } from '../support/broker-contents.js'
import { describeOnBothBrokers } from '../support/brokers.js'
import { makeModelsFolder } from '../support/models-folder.js'
import { query, queryNumber } from '../support/query.js'
import { hasRedis } from '../support/redis-server.js'
import { slowly } from '../support/requests.js'
import { startStack, type BrokerKind, type Stack } from '../support/stack.js'
import { addThrowingModel } from '../support/throwing-model.js'
import { waitFor } from '../support/wait-for.js'

/** Change it to see other losses; a failure prints it. */
const seed = 20_261_125
const losses = 12
/** Submissions under way at once. */
const senders = 32
/** A task starts at the latest so long after it is due, in seconds. */
const latestSeconds = 30

const quick = { user_id: 1, health_metrics: { mmse_score: 24, age: 72 } }

/** Number of tasks of each kind. */
interface Load {
  readonly plain: number
  readonly slow: number
  readonly urgent: number
  readonly scheduled: number
  readonly retried: number
}

/** The parts of what Redis holds that can be lost one by one. */
const redisParts = [
  'wait',
  'marker',
  'delayed',
  'prioritized',
  'active',
  'meta',
  'id',
  'pc',
  'events',
  'stalled',
  'stalled-check',
  'half of the jobs',
  'locks',
] as const
const postgresParts = [
  `state = 'waiting'`,
  `state = 'active'`,
  `state = 'delayed'`,
  'priority > 0',
  'seq % 2 = 0',
] as const

/** What the keys of the queue begin with. */
const keyStart = '{memoryguard:predictions}:predictions:'

const isLost = (key: string, parts: readonly string[]): boolean => {
  const name = key.slice(keyStart.length)
  if (name.endsWith(':lock')) return parts.includes('locks')
  if (name.startsWith('task-')) return parts.includes('half of the jobs') && /^task-.{35}[0-7]/.test(name)
  return parts.includes(name)
}

const loseOf = async (stack: Stack, parts: readonly string[]): Promise<void> => {
  if (!stack.redis) {
    await query(stack.databaseUrl, `DELETE FROM memoryguard_queue.job WHERE ${parts.join(' OR ')}`)
    await query(stack.databaseUrl, 'DELETE FROM memoryguard_queue.meta')
    return
  }
  const client = new Redis(stack.redis.url)
  const keys = (await client.keys(`${keyStart}*`)).filter((key) => isLost(key, parts))
  if (keys.length > 0) await client.unlink(keys)
  await client.quit()
}

const count = (stack: Stack, condition: string) =>
  queryNumber(stack.databaseUrl, `SELECT count(*)::int AS number FROM tasks WHERE ${condition}`)

const untilAllEnded = (stack: Stack) =>
  waitFor(async () => (await count(stack, 'finished_at IS NULL')) === 0, {
    what: 'every task to end',
    timeoutMs: 60_000,
    intervalMs: 200,
  })

const sendAll = async (stack: Stack, load: Load): Promise<void> => {
  const calls = [
    ...Array.from({ length: load.plain }, () => ['/v1/predictions', quick]),
    ...Array.from({ length: load.slow }, () => ['/v1/predictions', slowly(0.1)]),
    ...Array.from({ length: load.urgent }, () => [
      '/v1/tasks',
      { name: 'ml.process_prediction', args: quick, priority: 2 },
    ]),
    ...Array.from({ length: load.scheduled }, (_, index) => [
      '/v1/tasks',
      { name: 'ml.process_prediction', args: quick, countdown: 1 + (index % 10) },
    ]),
    ...Array.from({ length: load.retried }, () => [
      '/v1/predictions',
      { user_id: 1, model: 'throwing', health_metrics: { load_points: 9 } },
    ]),
  ] as [string, object][]
  const send = async () => {
    for (let call = calls.pop(); call; call = calls.pop()) {
      const { status, text } = await stack.request('POST', ...call)
      expect([200, 202], text).toContain(status)
    }
  }
  await Promise.all(Array.from({ length: senders }, send))
}

const expectEachOnce = async (stack: Stack, load: Load): Promise<void> => {
  const total = Object.values(load).reduce((sum, number) => sum + number, 0)
  const outcomes = await query(
    stack.databaseUrl,
    `SELECT t.state, a.outcome, count(*)::int AS attempts, count(DISTINCT t.id)::int AS tasks
     FROM tasks t JOIN task_attempts a ON a.task_id = t.id GROUP BY 1, 2 ORDER BY 1, 2`,
  )
  const succeeded = total - load.retried
  expect(outcomes).toEqual([
    { state: 'failed', outcome: 'failed', attempts: load.retried, tasks: load.retried },
    { state: 'failed', outcome: 'retried', attempts: 2 * load.retried, tasks: load.retried },
    { state: 'succeeded', outcome: 'succeeded', attempts: succeeded, tasks: succeeded },
  ])
  const late = await queryNumber(
    stack.databaseUrl,
    `SELECT coalesce(max(extract(epoch FROM a.started_at - greatest(t.created_at, t.eta))), 0)::float8 AS number
     FROM tasks t JOIN task_attempts a ON a.task_id = t.id AND a.attempt = 1`,
  )
  expect(late).toBeLessThan(latestSeconds)
}

const start = (broker: BrokerKind, models: string): Promise<Stack> =>
  startStack({
    broker,
    workers: 0,
    env: {
      MODELS_DIR: models,
      TASK_LOCK_SECONDS: '3',
      TASK_MAX_RETRIES: '2',
      TASK_RETRY_DELAY_SECONDS: '2',
      RECONCILE_INTERVAL_SECONDS: '1',
    },
  })

describeOnBothBrokers(`B1: parts of the broker are lost (seed ${seed})`, (broker) => {
  let stack: Stack
  const models = makeModelsFolder()
  /** The api knows a model that workers lack, so that its tasks are retried. */
  const apiModels = makeModelsFolder()
  addThrowingModel(apiModels)
  const load: Load =
    broker === 'redis'
      ? { plain: 1_150, slow: 200, urgent: 200, scheduled: 300, retried: 150 }
      : { plain: 250, slow: 50, urgent: 50, scheduled: 100, retried: 50 }

  beforeAll(async () => {
    stack = await start(broker, apiModels)
  })
  afterAll(async () => {
    await stack.stop()
    for (const folder of [models, apiModels]) rmSync(folder, { recursive: true })
  })

  it('a task whose list is lost, but not its job, runs when a worker comes', async () => {
    const ids: string[] = []
    for (const [path, body] of [
      ['/v1/predictions', quick],
      ['/v1/tasks', { name: 'ml.process_prediction', args: quick, priority: 3 }],
      ['/v1/tasks', { name: 'ml.process_prediction', args: quick, countdown: 1 }],
    ] as const) {
      const { body: sent } = await stack.request('POST', path, body)
      ids.push(String(sent['task_id'] ?? sent['id']))
    }
    await loseOf(
      stack,
      broker === 'redis' ? ['wait', 'marker', 'prioritized', 'delayed'] : [`state IN ('waiting', 'delayed')`],
    )
    await stack.startWorker({ MODELS_DIR: models })
    for (const id of ids) {
      await waitFor(async () => (await stack.request('GET', `/v1/tasks/${id}`)).body['state'] === 'succeeded', {
        what: 'the task to succeed',
        timeoutMs: latestSeconds * 1000,
      })
    }
    await query(stack.databaseUrl, 'TRUNCATE tasks, task_attempts, predictions')
  })

  it('every task that waits, runs, is retried or scheduled ends once, whatever is lost', async () => {
    const total = Object.values(load).reduce((sum, number) => sum + number, 0)
    const parts: readonly string[] = broker === 'redis' ? redisParts : postgresParts
    const lost = fc.sample(fc.subarray([...parts], { minLength: 1 }), { numRuns: losses, seed })
    const disturb = async () => {
      await stack.startWorker({ MODELS_DIR: models })
      for (const [index, some] of lost.entries()) {
        // Spread over the work: each loss waits for its share of it.
        const share = Math.floor((index * total) / losses)
        await waitFor(async () => (await count(stack, 'finished_at IS NOT NULL')) >= share, {
          what: `${share} tasks to end after the loss of ${lost[index - 1]?.join(', ') ?? 'nothing'}`,
          timeoutMs: 60_000,
        })
        await loseOf(stack, some)
      }
    }
    await Promise.all([sendAll(stack, load), disturb()])
    await untilAllEnded(stack)
    await expectEachOnce(stack, load)
    await waitFor(async () => (await listBroker(stack)).every((text) => !text.includes(':task-')), {
      what: 'what is left of lost jobs to be gone',
    })
  })
})

describe.runIf(hasRedis())('B1: a Redis that evicts whatever it likes', () => {
  it('with 2.5 MB and allkeys-lru 4,000 of 4,000 predictions finish', { timeout: 180_000 }, async () => {
    const stack = await startStack({
      broker: 'redis',
      workers: 0,
      redisArgs: ['--maxmemory', '2500kb', '--maxmemory-policy', 'allkeys-lru', '--appendonly', 'no'],
    })
    try {
      await sendAll(stack, { plain: 4_000, slow: 0, urgent: 0, scheduled: 0, retried: 0 })
      await stack.startWorker()
      await untilAllEnded(stack)
      expect(await count(stack, `state = 'succeeded'`)).toBe(4_000)
    } finally {
      await stack.stop()
    }
  })
})
