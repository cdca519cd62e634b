import { once } from 'node:events'
import { Worker } from 'bullmq'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { query } from '../support/query.js'
import { hasRedis } from '../support/redis-server.js'
import { startStack, type Stack, type WorkerProgram } from '../support/stack.js'
import { startTcpProxy, type TcpProxy } from '../support/tcp-proxy.js'
import { waitFor } from '../support/wait-for.js'

const request = { user_id: 1, health_metrics: { mmse_score: 24, age: 72 } }

describe.runIf(hasRedis())('a worker whose connections to Redis are dead, and nobody says so', () => {
  let stack: Stack
  let proxy: TcpProxy
  let worker: WorkerProgram

  beforeAll(async () => {
    stack = await startStack({
      broker: 'redis',
      workers: 0,
      logs: 'keep',
      env: { RECONCILE_INTERVAL_SECONDS: '0.5', TASK_LOCK_SECONDS: '2' },
    })
  })
  afterAll(() => stack.stop())

  const startBehindProxy = async (env: Readonly<Record<string, string>>) => {
    proxy = await startTcpProxy(stack.redis?.port ?? 0)
    worker = await stack.startWorker({ BROKER_URL: `redis://127.0.0.1:${proxy.port}`, ...env })
    const { status } = await stack.request('POST', '/v1/predictions', request, { prefer: 'wait=20' })
    expect(status).toBe(200)
  }
  const submit = async () => String((await stack.request('POST', '/v1/predictions', request)).body['task_id'])
  const readState = async (id: string) => (await stack.request('GET', `/v1/tasks/${id}`)).body['state']

  it('connects anew and goes on', async () => {
    await startBehindProxy({ WORKER_STALL_REBUILD_SECONDS: '1' })
    proxy.silence()
    const ids = [await submit(), await submit()]
    for (const id of ids) {
      await waitFor(async () => (await readState(id)) === 'succeeded', { what: 'the task', timeoutMs: 60_000 })
    }
    expect(stack.readLogs()).toContain('reconnecting to the broker')
    expect((await fetch(`${worker.healthUrl}/readyz`)).status).toBe(200)
    expect(await worker.kill('SIGTERM')).toBe(0)
    await proxy.close()
  })

  it('does not end if the way to Redis is closed altogether, for that is an outage', async () => {
    await startBehindProxy({
      WORKER_STALL_REBUILD_SECONDS: '0.5',
      WORKER_STALL_UNREADY_SECONDS: '1',
      WORKER_STALL_EXIT_SECONDS: '1.5',
    })
    proxy.silenceAll()
    const id = await submit()
    const rebuilds = () => stack.readLogs().split('reconnecting to the broker').length - 1
    const before = rebuilds()
    await waitFor(() => rebuilds() >= before + 2, { what: 'it to connect anew twice', timeoutMs: 60_000 })
    expect(worker.isRunning).toBe(true)
    expect(await readState(id)).toBe('queued')
    expect(await worker.kill('SIGTERM')).toBe(0)
    await proxy.close()
  })

  it('is left alone if it is idle and another worker has the job that waits', async () => {
    const held: string[] = []
    const release = new AbortController()
    const holder = new Worker(
      'predictions',
      async ({ data }: { data: { task_ids: string[] } }) => {
        held.push(...data.task_ids)
        await once(release.signal, 'abort')
      },
      {
        connection: { url: stack.redis?.url ?? '', maxRetriesPerRequest: null },
        prefix: '{memoryguard:predictions}',
        removeOnComplete: { count: 0 },
        // Tasks of the tests before may wait too.
        concurrency: 10,
      },
    )
    const id = await submit()
    await waitFor(() => held.includes(id), { what: 'the job to be held' })
    const rebuilds = () => stack.readLogs().split('reconnecting to the broker').length - 1
    const before = rebuilds()
    const idle = await stack.startWorker({
      WORKER_STALL_REBUILD_SECONDS: '0.5',
      WORKER_STALL_UNREADY_SECONDS: '1',
      WORKER_STALL_EXIT_SECONDS: '1.5',
    })
    // Longer than work must wait to count, and the worker would have ended since.
    await query(stack.databaseUrl, 'SELECT pg_sleep(5)')
    expect(await readState(id)).toBe('queued')
    expect(rebuilds()).toBe(before)
    expect((await fetch(`${idle.healthUrl}/readyz`)).status).toBe(200)
    release.abort()
    await holder.close()
    await waitFor(async () => (await readState(id)) === 'succeeded', { what: 'the idle worker to do it' })
    expect(await idle.kill('SIGTERM')).toBe(0)
  })

  it('is no longer ready and ends if nothing helps, and another does its work', async () => {
    // Its own chores would have the broker deliver again.
    const stalled = await stack.startWorker({
      RECONCILE_INTERVAL_SECONDS: '600',
      WORKER_STALL_REBUILD_SECONDS: '0.5',
      WORKER_STALL_UNREADY_SECONDS: '1',
      WORKER_STALL_EXIT_SECONDS: '4',
    })
    await stack.request('POST', '/v1/queues/predictions/pause')
    const id = await submit()
    // Resuming by the API would have the broker deliver again.
    await query(stack.databaseUrl, 'DELETE FROM paused_queues')
    const faults = await waitFor(
      async () => {
        const response = await fetch(`${stalled.healthUrl}/readyz`)
        return response.status === 503 && ((await response.json()) as { error: Record<string, object> }).error
      },
      { what: 'it not to be ready' },
    )
    expect(faults).toEqual({ consumers: { status: 'down', message: 'work waits, but none is taken' } })
    expect(await stalled.exited).toBe(1)
    expect(await readState(id)).toBe('queued')
    await stack.startWorker()
    await waitFor(async () => (await readState(id)) === 'succeeded', { what: 'another to do it' })
  })
})

describe('a worker whose connections to PostgreSQL are dead, and nobody says so', () => {
  let stack: Stack
  let proxy: TcpProxy
  beforeAll(async () => {
    stack = await startStack({
      broker: 'postgres',
      workers: 0,
      env: { RECONCILE_INTERVAL_SECONDS: '0.5', TASK_LOCK_SECONDS: '2', DATABASE_SILENCE_SECONDS: '1' },
    })
    const url = new URL(stack.databaseUrl)
    proxy = await startTcpProxy(Number(url.port))
    url.port = String(proxy.port)
    await stack.startWorker({ DATABASE_URL: url.href, WORKER_STALL_REBUILD_SECONDS: '2' })
  })
  afterAll(async () => {
    await stack.stop()
    await proxy.close()
  })

  it('goes on over new ones, of the queues and of the data', async () => {
    const submit = (headers: Record<string, string> = {}) => stack.request('POST', '/v1/predictions', request, headers)
    expect((await submit({ prefer: 'wait=20' })).status).toBe(200)
    proxy.silence()
    const { body } = await submit()
    const task = await waitFor(
      async () => {
        const response = await stack.request('GET', `/v1/tasks/${String(body['task_id'])}`)
        return response.body['state'] === 'succeeded' && response.body
      },
      { what: 'the task', timeoutMs: 90_000 },
    )
    expect(task).toMatchObject({ retries: 0 })
    expect((await submit({ prefer: 'wait=20' })).status).toBe(200)
    expect(stack.workers.map(({ isRunning }) => isRunning)).toEqual([true])
  })
})
