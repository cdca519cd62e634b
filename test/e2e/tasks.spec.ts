import { randomUUID } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { describeOnBothBrokers } from '../support/brokers.js'
import { query, queryNumber } from '../support/query.js'
import { itemsOf, waiting } from '../support/requests.js'
import { useStack } from '../support/use-stack.js'

const metrics = { mmse_score: 24, age: 72 }
const predict = { name: 'ml.process_prediction', args: { user_id: 123, health_metrics: metrics } }

describeOnBothBrokers('calling tasks', (broker) => {
  const stack = useStack({
    broker,
    env: {
      RECONCILE_INTERVAL_SECONDS: '0.5',
      TASK_LOCK_SECONDS: '3',
    },
  })

  const send = (body: unknown, headers: Record<string, string> = {}) => stack.post('/v1/tasks', body, headers)
  const countTasks = () => queryNumber(stack.databaseUrl, 'SELECT count(*)::int AS number FROM tasks')
  const stateOf = async (id: unknown) => (await stack.readTask(id))['state']
  const untilState = (id: unknown, state: string, timeoutMs = 20_000) => stack.untilTask(id, state, timeoutMs)

  it('sends a task with health metrics: the prediction is stored with it, the metrics not in it', async () => {
    const { status, headers, body } = await send(predict, waiting)
    expect(status).toBe(200)
    expect(headers.get('location')).toBe(`/v1/tasks/${String(body['id'])}`)
    expect(body).toMatchObject({
      task_id: body['id'],
      name: 'ml.process_prediction',
      queue: 'predictions',
      state: 'succeeded',
      celery_state: 'SUCCESS',
      ready: true,
      successful: true,
      user_id: 123,
      args: { user_id: 123, prediction_id: body['prediction_id'] },
      result: { prediction_id: body['prediction_id'], risk_category: 'very_high' },
    })
    const prediction = await stack.get(`/v1/predictions/${String(body['prediction_id'])}`)
    expect(prediction.body).toMatchObject({ state: 'succeeded', task_id: body['id'], input_features: metrics })
    const rows = await query<{ args: string }>(stack.databaseUrl, 'SELECT args::text FROM tasks WHERE id = $1', [
      body['id'],
    ])
    expect(rows[0]?.args).not.toContain('mmse')
  })

  it('computes a stored prediction once more', async () => {
    const first = await send(predict, waiting)
    const args = { user_id: 123, prediction_id: first.body['prediction_id'] }
    for (const more of [{}, { health_metrics: metrics }]) {
      const again = await send({ name: predict.name, args: { ...args, ...more } }, waiting)
      expect(again.status).toBe(200)
      expect(again.body['id']).not.toBe(first.body['id'])
      expect(again.body['result']).toEqual(first.body['result'])
    }
  })

  it('sends a health check to any queue', async () => {
    for (const queue of ['batch', 'explanations', 'forecasts', 'predictions']) {
      const { status, body } = await send({ name: 'ml.health_check', queue }, waiting)
      expect(status).toBe(200)
      expect(body).toMatchObject({ queue, state: 'succeeded', result: { worker: 'worker1@test' } })
    }
  })

  it('starts a task after its countdown and not before', async () => {
    const { status, body } = await send({ ...predict, countdown: 1.5 })
    expect(status).toBe(202)
    expect(body).toMatchObject({ state: 'scheduled', celery_state: 'PENDING', ready: false })
    await untilState(body['id'], 'succeeded')
    const { body: task } = await stack.get(`/v1/tasks/${String(body['id'])}`)
    const waited = Date.parse(String(task['started_at'])) - Date.parse(String(task['created_at']))
    expect(waited).toBeGreaterThanOrEqual(1_400)
    expect((task['timeline'] as { state: string }[]).map(({ state }) => state)).toEqual([
      'scheduled',
      'running',
      'succeeded',
    ])
  })

  it('starts a task at its eta', async () => {
    const eta = new Date(Date.now() + 1_200)
    const { body } = await send({ ...predict, eta: eta.toISOString() })
    expect(body).toMatchObject({ state: 'scheduled', available_at: eta.toISOString() })
    await untilState(body['id'], 'succeeded')
    const { body: task } = await stack.get(`/v1/tasks/${String(body['id'])}`)
    expect(Date.parse(String(task['started_at']))).toBeGreaterThanOrEqual(eta.getTime() - 1_000)
  })

  it('makes one task of calls with one idempotency key', async () => {
    const key = { 'idempotency-key': randomUUID() }
    const before = await countTasks()
    const responses = await Promise.all(Array.from({ length: 20 }, () => send(predict, key)))
    expect(new Set(responses.map(({ body }) => body['id'])).size).toBe(1)
    expect(await countTasks()).toBe(before + 1)
    const other = await send({ ...predict, priority: 5 }, key)
    expect([other.status, other.body['code']]).toEqual([422, 'IDEMPOTENCY_KEY_REUSED'])
  })

  it.each([
    ['an unknown task', { name: 'ml.nothing' }, 'TASK_UNKNOWN', ['/name'], /ml\.process_prediction/],
    ['arguments that are missing', { name: predict.name }, 'REQUEST_INVALID', ['/args/user_id'], /whole number/],
    [
      'no metrics and no prediction',
      { name: predict.name, args: { user_id: 1 } },
      'REQUEST_INVALID',
      ['/args/health_metrics'],
      /prediction_id/,
    ],
    [
      'an argument too many',
      { name: 'ml.health_check', args: { colour: 'canary' } },
      'REQUEST_INVALID',
      ['/args/colour'],
      /not an argument/,
    ],
    [
      'a metric out of range',
      { name: predict.name, args: { user_id: 1, health_metrics: { mmse_score: 31 } } },
      'MODEL_INPUT_INVALID',
      ['/args/health_metrics/mmse_score'],
      /from 0 to 30/,
    ],
    [
      'a prediction that is not there',
      { name: predict.name, args: { user_id: 1, prediction_id: 999_999_999 } },
      'REQUEST_INVALID',
      ['/args/prediction_id'],
      /stored/,
    ],
    ['an eta in the past', { ...predict, eta: '2020-01-01T00:00:00Z' }, 'REQUEST_INVALID', ['/eta'], /ahead/],
    ['an eta that is no time', { ...predict, eta: 'tomorrow' }, 'REQUEST_INVALID', ['/eta'], /2030-01-31/],
    [
      'an eta and a countdown',
      { ...predict, countdown: 5, eta: '2027-01-01T00:00:00Z' },
      'REQUEST_INVALID',
      ['/eta'],
      /countdown/,
    ],
    ['a negative countdown', { ...predict, countdown: -1 }, 'REQUEST_INVALID', ['/countdown'], /from 0/],
    [
      'an expiry before the start',
      { ...predict, countdown: 60, expires: 30 },
      'REQUEST_INVALID',
      ['/expires'],
      /after/,
    ],
    ['an unknown queue', { ...predict, queue: 'celery' }, 'REQUEST_INVALID', ['/queue'], /predictions, batch/],
    ['a priority below zero', { ...predict, priority: -1 }, 'REQUEST_INVALID', ['/priority'], /0 to/],
    ['an unknown field', { ...predict, kwargs: {} }, 'REQUEST_INVALID', ['/kwargs'], /countdown/],
  ])('refuses %s before anything is stored', async (_, body, code, pointers, accepts) => {
    const before = await countTasks()
    const response = await send(body)
    const errors = response.body['errors'] as { pointer: string; message: string }[]
    expect([response.status, response.body['code'], errors.map(({ pointer }) => pointer)]).toEqual([
      422,
      code,
      pointers,
    ])
    expect(errors.map(({ message }) => message).join(' ')).toMatch(accepts)
    expect(response.text).not.toContain('canary')
    expect(await countTasks()).toBe(before)
  })

  it('lists the history newest first, in pages, by what is asked', async () => {
    const sent: unknown[] = []
    for (let index = 0; index < 5; index += 1) {
      sent.unshift((await send({ name: 'ml.health_check', queue: 'batch' }, waiting)).body['id'])
    }
    const seen: unknown[] = []
    const path = '/v1/tasks?name=ml.health_check&state=succeeded,failed&queue=batch&worker=worker1@test&limit=2'
    let cursor = ''
    for (let page = 0; page < 3; page += 1) {
      const response = await stack.get(`${path}${cursor}`)
      seen.push(...itemsOf(response).map(({ id }) => id))
      cursor = `&cursor=${String(response.body['next_cursor'])}`
    }
    expect(seen.slice(0, 5)).toEqual(sent)
    expect(new Set(seen).size).toBe(seen.length)
    expect(itemsOf(await stack.get('/v1/tasks?worker=nobody'))).toEqual([])
    expect(itemsOf(await stack.get('/v1/tasks?since=2999-01-01T00:00:00Z'))).toEqual([])
    expect(itemsOf(await stack.get('/v1/tasks?since=2020-01-01T00:00:00Z&limit=1')).length).toBe(1)
    expect((await stack.get('/v1/tasks?state=done')).status).toBe(422)
  })

  it('forgets a result, and says so afterwards', async () => {
    const { body } = await send(predict, waiting)
    const path = `/v1/tasks/${String(body['id'])}/result`
    expect((await stack.request('DELETE', path)).status).toBe(204)
    expect((await stack.request('DELETE', path)).status).toBe(204)
    const gone = await stack.get(path)
    expect([gone.status, gone.body['code']]).toEqual([410, 'RESOURCE_GONE'])
    expect(await stateOf(body['id'])).toBe('succeeded')
    const planned = await send({ ...predict, countdown: 600 })
    const refused = await stack.request('DELETE', `/v1/tasks/${String(planned.body['id'])}/result`)
    expect([refused.status, refused.body['code']]).toEqual([409, 'TASK_STATE_CONFLICT'])
  })

  describe('doing it again', () => {
    const retry = (id: unknown) => stack.request('POST', `/v1/tasks/${String(id)}/retry`)

    it('makes a new task of a cancelled one, and its prediction follows', async () => {
      const { body } = await send({ ...predict, countdown: 600 })
      await stack.request('POST', `/v1/tasks/${String(body['id'])}/revoke`)
      const again = await retry(body['id'])
      expect(again.status).toBe(202)
      expect(again.body).toMatchObject({ replay_of: body['id'], args: body['args'] })
      await untilState(again.body['id'], 'succeeded')
      expect(await stack.readTask(body['id'])).toMatchObject({
        state: 'cancelled',
        replay_id: again.body['id'],
        eta: body['available_at'],
        trace_id: null,
      })
      const prediction = await stack.get(`/v1/predictions/${String(body['prediction_id'])}`)
      expect(prediction.body).toMatchObject({ state: 'succeeded', task_id: again.body['id'] })
      expect((await retry(body['id'])).body['id']).toBe(again.body['id'])
      const refused = await retry(again.body['id'])
      expect([refused.status, refused.body['code']]).toEqual([409, 'TASK_STATE_CONFLICT'])
    })

    it('does many by a filter, after a dry run', async () => {
      const sent = await Promise.all(
        Array.from({ length: 3 }, () => send({ name: 'ml.health_check', queue: 'forecasts', countdown: 600 })),
      )
      for (const { body } of sent) await stack.request('POST', `/v1/tasks/${String(body['id'])}/revoke`)
      const filter = { state: 'cancelled', queue: 'forecasts', name: 'ml.health_check' }
      const before = await countTasks()
      const dryRun = await stack.request('POST', '/v1/tasks/retry', { filter, dry_run: true })
      expect(dryRun.body).toMatchObject({ dry_run: true, matched: 3, replayed: 0 })
      expect(await countTasks()).toBe(before)
      const done = await stack.request('POST', '/v1/tasks/retry', { filter })
      expect(done.body).toMatchObject({ dry_run: false, matched: 3, replayed: 3 })
      for (const { replay_id } of done.body['items'] as { replay_id: string }[])
        await untilState(replay_id, 'succeeded')
      expect((await stack.request('POST', '/v1/tasks/retry', { filter })).body).toMatchObject({
        matched: 0,
        replayed: 0,
      })
      expect((await stack.request('POST', '/v1/tasks/retry', { filter: { state: 'succeeded' } })).status).toBe(422)
    })
  })
})
