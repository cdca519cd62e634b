import { describe, expect, it } from 'vitest'
import { describeOnBothBrokers } from '../support/brokers.js'
import { insertKey, query } from '../support/query.js'
import { itemsOf, second, slowTask } from '../support/requests.js'
import { useStack } from '../support/use-stack.js'
import { waitFor } from '../support/wait-for.js'

const check = { name: 'ml.health_check' }

describeOnBothBrokers('operating', (broker) => {
  const stack = useStack({
    broker,
    workers: 2,
    testModels: true,
    env: { RECONCILE_INTERVAL_SECONDS: '0.5', TASK_LOCK_SECONDS: '3' },
  })

  const send = async (body: object) => String((await stack.post('/v1/tasks', body)).body['id'])
  const stateOf = async (id: string) => (await stack.readTask(id))['state']
  const untilState = (id: string, state: string) => stack.untilTask(id, state)
  const readQueue = async (name: string) =>
    itemsOf(await stack.get('/v1/queues')).find((queue) => queue['name'] === name)

  describe('queues', () => {
    it('are listed with depth, rate, waits and consumers', async () => {
      const id = await send({ ...check, queue: 'batch' })
      await untilState(id, 'succeeded')
      const later = await send({ ...check, queue: 'batch', countdown: 600 })
      const queue = await readQueue('batch')
      expect(queue).toMatchObject({
        paused: false,
        depth: { scheduled: 1 },
        broker: { waiting: 0, delayed: 1 },
        oldest_waiting_seconds: null,
        consumers: ['worker1@test', 'worker2@test'],
      })
      expect(queue?.['rate_per_second']).toBeGreaterThan(0)
      expect(queue?.['wait_p95_seconds']).toBeLessThan(60)
      expect(queue?.['run_p95_seconds']).toBeLessThan(60)
      await stack.post(`/v1/tasks/${later}/revoke`)
      await waitFor(async () => (await readQueue('batch'))?.['broker'], { what: 'the broker' })
      expect(await readQueue('batch')).toMatchObject({ depth: {}, broker: { delayed: 0 } })
    })

    it('start nothing while they are paused, and everything once when they go on', async () => {
      expect((await stack.post('/v1/queues/forecasts/pause')).body).toEqual({ name: 'forecasts', paused: true })
      const ids: string[] = []
      for (let index = 0; index < 5; index += 1) ids.push(await send({ ...check, queue: 'forecasts' }))
      // A task of another queue passes by.
      await untilState(await send({ ...check, queue: 'batch' }), 'succeeded')
      const states = await Promise.all(ids.map(stateOf))
      expect(states).toEqual(ids.map(() => 'queued'))
      const queue = await readQueue('forecasts')
      expect(queue).toMatchObject({ paused: true, depth: { queued: 5 } })
      expect(queue?.['oldest_waiting_seconds']).toBeGreaterThan(0)
      expect((await stack.post('/v1/queues/forecasts/resume')).body).toEqual({ name: 'forecasts', paused: false })
      for (const id of ids) await untilState(id, 'succeeded')
      const attempts = await query(stack.databaseUrl, 'SELECT attempt FROM tasks WHERE id = ANY($1::uuid[])', [ids])
      expect(attempts).toEqual(ids.map(() => ({ attempt: 1 })))
    })

    it('stay paused if the broker has forgotten it', async () => {
      await stack.post('/v1/queues/explanations/pause')
      if (broker === 'redis') {
        const { Redis } = await import('ioredis')
        const client = new Redis(stack.redis?.url ?? '')
        await client.flushall()
        await client.quit()
      } else {
        await query(stack.databaseUrl, 'DELETE FROM memoryguard_queue.job')
        await query(stack.databaseUrl, `DELETE FROM memoryguard_queue.meta WHERE field = 'paused'`)
      }
      const id = await send({ ...check, queue: 'explanations' })
      // Others of the same second have run.
      for (let index = 0; index < 5; index += 1) await untilState(await send({ ...check, queue: 'batch' }), 'succeeded')
      expect(await stateOf(id)).toBe('queued')
      await stack.post('/v1/queues/explanations/resume')
      await untilState(id, 'succeeded')
    })

    it('are purged of what has not started', async () => {
      await stack.post('/v1/queues/forecasts/pause')
      const ids = [
        await send({ ...check, queue: 'forecasts' }),
        await send({ ...check, queue: 'forecasts' }),
        await send({ ...check, queue: 'forecasts', countdown: 600 }),
      ]
      const purged = await stack.post('/v1/queues/forecasts/purge')
      expect(purged.body).toEqual({ name: 'forecasts', paused: true, purged: 3 })
      for (const id of ids) expect(await stateOf(id)).toBe('cancelled')
      await stack.post('/v1/queues/forecasts/resume')
      const next = await send({ ...check, queue: 'forecasts' })
      await untilState(next, 'succeeded')
      expect(await readQueue('forecasts')).toMatchObject({ depth: {} })
    })

    it('are operated by operators, and others get the reason why not', async () => {
      const submitter = await insertKey(stack.databaseUrl, { role: 'submitter' })
      const refused = await stack.post('/v1/queues/batch/pause', undefined, { authorization: `Bearer ${submitter}` })
      expect([refused.status, refused.body['code']]).toEqual([403, 'ACCESS_ROLE_MISSING'])
      expect((await stack.post('/v1/queues/celery/pause')).status).toBe(422)
    })
  })

  describe('workers', () => {
    const command = (name: string, what: string, body?: unknown) =>
      stack.post(`/v1/workers/${encodeURIComponent(name)}/${what}`, body)
    const readWorker = async (name: string) => (await stack.get(`/v1/workers/${encodeURIComponent(name)}`)).body

    it('are listed from their heartbeats', async () => {
      const workers = itemsOf(await stack.get('/v1/workers'))
      expect(workers.map(({ name, state }) => [name, state])).toEqual([
        ['worker1@test', 'ready'],
        ['worker2@test', 'ready'],
      ])
      expect(workers[0]).toMatchObject({
        queues: ['predictions', 'batch', 'explanations', 'forecasts'],
        pool: 'prefork',
        concurrency: 2,
        tasks: expect.arrayContaining(['ml.process_prediction', 'ml.health_check']),
        versions: { node: process.versions.node },
      })
      expect((await stack.get('/v1/workers/nobody')).status).toBe(404)
    })

    it('respond to a ping over the control bus', async () => {
      const { status, body } = await command('worker1@test', 'ping')
      expect(status).toBe(200)
      expect(body).toMatchObject({ worker: 'worker1@test', acknowledged: true, answer: { ok: 'pong' }, error: null })
    })

    it('do a command whose message was lost', async () => {
      const { body } = await command('worker1@test', 'ping')
      const [row] = await query<{ id: string }>(
        stack.databaseUrl,
        `INSERT INTO worker_commands (id, worker_id, command, expires_at)
         SELECT gen_random_uuid(), worker_id, 'ping', now() + interval '60 s' FROM worker_commands WHERE id = $1
         RETURNING id`,
        [body['id']],
      )
      await waitFor(
        async () => {
          const [done] = await query<{ answer: unknown }>(
            stack.databaseUrl,
            'SELECT answer FROM worker_commands WHERE id = $1 AND acknowledged_at IS NOT NULL',
            [row?.id],
          )
          return done?.answer
        },
        { what: 'the acknowledgement', timeoutMs: 10_000 },
      )
    })

    it('grow, shrink and restart their pools', async () => {
      const children = () => stack.listProcesses()
      expect((await command('worker1@test', 'pool-grow', { n: 2 })).body['answer']).toEqual({ children: 4 })
      expect(await readWorker('worker1@test')).toMatchObject({ concurrency: 4 })
      expect((await command('worker1@test', 'pool-shrink', { n: 3 })).body['answer']).toEqual({ children: 1 })
      const refused = await command('worker1@test', 'pool-shrink', { n: 1 })
      expect([refused.status, refused.body['detail']]).toEqual([422, 'At least one child must stay.'])
      await command('worker1@test', 'pool-grow')
      const before = children()
      expect((await command('worker1@test', 'pool-restart')).status).toBe(200)
      await waitFor(() => children().filter((pid) => !before.includes(pid)).length >= 2, { what: 'new children' })
      await untilState(await send(slowTask(1)), 'succeeded')
    })

    it('stop consuming a queue, and consume it again', async () => {
      for (const name of ['worker1@test', 'worker2@test']) {
        const { body } = await command(name, 'cancel-consumer', { queue: 'batch' })
        expect(body['answer']).toEqual({ queues: ['predictions', 'explanations', 'forecasts'] })
      }
      expect(await readQueue('batch')).toMatchObject({ consumers: [] })
      const id = await send({ ...check, queue: 'batch' })
      await untilState(await send({ ...check, queue: 'forecasts' }), 'succeeded')
      expect(await stateOf(id)).toBe('queued')
      await command('worker2@test', 'add-consumer', { queue: 'batch' })
      await untilState(id, 'succeeded')
      expect((await stack.get(`/v1/tasks/${id}`)).body).toMatchObject({ worker: 'worker2@test', attempt: 1 })
      await command('worker1@test', 'add-consumer', { queue: 'batch' })
    })

    it('end a task at a limit that was set while they run', async () => {
      for (const name of ['worker1@test', 'worker2@test']) {
        const { body } = await command(name, 'time-limit', { task: 'ml.process_prediction', soft: 0.3, hard: 0.6 })
        expect(body['answer']).toEqual({ task: 'ml.process_prediction', soft: 0.3, hard: 0.6 })
      }
      await untilState(await send(slowTask(2 * second)), 'timed_out')
      for (const name of ['worker1@test', 'worker2@test']) {
        await command(name, 'time-limit', { task: 'ml.process_prediction', soft: 1500, hard: 1800 })
      }
    })

    it('space the starts of a task at a rate', async () => {
      for (const name of ['worker1@test', 'worker2@test']) {
        expect((await command(name, 'rate-limit', { task: 'ml.health_check', rate: '2/s' })).status).toBe(200)
      }
      const startedAt = Date.now()
      const ids = await Promise.all(Array.from({ length: 6 }, () => send(check)))
      for (const id of ids) await untilState(id, 'succeeded')
      // Six by two workers at two a second: the third of one of them starts a second after its first.
      expect(Date.now() - startedAt).toBeGreaterThanOrEqual(900)
      for (const name of ['worker1@test', 'worker2@test']) {
        await command(name, 'rate-limit', { task: 'ml.health_check', rate: '0' })
      }
    })

    it.each([
      ['pool-grow', { n: 0 }, '/n'],
      ['add-consumer', { queue: 'celery' }, '/queue'],
      ['rate-limit', { task: 'ml.health_check', rate: 'often' }, '/rate'],
      ['time-limit', { task: 'ml.nothing', soft: 1 }, '/task'],
      ['ping', { loud: true }, '/loud'],
    ])('refuse %s with %j', async (what, body, pointer) => {
      const { status, body: problem } = await command('worker1@test', what, body)
      expect([status, (problem['errors'] as { pointer: string }[]).map((fault) => fault.pointer)]).toEqual([
        422,
        [pointer],
      ])
    })

    it('shut down at an operator’s wish, and say so', async () => {
      const [, second] = stack.workers
      expect((await command('worker2@test', 'shutdown')).body).toMatchObject({ acknowledged: true })
      expect(await second?.exited).toBe(0)
      expect(await readWorker('worker2@test')).toMatchObject({ state: 'stopped' })
      expect((await command('worker2@test', 'ping')).status).toBe(409)
    })

    it('show as stale when they hang', async () => {
      const [first] = stack.workers
      process.kill(first?.pid ?? 0, 'SIGSTOP')
      try {
        await waitFor(async () => (await readWorker('worker1@test'))['state'] === 'stale', { what: 'it to be stale' })
        expect(await readQueue('predictions')).toMatchObject({ consumers: [] })
        const { status, body } = await command('worker1@test', 'ping')
        expect([status, body['acknowledged']]).toEqual([202, false])
      } finally {
        process.kill(first?.pid ?? 0, 'SIGCONT')
      }
      await waitFor(async () => (await readWorker('worker1@test'))['state'] === 'ready', { what: 'it to be back' })
    })
  })

  it('everything an operator did is in the audit trail', async () => {
    const actions = await query<{ action: string; target: string; api_key_id: string; request_id: string }>(
      stack.databaseUrl,
      // The first admin key is installed by the service itself, by no request.
      `SELECT action, target, api_key_id, request_id FROM audit_log WHERE NOT details ? 'is_bootstrap'`,
    )
    const names = actions.map(({ action }) => action)
    expect(names).toEqual(
      expect.arrayContaining(['queue.pause', 'queue.resume', 'queue.purge', 'worker.shutdown', 'worker.pool-grow']),
    )
    for (const { api_key_id, request_id } of actions)
      expect([api_key_id, request_id]).toEqual([expect.any(String), expect.any(String)])
  })
})
