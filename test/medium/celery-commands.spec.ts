import { CallRevokes } from '#libs/calls/celery'
import { CeleryConnections, CeleryControl, CeleryEvents, type CeleryCalls } from '#libs/celery'
import { COMPUTE_POOL } from '#libs/ml'
import { CONFIG, createLogger, loadConfig, LOGGER } from '#libs/platform'
import { NestFactory } from '@nestjs/core'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { celeryCommandProviders, CELERY_CALLS } from '../../apps/worker/src/celery/celery-commands.js'
import { Autoscaler } from '../../apps/worker/src/capacity/autoscaler.js'
import { DueWork } from '../../apps/worker/src/capacity/due-work.js'
import { PoolSize } from '../../apps/worker/src/capacity/pool-size.js'
import { WorkerLimits } from '../../apps/worker/src/capacity/worker-limits.js'
import { WorkerCommands } from '../../apps/worker/src/control/worker-commands.js'
import { WORKER_NAME } from '../../apps/worker/src/control/worker-name.js'
import { LeaseKeeper } from '../../apps/worker/src/execution/lease-keeper.js'
import { TaskRunner } from '../../apps/worker/src/execution/task-runner.js'
import { WorkerMetrics } from '../../apps/worker/src/health/worker-metrics.js'
import { Consumers } from '../../apps/worker/src/processors/consumers.js'
import { openCeleryMailbox } from '../support/celery-mailbox.js'
import { prefork, stopPools } from '../support/compute-pools.js'
import { hasRedis, startRedis, type RedisServer } from '../support/redis-server.js'
import { waitFor } from '../support/wait-for.js'

const name = 'mg@host'
const noCalls: CeleryCalls = {
  queues: [],
  prefetchCount: 8,
  listActive: async () => [],
  listReserved: async () => [],
  listScheduled: async () => [],
  listRevoked: async () => [],
  find: async () => [],
  revoke: async () => [],
  revokeStamped: async () => ({}),
  addQueue: async () => undefined,
  cancelQueue: async () => undefined,
}

describe.runIf(hasRedis())('Celery commands to a worker', () => {
  let redis: RedisServer
  const ends: (() => unknown)[] = []
  beforeAll(async () => {
    redis = await startRedis(['--requirepass', 'secret'])
  })
  afterAll(() => redis.stop())
  afterEach(async () => {
    for (const end of ends.splice(0).reverse()) await end()
    await stopPools()
  })

  /** What commands change of a worker: its pool, its limits and its consumers' concurrency; it runs no task. */
  const open = async (env: Record<string, string> = {}) => {
    const url = `redis://:secret@127.0.0.1:${redis.port}/1`
    const config = loadConfig({ CELERY_BROKER_URL: url, WORKER_CONCURRENCY: '2', ...env })
    const [pool, runner] = [prefork({ size: config.worker.concurrency }), { ...idle, concurrency: 2 }]
    const connections = new CeleryConnections({ brokerUrl: url, resultBackend: url })
    const providers = [
      ...celeryCommandProviders,
      ...[WorkerCommands, WorkerLimits, WorkerMetrics, PoolSize, Autoscaler],
      { provide: TaskRunner, useValue: runner },
      { provide: Consumers, useValue: { queues: ['predictions'], setConcurrency: () => undefined } },
      { provide: DueWork, useValue: { count: async () => new Map() } },
      { provide: LeaseKeeper, useValue: { size: 0 } },
      { provide: CELERY_CALLS, useValue: noCalls },
      { provide: CallRevokes, useValue: { learn: async () => undefined } },
      { provide: CeleryConnections, useValue: connections },
      { provide: COMPUTE_POOL, useValue: pool },
      { provide: CONFIG, useValue: config },
      { provide: LOGGER, useValue: createLogger('worker', 'silent') },
      { provide: WORKER_NAME, useValue: name },
    ]
    const app = await NestFactory.createApplicationContext(
      { module: class Part {}, providers },
      { logger: false, abortOnError: false },
    )
    app.get(Autoscaler).start()
    app.get(CeleryEvents).start()
    app.get(CeleryControl).start()
    const mailbox = await openCeleryMailbox(url)
    ends.push(
      () => connections.close(),
      () => app.get(Autoscaler).stop(),
      () => app.get(CeleryEvents).stop(),
      () => app.get(CeleryControl).stop(),
      () => mailbox.close(),
    )
    await waitFor(async () => (await mailbox.send('ready')) === 1, { what: 'the worker to subscribe' })
    const ask = async (method: string, given: object = {}): Promise<unknown> =>
      (await mailbox.ask(method, { arguments: given }))?.body[name]
    return { ask, pool, app }
  }
  const idle = { batchesUnderWay: 0, hasFreeChild: true }

  it('stats describes pool, broker and process in the words of Celery', async () => {
    const { ask, pool } = await open()
    await waitFor(() => pool.children.length === 2, { what: 'two children' })
    expect(await ask('stats')).toEqual({
      total: {},
      pid: process.pid,
      uptime: expect.any(Number),
      clock: expect.stringMatching(/^\d+$/),
      prefetch_count: 8,
      pool: {
        implementation: 'memoryguard:prefork',
        'max-concurrency': 2,
        processes: pool.children.map(({ pid }) => pid),
        'max-tasks-per-child': 1000,
        'put-guarded-by-semaphore': false,
        timeouts: [1500, 1800],
        writes: {
          total: 0,
          avg: '0.00',
          all: '0.00, 0.00',
          raw: '0, 0',
          strategy: 'fair',
          inqueues: { total: 2, active: 0 },
        },
      },
      broker: expect.objectContaining({
        hostname: '127.0.0.1',
        port: redis.port,
        virtual_host: '1',
        transport: 'redis',
      }),
      rusage: expect.objectContaining({
        utime: expect.any(Number),
        maxrss: expect.any(Number),
        nvcsw: expect.any(Number),
      }),
    })
  })

  it('conf and report show settings by the names of Celery, and no password', async () => {
    const { ask } = await open()
    const conf = await ask('conf')
    const brokerUrl = `redis://:********@127.0.0.1:${redis.port}/1`
    expect(conf).toMatchObject({ broker_url: brokerUrl, task_time_limit: 1800, worker_prefetch_multiplier: 4 })
    expect(JSON.stringify([conf, await ask('report'), await ask('stats')])).not.toContain('secret')
  })

  it('rate and time limits are set, and shown', async () => {
    const { ask, app } = await open()
    const task = { task_name: 'ml.health_check' }
    expect(await ask('rate_limit', { ...task, rate_limit: '10/m' })).toEqual({ ok: 'new rate limit set successfully' })
    expect(await ask('time_limit', { ...task, soft: 5, hard: null })).toEqual({ ok: 'time limits set successfully' })
    expect(app.get(WorkerLimits).timesOf('ml.health_check')).toEqual({ soft: 5, hard: 1800 })
    expect(await ask('registered')).toContain('ml.health_check [rate_limit=10/m]')
    expect(await ask('registered', { taskinfoitems: ['soft_time_limit', 'acks_late'] })).toContain(
      'ml.health_check [soft_time_limit=5 acks_late=True]',
    )
    expect(await ask('rate_limit', { ...task, rate_limit: 'often' })).toEqual({
      error: expect.stringMatching(
        /^Invalid rate limit string: ValueError\('rate must be a number of tasks per second/,
      ),
    })
    expect(await ask('time_limit', { ...task, soft: 0 })).toEqual({
      error: expect.stringMatching(/^ValueError\('soft /),
    })
  })

  it('the pool grows, shrinks and is restarted', async () => {
    const { ask, pool } = await open()
    expect(await ask('pool_grow', { n: 1 })).toEqual({ ok: 'pool will grow' })
    expect(pool.children).toHaveLength(3)
    expect(await ask('pool_shrink')).toEqual({ ok: 'pool will shrink' })
    await waitFor(() => pool.children.length === 2, { what: 'the child to go' })
    expect(await ask('pool_shrink', { n: 2 })).toEqual({ error: "ValueError('At least one child must stay.')" })
    const before = pool.children.map(({ pid }) => pid)
    expect(await ask('pool_restart')).toEqual({ ok: 'reload started' })
    await waitFor(() => pool.children.every(({ pid }) => !before.includes(pid)), { what: 'other children' })
  })

  it('autoscaling gets other limits', async () => {
    const { ask, pool } = await open({ WORKER_AUTOSCALE: '3,2' })
    expect(await ask('stats')).toMatchObject({ autoscaler: { max: 3, min: 2, current: 2 } })
    expect(await ask('autoscale', { max: 5, min: 4 })).toEqual({ ok: 'autoscale now max=5 min=4' })
    await waitFor(() => pool.children.length === 4, { what: 'the new minimum' })
    expect(await ask('autoscale', { max: 1 })).toEqual({ error: expect.stringContaining('the maximum not below it') })
  })
})
