import { TaskRepository, PredictionRepository, QueueRepository, type DispatchableTask } from '#libs/database'
import { createLogger, MemoryGuardError, queueNames } from '#libs/platform'
import { Broker, brokerOptions, Reconciler, UnrunLines } from '#libs/tasks'
import { Worker, type Job } from 'bullmq'
import { Redis } from 'ioredis'
import { v7 as uuidv7 } from 'uuid'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { describeOnBothBrokers } from '../support/brokers.js'
import { query } from '../support/query.js'
import { hasRedis, startRedis, type RedisServer } from '../support/redis-server.js'
import { createBroker } from '../support/create-broker.js'
import { createTestDatabase, type TestDatabase } from '../support/test-database.js'
import { waitFor } from '../support/wait-for.js'

const log = createLogger('test', 'fatal')

/** A value of a person that must stand nowhere in the broker. */
const canary = 27.182818

describeOnBothBrokers('the broker', (kind) => {
  let redis: RedisServer | undefined
  let database: TestDatabase
  let broker: Broker
  let tasks: TaskRepository
  let queues: QueueRepository
  let predictions: PredictionRepository
  const consumers: Worker[] = []

  beforeAll(async () => {
    redis = kind === 'redis' ? await startRedis() : undefined
    database = await createTestDatabase({ env: redis ? { BROKER_URL: redis.url } : {} })
    broker = createBroker(database.config, log)
    tasks = new TaskRepository(database.dataSource, database.prepared)
    queues = new QueueRepository(database.dataSource)
    predictions = new PredictionRepository(database.dataSource, database.prepared, tasks)
  })
  afterEach(async () => {
    await Promise.all(consumers.splice(0).map((consumer) => consumer.close()))
    await emptyBroker()
    await query(database.url, 'TRUNCATE tasks, predictions')
  })
  afterAll(async () => {
    await broker.onApplicationShutdown()
    await database.drop()
    await redis?.stop()
  })

  const task = (more: Partial<DispatchableTask> = {}): DispatchableTask => ({
    taskId: uuidv7(),
    attempt: 1,
    name: 'ml.process_prediction',
    queue: 'predictions',
    priority: 0,
    delayMs: 0,
    ...more,
  })
  /** Consumes a queue one job at a time; the jobs in the order in which they came. */
  const consume = (queue: (typeof queueNames)[number] = 'predictions'): Job[] => {
    const seen: Job[] = []
    const consumer = new Worker(
      queue,
      async (job) => {
        seen.push(job)
      },
      { ...brokerOptions(database.config, 'consumer'), concurrency: 1, removeOnComplete: { count: 0 } },
    )
    consumer.on('error', () => undefined)
    consumers.push(consumer)
    return seen
  }
  const taskIds = (jobs: readonly Job[]) => jobs.flatMap(({ data }) => (data as { task_ids: string[] }).task_ids)
  const jobTables = () =>
    query<{ name: string }>(
      database.url,
      `SELECT format('%I.%I', schemaname, tablename) AS name FROM pg_tables WHERE schemaname = 'memoryguard_queue'`,
    )
  /** Everything that the broker stores, as text. */
  const dump = async (): Promise<string> => {
    if (redis) {
      const client = new Redis(redis.url)
      const parts: string[] = []
      for (const key of await client.keys('*')) {
        const type = await client.type(key)
        parts.push(key, type === 'hash' ? JSON.stringify(await client.hgetall(key)) : '')
        if (type === 'list') parts.push(...(await client.lrange(key, 0, -1)))
        if (type === 'zset') parts.push(...(await client.zrange(key, 0, -1)))
        if (type === 'stream') parts.push(JSON.stringify(await client.xrange(key, '-', '+')))
        if (type === 'string') parts.push((await client.get(key)) ?? '')
      }
      await client.quit()
      return parts.join('\n')
    }
    const parts: string[] = []
    for (const { name } of await jobTables()) {
      parts.push(
        ...(await query<{ row: string }>(database.url, `SELECT t::text AS row FROM ${name} t`)).map(({ row }) => row),
      )
    }
    return parts.join('\n')
  }
  const emptyBroker = async () => {
    if (!redis) return query(database.url, `TRUNCATE memoryguard_queue.job CASCADE`)
    const client = new Redis(redis.url)
    await client.flushall()
    return client.quit()
  }

  it('carries identifiers to a consumer, and leaves nothing behind when the job is done', async () => {
    const added = task()
    await broker.add([added])
    expect(await broker.depth('predictions')).toEqual({ waiting: 1, active: 0, delayed: 0 })
    expect(await dump()).toContain(added.taskId)
    const seen = consume()
    await waitFor(() => seen.length === 1, { what: 'the job' })
    expect(seen[0]?.name).toBe('ml.process_prediction')
    expect(seen[0]?.data).toEqual({ task_ids: [added.taskId], attempt: 1 })
    await waitFor(async () => Object.values(await broker.depth('predictions')).every((count) => count === 0), {
      what: 'an empty queue',
    })
    await waitFor(async () => !(await dump()).includes(`["${added.taskId}"]`), { what: 'the job to be gone' })
  })

  it('takes many at once, keeps queues apart and ignores a job that is already there', async () => {
    const many = Array.from({ length: 300 }, () => task())
    const others = [task({ queue: 'batch' }), task({ queue: 'forecasts' })]
    await broker.add([...many, ...others])
    await broker.add(many.slice(0, 50))
    expect(await broker.depth('predictions')).toEqual({ waiting: 300, active: 0, delayed: 0 })
    expect(await broker.depth('batch')).toMatchObject({ waiting: 1 })
    expect(await broker.depth('explanations')).toMatchObject({ waiting: 0 })
    const seen = consume()
    await waitFor(() => seen.length >= 300, { what: 'every job' })
    expect(taskIds(seen)).toEqual(many.map(({ taskId }) => taskId))
  })

  it('has short tasks travel together in few jobs, in order, and long, urgent and delayed ones alone', async () => {
    const plain = Array.from({ length: 40 }, () => task())
    const others = [
      task({ priority: 1 }),
      task({ delayMs: 60_000 }),
      task({ name: 'ml.health_check' }),
      task({ attempt: 2 }),
    ]
    const long = [task({ queue: 'explanations' }), task({ queue: 'explanations' })]
    await broker.addTogether([...plain, ...others, ...long])
    expect(await broker.depth('predictions')).toEqual({ waiting: 3 + 3, active: 0, delayed: 1 })
    expect(await broker.depth('explanations')).toMatchObject({ waiting: 2 })
    const seen = consume()
    await waitFor(() => seen.length === 6, { what: 'the jobs' })
    const first = seen.filter(({ name, data }) => name === 'ml.process_prediction' && data.attempt === 1)
    expect(taskIds(first)).toEqual([...plain.map(({ taskId }) => taskId), others[0]?.taskId])
    expect(taskIds(seen.filter(({ data }) => data.attempt === 2))).toEqual([others[3]?.taskId])
  })

  it('takes the next attempt of the same task as a job of its own', async () => {
    const first = task()
    await broker.add([first])
    await broker.add([{ ...first, attempt: 2 }])
    expect(await broker.depth('predictions')).toMatchObject({ waiting: 2 })
  })

  it('holds a delayed job until it is due', async () => {
    const late = task({ delayMs: 700 })
    const addedAt = performance.now()
    const seen = consume()
    await broker.add([late])
    expect(await broker.depth('predictions')).toMatchObject({ waiting: 0, delayed: 1 })
    await waitFor(() => seen.length === 1, { what: 'the delayed job' })
    expect(performance.now() - addedAt).toBeGreaterThanOrEqual(690)
  })

  it('gives urgent jobs first: none is before one, one before two', async () => {
    const [low, high, none] = [task({ priority: 2 }), task({ priority: 1 }), task()]
    await broker.add([low, high, none])
    expect(await broker.depth('predictions')).toMatchObject({ waiting: 3 })
    const seen = consume()
    await waitFor(() => seen.length === 3, { what: 'three jobs' })
    expect(taskIds(seen)).toEqual([none.taskId, high.taskId, low.taskId])
  })

  describe('with what the database knows', () => {
    const submit = async (count: number) => {
      const rows = Array.from({ length: count }, () => ({
        taskId: uuidv7(),
        userId: 7,
        model: 'impairment-screen@1',
        healthMetrics: { mmse_score: canary },
        warnings: [],
      }))
      await predictions.submit(rows)
      return rows.map(({ taskId }) => taskId)
    }
    const age = (seconds: number) =>
      query(
        database.url,
        `UPDATE tasks SET created_at = created_at - make_interval(secs => $1), available_at = available_at - make_interval(secs => $1)`,
        [seconds],
      )

    it('is filled again after it lost everything, each task once, and holds no health data', async () => {
      const ids = await submit(120)
      await broker.add(ids.map((taskId) => task({ taskId })))
      await emptyBroker()
      expect(await broker.depth('predictions')).toMatchObject({ waiting: 0 })
      const reconciler = new Reconciler(tasks, queues, broker, new UnrunLines(log), log)
      // A task that was stored a moment ago may just be on its way.
      expect(await reconciler.run(queueNames)).toBe(0)
      await age(10)
      expect(await reconciler.run(queueNames)).toBe(120)
      expect(await reconciler.run(queueNames)).toBe(0)
      expect(await broker.depth('predictions')).toMatchObject({ waiting: Math.ceil(120 / 16) })
      const content = await dump()
      expect(content).toContain(ids[0])
      expect(content).not.toContain(String(canary))
      expect(content).not.toContain('mmse_score')
      const seen = consume()
      await waitFor(() => taskIds(seen).length >= 120, { what: 'every job' })
      expect(taskIds(seen).sort()).toEqual(ids.toSorted())
    })

    // In PostgreSQL there are no keys.
    if (kind === 'redis') {
      it.each(['wait', 'delayed', 'meta', 'marker'])(
        'B1: is not writable while the key %s is of another type, which the reconciler removes',
        async (name) => {
          const key = `{memoryguard}:predictions:${name}`
          const client = new Redis(redis?.url ?? '')
          await client.del(key)
          await client.set(key, 'junk')
          await expect(broker.assertWritable()).rejects.toThrow(`The key ${key} of the broker is of another type`)
          const [id = ''] = await submit(1)
          await age(10)
          const reconciler = new Reconciler(tasks, queues, broker, new UnrunLines(log), log)
          expect(await reconciler.run(queueNames)).toBe(1)
          await broker.assertWritable()
          const seen = consume()
          await waitFor(() => taskIds(seen).includes(id), { what: 'the job' })
          await client.quit()
        },
      )
    }

    it('is given again a job that it lost behind others, once what came later has been taken', async () => {
      const [lost = ''] = await submit(1)
      await age(10)
      const [later = ''] = await submit(1)
      await broker.add([task({ taskId: later })])
      const reconciler = new Reconciler(tasks, queues, broker, new UnrunLines(log), log)
      expect(await reconciler.run(queueNames)).toBe(1)
      expect(await reconciler.run(queueNames)).toBe(0)
      const seen = consume()
      await waitFor(() => seen.length === 2, { what: 'both jobs' })
      expect(taskIds(seen)).toEqual([later, lost])
      // Both were taken and neither was started: the broker holds nothing, and the database decides.
      await age(10)
      expect(await reconciler.run(queueNames)).toBe(2)
    })

    it("B1: is given again what it holds in no list, and not what waits in it or is in a live worker's hands", async () => {
      const inHand = await submit(1)
      await age(10)
      await broker.addTogether(inHand.map((taskId) => task({ taskId })))
      let finish = () => undefined as void
      const finished = new Promise<void>((resolve) => (finish = resolve))
      let isTaken = false
      const holder = new Worker(
        'predictions',
        async () => {
          isTaken = true
          await finished
        },
        { ...brokerOptions(database.config, 'consumer'), concurrency: 1 },
      )
      consumers.push(holder)
      await waitFor(() => isTaken, { what: 'the job to be taken' })
      const [late = ''] = await submit(1)
      await age(10)
      // Its time has come, but the broker has it among the delayed ones.
      await broker.add([task({ taskId: late, delayMs: 3_600_000 })])
      const waiting = await submit(40)
      await broker.addTogether(waiting.map((taskId) => task({ taskId })))
      const reconciler = new Reconciler(tasks, queues, broker, new UnrunLines(log), log)
      expect(await reconciler.run(queueNames)).toBe(1)
      expect(await reconciler.run(queueNames)).toBe(0)
      expect(await broker.depth('predictions')).toEqual({ waiting: 4, active: 1, delayed: 0 })
      if (redis) {
        const client = new Redis(redis.url)
        await client.del('{memoryguard}:predictions:wait')
        await client.quit()
        await age(10)
        expect(await reconciler.run(queueNames)).toBe(41)
        expect(await reconciler.run(queueNames)).toBe(0)
      }
      finish()
      await holder.close()
      const seen = consume()
      await waitFor(() => taskIds(seen).length >= 41, { what: 'every job' })
      expect(taskIds(seen).sort()).toEqual([late, ...waiting].sort())
    })

    it('is not given again the urgent ones that wait in it, only those that it lost', async () => {
      const ids = await submit(20)
      await query(database.url, 'UPDATE tasks SET priority = 2')
      await age(10)
      const urgent = ids.map((taskId) => task({ taskId, priority: 2 }))
      await broker.add(urgent)
      const reconciler = new Reconciler(tasks, queues, broker, new UnrunLines(log), log)
      expect(await reconciler.run(queueNames)).toBe(0)
      await broker.removeIfThere(urgent.slice(0, 1))
      expect(await reconciler.run(queueNames)).toBe(1)
      expect(await reconciler.run(queueNames)).toBe(0)
      expect(await broker.depth('predictions')).toMatchObject({ waiting: 20 })
    })

    it('gets the tasks of a silent worker again, as their next attempt', async () => {
      const [taskId = ''] = await submit(1)
      await tasks.claim([{ taskId, attempt: 1 }], 'gone', 60)
      await query(database.url, `UPDATE tasks SET lease_expires_at = now() - interval '1 second'`)
      expect(await new Reconciler(tasks, queues, broker, new UnrunLines(log), log).run(queueNames)).toBe(1)
      const seen = consume()
      await waitFor(() => seen.length === 1, { what: 'the job' })
      expect(seen[0]?.data).toEqual({ task_ids: [taskId], attempt: 2 })
    })
  })
})

describe.runIf(hasRedis())('a broker that is down', () => {
  it('refuses in bounded time, and works again when it is back', async () => {
    const redis = await startRedis()
    const database = await createTestDatabase({ env: { BROKER_URL: redis.url } })
    const broker = createBroker(database.config, log)
    const one: DispatchableTask = {
      taskId: uuidv7(),
      attempt: 1,
      name: 'ml.process_prediction',
      queue: 'predictions',
      priority: 0,
      delayMs: 0,
    }
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
      await waitFor(() => broker.depth('predictions'), { what: 'the broker to answer again' })
      // What it had taken was on its disk within a second, and taking it again changes nothing.
      await broker.add([one])
      expect(await broker.depth('predictions')).toMatchObject({ waiting: 1 })
    } finally {
      await broker.onApplicationShutdown()
      await database.drop()
      await redis.stop()
    }
  })

  it('is told apart also when it was never there', async () => {
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
