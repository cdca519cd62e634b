import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { describeOnBothBrokers } from '../support/brokers.js'
import { readEvents, type EventReader } from '../support/event-stream.js'
import { insertKey, query } from '../support/query.js'
import { startStack, type Stack } from '../support/stack.js'
import { waitFor } from '../support/wait-for.js'

/** A value that no event may hold: an age that nobody has typed by chance. */
const canary = 71.0625
const unknownTask = '019a0000-0000-7000-8000-000000000000'

describeOnBothBrokers('events', (broker) => {
  let stack: Stack
  const readers: EventReader[] = []
  beforeAll(async () => {
    stack = await startStack({
      broker,
      testModels: true,
      env: {
        EVENTS_HEARTBEAT_SECONDS: '0.3',
        RECONCILE_INTERVAL_SECONDS: '0.5',
        TASK_RETRY_DELAY_SECONDS: '1',
      },
    })
  })
  afterAll(async () => {
    for (const reader of readers) reader.close()
    await stack.stop()
  })

  const open = async (path: string, options: Parameters<typeof readEvents>[2] = {}) => {
    const reader = await readEvents(stack, path, options)
    readers.push(reader)
    return reader
  }
  const predict = async (body: object = {}): Promise<string> => {
    const request = { user_id: 7, health_metrics: { mmse_score: 24, age: canary }, ...body }
    return String((await stack.request('POST', '/v1/predictions', request)).body['task_id'])
  }
  const statesOf = (reader: EventReader, task?: string) =>
    reader.events.filter(({ data }) => task === undefined || data['task_id'] === task).map(({ event }) => event)
  const whole = ['task.queued', 'task.running', 'task.succeeded']

  describe('of a task', () => {
    it('show every change with its time and end with the task', async () => {
      const task = await predict()
      const reader = await open(`/v1/tasks/${task}/events`)
      await reader.ended()
      expect(reader.status).toBe(200)
      expect(reader.headers).toMatchObject({
        'content-type': 'text/event-stream; charset=utf-8',
        'cache-control': 'no-store, no-transform',
        'x-accel-buffering': 'no',
        'x-request-id': expect.any(String),
      })
      expect(statesOf(reader)).toEqual(whole)
      const { timeline } = (await stack.request('GET', `/v1/tasks/${task}`)).body as { timeline: { at: string }[] }
      expect(reader.events.map(({ data }) => data['at'])).toEqual(timeline.map(({ at }) => at))
      expect(reader.events.at(-1)?.data).toMatchObject({
        task_id: task,
        name: 'ml.process_prediction',
        state: 'succeeded',
        celery_state: 'SUCCESS',
        attempt: 1,
        error_code: null,
        user_id: 7,
      })
      expect(reader.text).not.toContain(String(canary))
    })

    it('go on after the last one that a client got, and say when there is nothing more', async () => {
      const task = await predict()
      const first = await open(`/v1/tasks/${task}/events`)
      await first.ended()
      const [queued] = first.events
      const second = await open(`/v1/tasks/${task}/events`, { lastId: queued?.id })
      await second.ended()
      expect(second.events).toEqual(first.events.slice(1))
      expect((await open(`/v1/tasks/${task}/events`, { lastId: first.lastId })).status).toBe(204)
    })

    it('keep a silent connection open by comments, and end when it is cancelled', async () => {
      const { body } = await stack.request('POST', '/v1/tasks', { name: 'ml.health_check', countdown: 600 })
      const reader = await open(`/v1/tasks/${String(body['id'])}/events`)
      await waitFor(() => reader.comments.length >= 2, { what: 'two heartbeats' })
      expect(reader.comments[0]).toBe('heartbeat')
      await stack.request('POST', `/v1/tasks/${String(body['id'])}/revoke`)
      await reader.ended()
      expect(statesOf(reader)).toEqual(['task.scheduled', 'task.cancelled'])
      expect(reader.events.at(-1)?.data).toMatchObject({ celery_state: 'REVOKED', error_code: 'TASK_REVOKED' })
    })

    it('show a cancelled retry as both', async () => {
      const { body } = await stack.request('POST', '/v1/tasks', { name: 'ml.health_check', countdown: 600 })
      const id = String(body['id'])
      // As a transient failure leaves it.
      await query(
        stack.databaseUrl,
        `WITH t AS (UPDATE tasks SET state = 'retrying', attempt = 1, started_at = now(), worker = 'w' WHERE id = $1)
         INSERT INTO task_attempts (task_id, attempt, worker, outcome, started_at, ended_at)
         VALUES ($1, 1, 'w', 'retried', now(), now())`,
        [id],
      )
      const reader = await open(`/v1/tasks/${id}/events`)
      await waitFor(() => statesOf(reader).includes('task.retrying'), { what: 'the retry' })
      await stack.request('POST', `/v1/tasks/${id}/revoke`)
      await reader.ended()
      expect(statesOf(reader)).toEqual(['task.scheduled', 'task.running', 'task.retrying', 'task.cancelled'])
      expect(reader.events.map(({ id: place }) => place)).toEqual(['0', '1', '2', '3'])
    })

    it('show how far a batch is', async () => {
      const items = Array.from({ length: 3_000 }, (_, index) => ({
        user_id: index + 1,
        health_metrics: { mmse_score: 24 },
      }))
      const { body } = await stack.request('POST', '/v1/batches', { items })
      const task = String(body['task_id'])
      const reader = await open(`/v1/tasks/${task}/events`)
      await reader.ended()
      const states = statesOf(reader).filter((event) => event !== 'task.progress')
      expect(states).toEqual(whole)
      const last = { percent: 100, stage: 'computing', done: 3_000, total: 3_000, eta_seconds: 0 }
      expect(reader.events.at(-1)?.data['progress']).toEqual(last)
      expect((await stack.request('GET', `/v1/tasks/${task}`)).body['progress']).toEqual(last)
      for (const { event, id, data } of reader.events) {
        if (event !== 'task.progress') continue
        expect([id, data['total']]).toEqual([undefined, 3_000])
      }
      expect((await stack.request('GET', `/v1/tasks/${await predict()}`)).body['progress']).toBeNull()
    })

    it('are refused as the task is', async () => {
      const task = await predict()
      const stranger = await insertKey(stack.databaseUrl, { role: 'viewer', userId: 8 })
      const responses = await Promise.all([
        stack.request('GET', `/v1/tasks/${task}/events`, undefined, { authorization: `Bearer ${stranger}` }),
        stack.request('GET', `/v1/tasks/${unknownTask}/events`),
        stack.request('GET', `/v1/tasks/${task}/events`, undefined, { authorization: 'Bearer mg_nobody' }),
        stack.request('GET', `/v1/tasks/${task}/events`, undefined, { 'last-event-id': 'x' }),
        stack.request('GET', '/v1/events', undefined, { 'last-event-id': '3' }),
        stack.request('GET', '/v1/events?queue=celery'),
        stack.request('GET', '/v1/events?worker=w'),
      ])
      expect(responses.map(({ status }) => status)).toEqual([404, 404, 401, 422, 422, 422, 422])
      expect(responses[3]?.headers.get('content-type')).toContain('application/problem+json')
    })

    it('end with their key', async () => {
      const { body } = await stack.request('POST', '/v1/tasks', { name: 'ml.health_check', countdown: 600 })
      const key = await insertKey(stack.databaseUrl, { role: 'viewer' })
      const reader = await open(`/v1/tasks/${String(body['id'])}/events`, { key })
      await query(
        stack.databaseUrl,
        'UPDATE api_keys SET revoked_at = now() WHERE id = (SELECT id FROM api_keys ORDER BY created_at DESC LIMIT 1)',
      )
      await reader.ended()
    })
  })

  describe('of all tasks', () => {
    it('show the changes of each task in order, once, and of those that fit alone', async () => {
      const all = await open('/v1/events')
      const failed = await open('/v1/events?state=failed,cancelled')
      const bound = await insertKey(stack.databaseUrl, { role: 'viewer', userId: 8 })
      const own = await open('/v1/events', { key: bound })
      const mine = await predict({ user_id: 8 })
      const tasks = [mine, ...(await Promise.all(Array.from({ length: 20 }, () => predict())))]
      await waitFor(() => tasks.every((task) => statesOf(all, task).includes('task.succeeded')), { what: 'all ends' })
      for (const task of tasks) expect(statesOf(all, task)).toEqual(whole)
      await waitFor(() => own.events.length === 3, { what: "the key's own" })
      expect(own.events.map(({ data }) => data['task_id'])).toEqual([mine, mine, mine])
      expect(failed.events).toEqual([])
      expect(all.text).not.toContain(String(canary))
    })

    it('lose and repeat nothing when the api is restarted', async () => {
      const seen: string[] = []
      let reader = await open('/v1/events?name=ml.process_prediction')
      const tasks = await Promise.all(Array.from({ length: 30 }, () => predict()))
      await waitFor(() => reader.events.length > 5, { what: 'the first events' })
      // Open streams do not keep it from stopping.
      expect(await stack.api.kill('SIGTERM')).toBe(0)
      await reader.ended()
      seen.push(...reader.events.map(({ id }) => id ?? ''))
      // Nobody listens while these end.
      await waitFor(
        async () =>
          (
            await query(stack.databaseUrl, 'SELECT 1 FROM tasks WHERE id = ANY($1::uuid[]) AND finished_at IS NULL', [
              tasks,
            ])
          ).length === 0,
        { what: 'the tasks to end' },
      )
      await stack.startApi()
      reader = await open('/v1/events?name=ml.process_prediction', { lastId: reader.lastId })
      tasks.push(await predict())
      await waitFor(() => statesOf(reader, tasks.at(-1)).length === 3, { what: 'the last task' })
      seen.push(...reader.events.map(({ id }) => id ?? ''))
      expect(new Set(seen).size).toBe(seen.length)
      const expected = tasks.flatMap((task) => [0, 1, 2].map((place) => `${task}.${place}`))
      expect(seen.map((id) => id.slice(id.indexOf('.') + 1)).toSorted()).toEqual(expected.toSorted())
    })

    it('move the place to go on from along, though nothing fits', async () => {
      const reader = await open('/v1/events?state=expired')
      const first = reader.lastId
      await waitFor(() => reader.lastId !== first && reader.comments.length > 0, { what: 'a later place' })
      expect(reader.events).toEqual([])
    })

    it('make good what was not sent while the connection to the database was lost', async () => {
      const reader = await open('/v1/events?name=ml.process_prediction')
      await waitFor(() => reader.comments.length > 0, { what: 'a heartbeat' })
      // The statement by which the api makes sure that it has received all.
      const cut = () =>
        query(
          stack.databaseUrl,
          `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND query = 'SELECT'`,
        )
      await waitFor(async () => (await cut()).length === 1, { what: 'the connection to be cut' })
      const tasks = await Promise.all(Array.from({ length: 5 }, () => predict()))
      await waitFor(() => tasks.every((task) => statesOf(reader, task).length === 3), { what: 'all changes' })
      for (const task of tasks) expect(statesOf(reader, task)).toEqual(whole)
    })
  })
})
