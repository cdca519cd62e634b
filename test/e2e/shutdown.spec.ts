import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { connect, createServer, type AddressInfo } from 'node:net'
import { fileURLToPath } from 'node:url'
import pg from 'pg'
import { afterEach, describe, expect, it } from 'vitest'
import { describeOnBothBrokers } from '../support/brokers.js'
import { queryNumber } from '../support/query.js'
import { second, slowly } from '../support/requests.js'
import { quickRecovery } from '../support/stack.js'
import { useStack } from '../support/use-stack.js'
import { waitFor } from '../support/wait-for.js'

describeOnBothBrokers('a worker that is asked to stop', (broker) => {
  const stack = useStack({
    broker,
    workers: 0,
    logs: 'keep',
    testModels: true,
    env: { ...quickRecovery, WORKER_CONCURRENCY: '1', WORKER_DRAIN_SECONDS: '1' },
  })
  afterEach(async () => {
    await Promise.all(stack.workers.filter(({ isRunning }) => isRunning).map((worker) => worker.kill('SIGTERM')))
  })

  const submit = async (work: number): Promise<string> => {
    const { body } = await stack.request('POST', '/v1/predictions', slowly(work))
    return String(body['task_id'])
  }
  const readTask = (id: string) => stack.readTask(id)
  const untilRunning = (id: string) => stack.untilTask(id, 'running')
  const untilDone = (id: string) =>
    waitFor(
      async () => {
        const task = await readTask(id)
        return task['finished_at'] !== null && task
      },
      { what: 'the task to end', timeoutMs: 90_000, intervalMs: 100 },
    )

  it('finishes what runs and takes nothing new', async () => {
    const first = await stack.startWorker({ WORKER_DRAIN_SECONDS: '60' })
    const running = await submit(second)
    await untilRunning(running)
    const exited = first.kill('SIGTERM')
    await waitFor(async () => (await fetch(`${first.healthUrl}/readyz`)).status === 503, { what: 'not to be ready' })
    // It still lives, and says so.
    expect((await fetch(`${first.healthUrl}/livez`)).status).toBe(200)
    const later = await submit(0)
    expect(await exited).toBe(0)
    expect(await readTask(running)).toMatchObject({ state: 'succeeded', attempt: 1, retries: 0, crashes: 0 })
    expect(await readTask(later)).toMatchObject({ state: 'queued', attempt: 0 })
    await stack.startWorker()
    expect(await untilDone(later)).toMatchObject({ state: 'succeeded', attempt: 1 })
    const workers = await queryNumber(
      stack.databaseUrl,
      `SELECT count(*)::int AS number FROM workers WHERE pid = $1 AND state = 'stopped'`,
      [first.pid],
    )
    expect(workers).toBe(1)
  })

  it('hands back what is not done in time, without using a retry, and another worker does it', async () => {
    const first = await stack.startWorker()
    const running = await submit(4 * second)
    await untilRunning(running)
    // These have been taken from the broker and wait inside the worker.
    const waiting = [await submit(second), await submit(second)]
    expect(await first.kill('SIGTERM')).toBe(0)
    // Handed back, not finished: it was not waited for.
    expect(await readTask(running)).toMatchObject({ state: 'queued', retries: 0, crashes: 0 })
    await stack.startWorker()
    const done = await untilDone(running)
    expect(done).toMatchObject({
      state: 'succeeded',
      attempt: 2,
      retries: 0,
      crashes: 0,
      attempts: [{ outcome: 'released', error: null }, { outcome: 'succeeded' }],
    })
    for (const id of waiting) expect(await untilDone(id)).toMatchObject({ state: 'succeeded', retries: 0, crashes: 0 })
  })

  it('ends at once at the second signal, and leaves its work to others', async () => {
    const first = await stack.startWorker()
    const running = await submit(second)
    await untilRunning(running)
    first.signal('SIGTERM')
    await waitFor(async () => (await fetch(`${first.healthUrl}/readyz`)).status === 503, { what: 'not to be ready' })
    expect(await first.kill('SIGTERM')).toBe(1)
    await stack.startWorker()
    expect(await untilDone(running)).toMatchObject({
      state: 'succeeded',
      retries: 0,
      attempts: [{ outcome: 'lost' }, { outcome: 'succeeded' }],
    })
  })

  it('leaves no compute child behind, however it ends', async () => {
    const first = await stack.startWorker()
    await first.kill('SIGKILL')
    await waitFor(() => stack.listProcesses().join() === String(stack.api.pid), { what: 'its children to end' })
  })
})

describe('an api that is asked to stop', () => {
  const stack = useStack({ broker: 'postgres', workers: 0 })

  it('completes what is under way, closes its connection and ends', async () => {
    const blocker = new pg.Client({ connectionString: stack.databaseUrl })
    await blocker.connect()
    await blocker.query('BEGIN; LOCK TABLE predictions IN ACCESS EXCLUSIVE MODE')
    const response = stack.request('POST', '/v1/predictions', { user_id: 1, health_metrics: { mmse_score: 24 } })
    await waitFor(
      async () =>
        (await queryNumber(stack.databaseUrl, 'SELECT count(*)::int AS number FROM pg_locks WHERE NOT granted')) > 0,
      { what: 'the submission to be under way' },
    )
    stack.api.signal('SIGTERM')
    await waitFor(
      () =>
        fetch(`${stack.url}/livez`).then(
          () => false,
          () => true,
        ),
      { what: 'no new connections' },
    )
    await blocker.end()
    expect((await response).status).toBe(202)
    expect((await response).headers.get('connection')).toBe('close')
    expect(await stack.api.exited).toBe(0)
  })

  it('does not wait for who is slow: waits end with the current state, and what does not arrive is cut', async () => {
    await stack.startApi()
    const slow = connect(Number(new URL(stack.url).port), '127.0.0.1')
    const closed = once(slow, 'close')
    slow.on('error', () => undefined).resume()
    slow.write(
      `POST /v1/predictions HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${stack.key}\r\n` +
        'Content-Type: application/json\r\nContent-Length: 9\r\n\r\n{',
    )
    const body = { user_id: 1, health_metrics: { mmse_score: 24 } }
    const count = 'SELECT count(*)::int AS number FROM predictions'
    const before = await queryNumber(stack.databaseUrl, count)
    const response = stack.request('POST', '/v1/predictions', body, { prefer: 'wait=25' })
    await waitFor(async () => (await queryNumber(stack.databaseUrl, count)) > before, { what: 'the submission' })
    stack.api.signal('SIGTERM')
    expect((await response).status).toBe(202)
    await closed
    expect(await stack.api.exited).toBe(0)
  })
})

describe('a process that cannot start', () => {
  const main = fileURLToPath(new URL('../../dist/bin/memoryguard.js', import.meta.url))
  const run = (args: readonly string[], env: Readonly<Record<string, string>>) => {
    const child = spawn(process.execPath, [main, ...args], { env: { PATH: process.env['PATH'], ...env } })
    let output = ''
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (data: Buffer) => (output += data.toString()))
    return { child, exited: once(child, 'exit'), output: () => output }
  }

  it('says that the port of its probes is taken, and ends', async () => {
    const rival = createServer().listen(0, '127.0.0.1')
    await once(rival, 'listening')
    const { port } = rival.address() as AddressInfo
    const worker = run(['worker', '--health-port', String(port)], {
      DATABASE_URL: 'postgres://nobody@127.0.0.1:1/none',
    })
    expect(await worker.exited).toEqual([1, null])
    expect(worker.output()).toContain(
      `127.0.0.1:${port} is in use. Choose another port for the probes with --health-port`,
    )
    rival.close()
  })

  it.each(['api', 'worker'])('ends at once while the %s waits for the database', async (name) => {
    const waiting = run([name], {
      DATABASE_URL: 'postgres://nobody@127.0.0.1:1/none',
      ADMIN_API_KEY: 'mg_test-key-of-nobody-0123456789',
      WORKER_HEALTH_PORT: '0',
      PORT: '0',
    })
    await waitFor(() => waiting.output().includes('The database does not respond'), { what: 'the wait' })
    waiting.child.kill('SIGTERM')
    expect(await waiting.exited).toEqual([0, null])
  })
})
