import pg from 'pg'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { describeOnBothBrokers } from '../support/brokers.js'
import { query } from '../support/query.js'
import { second, slowly, waiting } from '../support/requests.js'
import { listChildrenOf } from '../support/process-list.js'
import { hasRedis } from '../support/redis-server.js'
import { quickRecovery, startStack, type HttpResponse, type BrokerKind, type Stack } from '../support/stack.js'
import { waitFor } from '../support/wait-for.js'

/** A value that must stand in no log line. */
const canary = 71.357913
const request = { user_id: 123, health_metrics: { mmse_score: 24, age: canary } }

const start = (broker: BrokerKind): Promise<Stack> =>
  startStack({
    broker,
    logs: 'keep',
    testModels: true,
    env: {
      ...quickRecovery,
      LOG_LEVEL: 'trace',
      TASK_RETRY_DELAY_SECONDS: '0.5',
      DATABASE_SILENCE_SECONDS: '1',
    },
  })

const submit = (stack: Stack, body: unknown = request, headers: Record<string, string> = {}) =>
  stack.request('POST', '/v1/predictions', body, headers)

const statusOf = async (url: string): Promise<number> => (await fetch(url)).status

const untilSucceeded = (stack: Stack, taskId: unknown) => stack.untilTask(taskId, 'succeeded', 60_000)

describeOnBothBrokers('while the database is down', (broker) => {
  let stack: Stack
  beforeAll(async () => {
    stack = await start(broker)
  })
  afterAll(() => stack.stop())

  it('submissions are refused with when to try again, the probes show it, and all heals by itself', async () => {
    const worker = stack.workers[0]?.healthUrl ?? ''
    const slow = await submit(stack, slowly(2 * second))
    await waitFor(
      async () => (await stack.request('GET', `/v1/tasks/${String(slow.body['task_id'])}`)).body['state'] === 'running',
      { what: 'the slow task to start' },
    )
    await stack.postgres.kill()

    const refused = await submit(stack)
    expect([refused.status, refused.body['code']]).toEqual([503, 'DATABASE_UNAVAILABLE'])
    expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(0)
    expect(refused.headers.get('content-type')).toMatch(/^application\/problem\+json/)
    const read = await stack.request('GET', '/v1/predictions/1')
    expect([read.status, read.body['code']]).toEqual([503, 'DATABASE_UNAVAILABLE'])
    for (const url of [stack.url, worker]) {
      expect([url, await statusOf(`${url}/livez`)]).toEqual([url, 200])
      await waitFor(async () => (await statusOf(`${url}/readyz`)) === 503, { what: `${url} not to be ready` })
      expect([url, await statusOf(`${url}/metrics`)]).toEqual([url, 200])
    }

    await stack.postgres.restart()
    await waitFor(async () => (await statusOf(`${stack.url}/readyz`)) === 200, { what: 'the api to be ready' })
    await waitFor(async () => (await statusOf(`${worker}/readyz`)) === 200, { what: 'the worker to be ready' })
    const healed = await submit(stack, request, waiting)
    expect(healed.status).toBe(200)
    // Nothing was stored of what was refused, and the result in hand outlived the outage.
    const stored = await query(stack.databaseUrl, 'SELECT id FROM predictions')
    expect(stored).toHaveLength(2)
    const task = await untilSucceeded(stack, slow.body['task_id'])
    const outcomes = (task['attempts'] as { outcome: string }[]).map(({ outcome }) => outcome)
    expect(outcomes.filter((outcome) => outcome === 'succeeded')).toHaveLength(1)
    expect(task['retries']).toBe(0)
    expect([stack.api, ...stack.workers].map(({ isRunning }) => isRunning)).toEqual([true, true])
  })

  it('a submission whose statement is cut off is refused too', async () => {
    const blocker = new pg.Client({ connectionString: stack.databaseUrl })
    await blocker.connect()
    let response: Promise<HttpResponse> | undefined
    try {
      await blocker.query('BEGIN')
      await blocker.query('LOCK TABLE predictions IN ACCESS EXCLUSIVE MODE')
      response = submit(stack)
      await waitFor(
        async () => {
          // Not by the blocker itself: a transaction sees the activity as it was at its first read.
          const cut = await query(
            stack.databaseUrl,
            `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
             WHERE datname = current_database() AND cardinality(pg_blocking_pids(pid)) > 0
               AND query LIKE '%INSERT INTO tasks%'`,
          )
          return cut.length > 0
        },
        { what: 'the statement to wait for the lock' },
      )
    } finally {
      await blocker.end()
    }
    const { status, body } = await response
    expect([status, body['code']]).toEqual([503, 'DATABASE_UNAVAILABLE'])
    // A connection that was cut off may be handed out once more before the pool is notified of its end.
    await waitFor(async () => (await submit(stack, request, waiting)).status === 200, {
      what: 'submissions to be taken again',
      timeoutMs: 20_000,
    })
  })

  it('PostgreSQL that hangs is distinguished from one that works: submissions are refused, and all heals by itself', async () => {
    const worker = stack.workers[0]?.healthUrl ?? ''
    const slow = await submit(stack, slowly(2 * second))
    await waitFor(
      async () => (await stack.request('GET', `/v1/tasks/${String(slow.body['task_id'])}`)).body['state'] === 'running',
      { what: 'the slow task to start' },
    )
    const processes = [stack.postgresPid, ...listChildrenOf(stack.postgresPid)]
    for (const pid of processes) process.kill(pid, 'SIGSTOP')
    try {
      const refused = await Promise.all([submit(stack), stack.request('GET', '/v1/predictions/1')])
      expect(refused.map(({ status, body }) => [status, body['code']])).toEqual([
        [503, 'DATABASE_UNAVAILABLE'],
        [503, 'DATABASE_UNAVAILABLE'],
      ])
      for (const url of [stack.url, worker]) {
        expect([url, await statusOf(`${url}/livez`)]).toEqual([url, 200])
        await waitFor(async () => (await statusOf(`${url}/readyz`)) === 503, { what: `${url} not to be ready` })
      }
    } finally {
      for (const pid of processes) process.kill(pid, 'SIGCONT')
    }
    for (const url of [stack.url, worker]) {
      await waitFor(async () => (await statusOf(`${url}/readyz`)) === 200, { what: 'it to be ready' })
    }
    expect((await submit(stack, request, waiting)).status).toBe(200)
    const task = await untilSucceeded(stack, slow.body['task_id'])
    const outcomes = (task['attempts'] as { outcome: string }[]).map(({ outcome }) => outcome)
    expect(outcomes.filter((outcome) => outcome === 'succeeded')).toHaveLength(1)
    expect([stack.api, ...stack.workers].map(({ isRunning }) => isRunning)).toEqual([true, true])
  })

  it('no health data gets into a log', () => {
    const logs = stack.readLogs()
    expect(logs).toContain('ECONNREFUSED')
    expect(logs).toContain('57P01')
    expect(logs).not.toContain(String(canary))
    expect(logs).not.toContain('mmse_score')
  })
})

describe.runIf(hasRedis())('while Redis is down', () => {
  let stack: Stack
  beforeAll(async () => {
    stack = await start('redis')
  })
  afterAll(() => stack.stop())

  it('submissions are taken and enqueued later, also by an api that was started meanwhile', async () => {
    await stack.redis?.kill()
    const taken = await submit(stack)
    expect(taken.status).toBe(202)
    // Probes share what was found within the last second.
    const ready = await waitFor(
      async () => {
        const probe = await stack.request('GET', '/readyz')
        return probe.body['broker'] === 'down' && probe
      },
      { what: 'the probe to name the broker' },
    )
    expect(ready.status).toBe(200)
    const worker = stack.workers[0]?.healthUrl ?? ''
    await waitFor(async () => (await statusOf(`${worker}/readyz`)) === 503, { what: 'the worker not to be ready' })
    expect(await statusOf(`${worker}/livez`)).toBe(200)

    await stack.api.kill('SIGTERM')
    await stack.startApi()
    const takenByNew = await submit(stack)
    expect(takenByNew.status).toBe(202)

    await stack.redis?.restart()
    for (const { body } of [taken, takenByNew]) {
      expect(await untilSucceeded(stack, body['task_id'])).toMatchObject({ attempt: 1, retries: 0 })
    }
    expect((await submit(stack, request, waiting)).status).toBe(200)
    await waitFor(async () => (await statusOf(`${worker}/readyz`)) === 200, { what: 'the worker to be ready' })
    expect(stack.readLogs()).not.toContain(String(canary))
  })
})
