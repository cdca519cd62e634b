import { createLogger } from '#libs/platform'
import { Broker, brokerOptions } from '#libs/tasks'
import { Worker } from 'bullmq'
import { v7 as uuidv7 } from 'uuid'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { Consumers } from '../../apps/worker/src/processors/consumers.js'
import { DeliveredJobs } from '../../apps/worker/src/processors/delivered-jobs.js'
import { describeOnBothBrokers } from '../support/brokers.js'
import { startRedis, type RedisServer } from '../support/redis-server.js'
import { createBroker } from '../support/create-broker.js'
import { createTestDatabase, type TestDatabase } from '../support/test-database.js'
import { waitFor } from '../support/wait-for.js'

const log = createLogger('test', 'fatal')

describeOnBothBrokers('consumers', (kind) => {
  let redis: RedisServer | undefined
  let database: TestDatabase
  let broker: Broker
  beforeAll(async () => {
    redis = kind === 'redis' ? await startRedis() : undefined
    database = await createTestDatabase({ env: redis ? { BROKER_URL: redis.url } : {} })
    broker = createBroker(database.config, log)
  })
  afterAll(async () => {
    await broker.onApplicationShutdown()
    await database.drop()
    await redis?.stop()
  })

  it('begin a job when it is delivered, once, and finish it when it is done', async () => {
    const happened: string[] = []
    const running: (() => void)[] = []
    const delivered = new DeliveredJobs(
      {
        process: async () => {
          happened.push('begun')
          await new Promise<void>((resolve) => running.push(resolve))
          return 'done'
        },
      },
      log,
    )
    const worker = new Worker('predictions', (job) => delivered.outcomeOf(job), {
      ...brokerOptions(database.config, 'consumer', 'predictions'),
      autorun: false,
      concurrency: 2,
      removeOnComplete: { count: 0 },
    })
    // Asked for one more job, the broker has none.
    worker.on('drained', () => happened.push('no more'))
    worker.on('completed', () => happened.push('done'))
    const task = { taskId: uuidv7(), attempt: 1, name: 'ml.process_prediction', queue: 'predictions' } as const
    await broker.add([{ ...task, priority: 0, delayMs: 0 }])
    const consumers = new Consumers({ create: () => worker }, delivered, log, broker, { concurrency: 1 })
    consumers.addQueue('predictions')
    await waitFor(() => happened.includes('no more'), { what: 'the question for one more' })
    expect(happened).toEqual(['begun', 'no more'])
    running[0]?.()
    await waitFor(() => happened.includes('done'), { what: 'the end of the job' })
    expect(happened.filter((word) => word !== 'no more')).toEqual(['begun', 'done'])
    expect(await broker.depth('predictions')).toEqual({ waiting: 0, active: 0, delayed: 0 })
    await consumers.drain()
  })

  it('leave further jobs to other workers while they hold enough tasks for all batches under way', async () => {
    const jobs = 12
    const begun: (() => void)[] = []
    let [ended, most] = [0, 0]
    const delivered = new DeliveredJobs(
      {
        process: async () => {
          await new Promise<void>((resolve) => {
            begun.push(resolve)
            most = Math.max(most, begun.length - ended)
          })
          ended += 1
          return 'done'
        },
      },
      log,
    )
    const worker = new Worker('predictions', (job) => delivered.outcomeOf(job), {
      ...brokerOptions(database.config, 'consumer', 'predictions'),
      autorun: false,
      removeOnComplete: { count: 0 },
    })
    const tasks = Array.from({ length: jobs * 64 }, () => ({ taskId: uuidv7(), attempt: 1, priority: 0, delayMs: 0 }))
    await broker.addTogether(tasks.map((task) => ({ ...task, name: 'ml.process_prediction', queue: 'predictions' })))
    const consumers = new Consumers({ create: () => worker }, delivered, log, broker, { concurrency: 1 })
    consumers.addQueue('predictions')
    for (let job = 0; job < jobs; job += 1) {
      // One is computed, and one talks to the database; the last is alone.
      await waitFor(() => begun.length >= Math.min(job + 2, jobs), { what: `job ${job + 2} to begin` })
      begun[job]?.()
    }
    await waitFor(() => ended === jobs, { what: 'every job to end' })
    expect(most).toBe(2)
    await consumers.drain()
  })
})
