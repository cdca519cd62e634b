import { PredictionRepository, QueueRepository, TaskRepository, type EnqueueableTask } from '#libs/database'
import { createLogger, type QueueName } from '#libs/platform'
import { brokerOptions, Reconciler, FinishedLines, type Broker } from '#libs/tasks'
import { Worker, type Job } from 'bullmq'
import { Redis } from 'ioredis'
import { v7 as uuidv7 } from 'uuid'
import { listRedis, listSchema } from './broker-contents.js'
import { createBroker } from './create-broker.js'
import { query } from './query.js'
import { startRedis, type RedisServer } from './redis-server.js'
import type { BrokerKind } from './stack.js'
import { createTestDatabase, type TestDatabase } from './test-database.js'

const log = createLogger('test', 'fatal')

/** A task as the broker is given it. */
export const enqueueable = (more: Partial<EnqueueableTask> = {}): EnqueueableTask => ({
  taskId: uuidv7(),
  attempt: 1,
  name: 'ml.process_prediction',
  queue: 'predictions',
  priority: 0,
  delayMs: 0,
  ...more,
})

export const taskIdsOf = (jobs: readonly Job[]): string[] =>
  jobs.flatMap(({ data }) => (data as { task_ids: string[] }).task_ids)

/** A broker, its database and the consumers of a test. */
export interface TestBroker {
  readonly redis: RedisServer | undefined
  readonly database: TestDatabase
  readonly broker: Broker
  readonly tasks: TaskRepository
  readonly predictions: PredictionRepository
  createReconciler(): Reconciler
  /** Closed by `reset`. */
  readonly consumers: Worker[]
  /** Consumes a queue one job at a time; the jobs in the order in which they came. */
  consume(queue?: QueueName): Job[]
  /** Everything that the broker stores, as text. */
  dump(): Promise<string>
  /** What a flush of the broker does. */
  empty(): Promise<unknown>
  /** Between two tests: neither consumers nor jobs nor tasks. */
  reset(): Promise<void>
  stop(): Promise<void>
}

export const startTestBroker = async (kind: BrokerKind): Promise<TestBroker> => {
  const redis = kind === 'redis' ? await startRedis() : undefined
  const database = await createTestDatabase({ env: redis ? { BROKER_URL: redis.url } : {} })
  const broker = createBroker(database.config, log)
  const tasks = new TaskRepository(database.dataSource, database.prepared)
  const queues = new QueueRepository(database.dataSource)
  const consumers: Worker[] = []
  const empty = async () => {
    if (!redis) return query(database.url, 'TRUNCATE memoryguard_queue.job CASCADE')
    const client = new Redis(redis.url)
    await client.flushall()
    return client.quit()
  }
  return {
    redis,
    database,
    broker,
    tasks,
    predictions: new PredictionRepository(database.dataSource, database.prepared, tasks),
    createReconciler: () => new Reconciler(tasks, queues, broker, new FinishedLines(log), log),
    consumers,
    consume: (queue = 'predictions') => {
      const seen: Job[] = []
      const consumer = new Worker(
        queue,
        async (job) => {
          seen.push(job)
        },
        { ...brokerOptions(database.config, 'consumer', queue), concurrency: 1, removeOnComplete: { count: 0 } },
      )
      consumer.on('error', () => undefined)
      consumers.push(consumer)
      return seen
    },
    dump: async () => (await (redis ? listRedis(redis.url) : listSchema(database.url))).join('\n'),
    empty,
    reset: async () => {
      await Promise.all(consumers.splice(0).map((consumer) => consumer.close()))
      await empty()
      await query(database.url, 'TRUNCATE tasks, predictions')
    },
    stop: async () => {
      await broker.onApplicationShutdown()
      await database.drop()
      await redis?.stop()
    },
  }
}
