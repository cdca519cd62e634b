import { createLogger, MemoryGuardError } from '#libs/platform'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { describeOnBothBrokers } from '../support/brokers.js'
import { createBroker } from '../support/create-broker.js'
import { hasRedis, startRedis } from '../support/redis-server.js'
import { enqueueable, startTestBroker, taskIdsOf, type TestBroker } from '../support/test-broker.js'
import { createTestDatabase } from '../support/test-database.js'
import { waitFor } from '../support/wait-for.js'

const log = createLogger('test', 'fatal')

describeOnBothBrokers('the broker', (kind) => {
  let test: TestBroker

  beforeAll(async () => {
    test = await startTestBroker(kind)
  })
  afterEach(() => test.reset())
  afterAll(() => test.stop())

  it('carries identifiers to a consumer, and leaves nothing behind when the job is done', async () => {
    const added = enqueueable()
    await test.broker.add([added])
    expect(await test.broker.depth('predictions')).toEqual({ waiting: 1, active: 0, delayed: 0 })
    expect(await test.dump()).toContain(added.taskId)
    const seen = test.consume()
    await waitFor(() => seen.length === 1, { what: 'the job' })
    expect(seen[0]?.name).toBe('ml.process_prediction')
    expect(seen[0]?.data).toEqual({ task_ids: [added.taskId], attempt: 1 })
    await waitFor(async () => Object.values(await test.broker.depth('predictions')).every((count) => count === 0), {
      what: 'an empty queue',
    })
    await waitFor(async () => !(await test.dump()).includes(`["${added.taskId}"]`), { what: 'the job to be gone' })
  })

  it('takes many at once, keeps queues apart and ignores a job that is already there', async () => {
    const many = Array.from({ length: 300 }, () => enqueueable())
    const others = [enqueueable({ queue: 'batch' }), enqueueable({ queue: 'forecasts' })]
    await test.broker.add([...many, ...others])
    await test.broker.add(many.slice(0, 50))
    expect(await test.broker.depth('predictions')).toEqual({ waiting: 300, active: 0, delayed: 0 })
    expect(await test.broker.depth('batch')).toMatchObject({ waiting: 1 })
    expect(await test.broker.depth('explanations')).toMatchObject({ waiting: 0 })
    const seen = test.consume()
    await waitFor(() => seen.length >= 300, { what: 'every job' })
    expect(taskIdsOf(seen)).toEqual(many.map(({ taskId }) => taskId))
  })

  it('has short tasks travel together in few jobs, in order, and long, urgent and delayed ones alone', async () => {
    const plain = Array.from({ length: 150 }, () => enqueueable())
    const others = [
      enqueueable({ priority: 1 }),
      enqueueable({ delayMs: 60_000 }),
      enqueueable({ name: 'ml.health_check' }),
      enqueueable({ attempt: 2 }),
    ]
    const long = [enqueueable({ queue: 'explanations' }), enqueueable({ queue: 'explanations' })]
    await test.broker.addTogether([...plain, ...others, ...long])
    expect(await test.broker.depth('predictions')).toEqual({ waiting: 3 + 3, active: 0, delayed: 1 })
    expect(await test.broker.depth('explanations')).toMatchObject({ waiting: 2 })
    const seen = test.consume()
    await waitFor(() => seen.length === 6, { what: 'the jobs' })
    const first = seen.filter(({ name, data }) => name === 'ml.process_prediction' && data.attempt === 1)
    expect(taskIdsOf(first)).toEqual([...plain.map(({ taskId }) => taskId), others[0]?.taskId])
    expect(taskIdsOf(seen.filter(({ data }) => data.attempt === 2))).toEqual([others[3]?.taskId])
  })

  it('takes the next attempt of the same task as a job of its own', async () => {
    const first = enqueueable()
    await test.broker.add([first])
    await test.broker.add([{ ...first, attempt: 2 }])
    expect(await test.broker.depth('predictions')).toMatchObject({ waiting: 2 })
  })

  it('holds a delayed job until it is due', async () => {
    const late = enqueueable({ delayMs: 700 })
    const addedAt = performance.now()
    const seen = test.consume()
    await test.broker.add([late])
    expect(await test.broker.depth('predictions')).toMatchObject({ waiting: 0, delayed: 1 })
    await waitFor(() => seen.length === 1, { what: 'the delayed job' })
    expect(performance.now() - addedAt).toBeGreaterThanOrEqual(690)
  })

  it('gives urgent jobs first: none is before one, one before two', async () => {
    const [low, high, none] = [enqueueable({ priority: 2 }), enqueueable({ priority: 1 }), enqueueable()]
    await test.broker.add([low, high, none])
    expect(await test.broker.depth('predictions')).toMatchObject({ waiting: 3 })
    const seen = test.consume()
    await waitFor(() => seen.length === 3, { what: 'three jobs' })
    expect(taskIdsOf(seen)).toEqual([none.taskId, high.taskId, low.taskId])
  })
})

describe.runIf(hasRedis())('a broker that is down', () => {
  it('refuses in bounded time, and works again when it is back', async () => {
    const redis = await startRedis()
    const database = await createTestDatabase({ env: { BROKER_URL: redis.url } })
    const broker = createBroker(database.config, log)
    const one = enqueueable()
    try {
      await broker.add([one])
      await redis.kill()
      for (const call of [() => broker.add([one]), () => broker.depth('predictions')]) {
        const startedAt = performance.now()
        const error: unknown = await call().catch((reason: unknown) => reason)
        expect(error).toBeInstanceOf(MemoryGuardError)
        expect(error).toMatchObject({ code: 'BROKER_UNAVAILABLE', retryable: true })
        expect(performance.now() - startedAt).toBeLessThan(20_000)
      }
      await redis.restart()
      await waitFor(() => broker.depth('predictions'), { what: 'the broker to respond again' })
      // What it had taken was on its disk within a second, and taking it again changes nothing.
      await broker.add([one])
      expect(await broker.depth('predictions')).toMatchObject({ waiting: 1 })
    } finally {
      await broker.onApplicationShutdown()
      await database.drop()
      await redis.stop()
    }
  })

  it('is distinguished also when it was never there', async () => {
    const redis = await startRedis()
    await redis.stop()
    const database = await createTestDatabase({ env: { BROKER_URL: redis.url } })
    const broker = createBroker(database.config, log)
    const startedAt = performance.now()
    await expect(broker.depth('predictions')).rejects.toMatchObject({ code: 'BROKER_UNAVAILABLE' })
    expect(performance.now() - startedAt).toBeLessThan(20_000)
    await broker.onApplicationShutdown()
    await database.drop()
  })
})
