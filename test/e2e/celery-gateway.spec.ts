import { randomUUID } from 'node:crypto'
import { decodeMessage, encodeMessage, type NewMessage } from '#libs/celery'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { CeleryCaller } from '../support/celery-caller.js'
import { findInDatabase } from '../support/find-text.js'
import { query, queryNumber } from '../support/query.js'
import { startStack, type Stack } from '../support/stack.js'
import { waitFor } from '../support/wait-for.js'

const metrics = { mmse_score: 24, age: 72 }
const predict = 'ml.process_prediction'

describe('callers of Celery', () => {
  let caller: CeleryCaller
  let stack: Stack
  beforeAll(async () => {
    caller = await CeleryCaller.start()
    stack = await startStack({
      broker: 'postgres',
      logs: 'keep',
      env: { ...caller.env, TASK_REVOKE_GRACE_SECONDS: '1', TASK_RETRY_DELAY_SECONDS: '1' },
    })
  })
  afterAll(async () => {
    await stack.stop()
    await caller.stop()
  })

  const countTasks = (celeryId: string) =>
    queryNumber(
      stack.databaseUrl,
      'SELECT count(*)::int AS number FROM celery_calls c JOIN tasks t ON t.id = c.task_id WHERE c.id = $1',
      [celeryId],
    )

  it('get the dictionaries of the replaced system, with what we know beside it', async () => {
    const [prediction, explanation] = [
      await caller.call(predict, [], { kwargs: { prediction_id: 70, user_id: 123, health_metrics: metrics } }),
      await caller.call('ml.generate_explanation', [70]),
    ]
    expect(await caller.result(prediction)).toMatchObject({
      status: 'SUCCESS',
      result: { status: 'success', prediction_id: 70, risk_category: 'very_high' },
    })
    expect(await caller.result(explanation)).toMatchObject({
      status: 'SUCCESS',
      result: { status: 'success', prediction_id: 70, method: 'tree_interventional' },
    })
    const batch = await caller.call('ml.batch_predictions', [
      [1, 2, 3],
      [metrics, { mmse_score: 99 }, { age: 70 }],
    ])
    const { result } = await caller.result(batch)
    expect(result).toMatchObject({ status: 'completed', total: 3 })
    expect((result['results'] as { user_id: number; status: string }[]).map(({ user_id, status }) => [user_id, status]))
      // In the order of the arguments.
      .toEqual([
        [1, 'success'],
        [2, 'failed'],
        [3, 'success'],
      ])
    expect((await caller.result(await caller.call('ml.update_forecasts', [123]))).result).toMatchObject({
      status: 'success',
      user_id: 123,
      forecast: { metric: 'mmse_score' },
    })
    expect((await caller.result(await caller.call('ml.health_check'))).result).toMatchObject({ status: 'healthy' })
  })

  it('are served once, however often a message comes', async () => {
    const id = await caller.call(predict, [71, 124, metrics], { id: 'my own id / 1' })
    await caller.result(id)
    await caller.call(predict, [71, 124, metrics], { id })
    await waitFor(async () => (await caller.broker.llen('celery')) === 0, { what: 'the second message to be taken' })
    await waitFor(async () => (await caller.broker.hlen('unacked')) === 0, { what: 'it to be acknowledged' })
    expect(await countTasks(id)).toBe(1)
    expect(
      await queryNumber(stack.databaseUrl, 'SELECT count(*)::int AS number FROM predictions WHERE external_id = 71'),
    ).toBe(1)
  })

  it('find their tasks and predictions by their own numbers in the REST API', async () => {
    const id = await caller.call(predict, [72, 125, metrics], { id: 'order-72' })
    await caller.result(id)
    const { status, body } = await stack.get('/v1/tasks/order-72')
    expect([status, body['celery_id'], body['state']]).toEqual([200, 'order-72', 'succeeded'])
    expect((await stack.get('/v1/tasks/order-72/result')).body).toMatchObject({ celery_state: 'SUCCESS' })
    const { items } = (await stack.get('/v1/predictions?external_id=72')).body as { items: { external_id: number }[] }
    expect(items.map(({ external_id }) => external_id)).toEqual([72])
    const found = (await stack.get('/v1/tasks?id=72')).body as { items: { id: string }[] }
    expect(found.items.map((task) => task.id)).toEqual([body['id']])
    expect((await stack.get('/v1/tasks/no-such-order')).status).toBe(404)
  })

  it.each<readonly [string, string, unknown[], Record<string, unknown>, string, RegExp]>([
    ['an unknown task', 'ml.no_such_task', [], {}, 'NotRegistered', /ml\.no_such_task/],
    ['a missing argument', predict, [1], {}, 'TypeError', /missing 1 required positional argument: 'user_id'/],
    [
      'too many arguments',
      'ml.update_forecasts',
      [1, 2],
      {},
      'TypeError',
      /takes 1 positional argument but 2 were given/,
    ],
    ['an unknown argument', predict, [1, 2], { sex: 1 }, 'TypeError', /unexpected keyword argument 'sex'/],
    ['an argument twice', predict, [1, 2], { user_id: 3 }, 'TypeError', /multiple values for argument 'user_id'/],
    ['a metric out of range', predict, [1, 2, { mmse_score: 99 }], {}, 'ValueError', /mmse_score must be/],
    ['a metric of a wrong type', predict, [1, 2, { mmse_score: [1] }], {}, 'ValueError', /mmse_score/],
    ['a metric that is no number', predict, [1, 2, { mmse_score: Number.NaN }], {}, 'ValueError', /mmse_score/],
    [
      'a number beyond 2^53',
      predict,
      [1, 9007199254740993n, metrics],
      {},
      'ValueError',
      /user_id must be a whole number/,
    ],
    ['an unknown prediction', 'ml.generate_explanation', [999_999], {}, 'ValueError', /Prediction 999999 not found/],
    ['nothing to compute from', predict, [999_998, 999_998], {}, 'ValueError', /health_metrics must be given/],
  ])('get a failure for %s', async (_, task, args, kwargs, type, words) => {
    const { status, result } = await caller.result(await caller.call(task, args, { kwargs }))
    expect([status, result['exc_type']]).toEqual(['FAILURE', type])
    expect(String((result['exc_message'] as unknown[])[0])).toMatch(words)
  })

  it("get a failure for a prediction of theirs that is another person's", async () => {
    await caller.result(await caller.call(predict, [73, 126, metrics]))
    const { status, result } = await caller.result(await caller.call(predict, [73, 127, metrics]))
    expect([status, result['exc_type'], result['exc_message']]).toEqual([
      'FAILURE',
      'ValueError',
      ['Prediction 73 belongs to another user_id'],
    ])
  })

  it('are not stopped by what cannot be read: it is kept with its reason', async () => {
    await caller.send('no JSON')
    await caller.send(
      JSON.stringify({
        body: 'gASVCwAAAAAAAAB9',
        headers: { task: predict, id: 'pickled' },
        'content-type': 'application/x-python-serialize',
        properties: { delivery_tag: 'pickled' },
      }),
    )
    expect(await caller.result(await caller.call(predict, [74, 128, metrics]))).toMatchObject({ status: 'SUCCESS' })
    expect(await caller.result('pickled')).toMatchObject({ status: 'FAILURE', result: { exc_type: 'DecodeError' } })
    const rows = await waitFor(
      async () => {
        const found = await query<{ reason: string }>(
          stack.databaseUrl,
          `SELECT failure->'args'->>0 AS reason FROM celery_calls WHERE raw IS NOT NULL ORDER BY received_at`,
        )
        return found.length === 2 && found
      },
      { what: 'both to be kept' },
    )
    expect(rows.map(({ reason }) => reason).sort()).toEqual([
      expect.stringMatching(/pickled; only JSON is read/),
      'The message is not JSON.',
    ])
    expect(await caller.broker.llen('celery')).toBe(0)
  })

  const deep = `${'['.repeat(50_000)}${']'.repeat(50_000)}`
  const unusable: [string, Partial<NewMessage>, string, RegExp][] = [
    ['an id with a zero byte', { id: 'zero\0byte' }, 'DecodeError', /zero byte/],
    ['an id of 10,000 characters', { id: 'x1'.repeat(5_000) }, 'DecodeError', /longer than 255/],
    ['a parent with a zero byte', { parentId: '\0', args: [1] }, 'TypeError', /missing 1 required/],
    ['a keyword with a zero byte', { kwargs: { 'a\0b': 1 } }, 'TypeError', /unexpected keyword argument 'a\uFFFDb'/],
    ['half of a character', { args: [1, 2, { ['a\ud800']: 1 }] }, 'ValueError', /is no known metric/],
    [
      'a metric of a long name',
      { args: [1, 2, { ['x'.repeat(1e6)]: 1 }] },
      'ValueError',
      /^health_metrics\.x{64} must/,
    ],
  ]

  it.each(unusable)('are not held up by %s, whose caller gets a failure', async (_, call, type, words) => {
    const { args = [1, 2], ...rest } = call
    const id = await caller.call(predict, args, rest)
    expect(await caller.result(await caller.call(predict, [74, 128, metrics]))).toMatchObject({ status: 'SUCCESS' })
    const { status, result } = await caller.result(id)
    expect([status, result['exc_type'], result['exc_message']]).toEqual([
      'FAILURE',
      type,
      [expect.stringMatching(words)],
    ])
  })

  it.each([
    ['arguments', `[[1, 2, ${deep}], {}, {}]`],
    ['callbacks', `[[1, 2], {}, {"callbacks": [{"task": "x", "args": ${deep}, "kwargs": {}, "options": {}}]}]`],
  ])('are not held up by %s that are nested deeper than any', async (_, body) => {
    const message = JSON.parse(
      encodeMessage({
        id: randomUUID(),
        task: predict,
        args: [],
        kwargs: {},
        origin: 'x',
        queue: 'celery',
        priority: 0,
      }),
    ) as { body: string; headers: { id: string } }
    message.body = Buffer.from(body).toString('base64')
    await caller.send(JSON.stringify(message))
    expect(await caller.result(await caller.call(predict, [74, 128, metrics]))).toMatchObject({ status: 'SUCCESS' })
    expect((await caller.result(message.headers.id)).result).toMatchObject({ exc_type: 'DecodeError' })
  })

  it('are taken once, also those that cannot be read: nothing of them stays in Redis', async () => {
    const call = { id: 'no-body', task: predict, args: [], kwargs: {}, origin: 'x', queue: 'celery', priority: 0 }
    const { body: _, ...bare } = JSON.parse(encodeMessage(call)) as { body: string; properties: object }
    await caller.send(JSON.stringify(bare))
    // Redis reads a number that is no JSON.
    await caller.send(
      encodeMessage({ ...call, id: 'odd-number' }).replace('"delivery_mode": 2', '"delivery_mode": 0x2'),
    )
    expect((await caller.result('no-body')).result).toMatchObject({ exc_type: 'DecodeError' })
    await waitFor(async () => (await caller.broker.keys('*')).every((key) => !/^(celery|unacked)/.test(key)), {
      what: 'both to be acknowledged',
    })
  })

  it('may share their queue with others, whose messages are left alone', async () => {
    for (let index = 0; index < 200; index += 1)
      await caller.call('patterns.find', [`person-${index}`], { id: `p${index}` })
    const id = await caller.call(predict, [75, 129, metrics])
    expect(await caller.result(id)).toMatchObject({ status: 'SUCCESS' })
    const left = await caller.broker.lrange('celery', 0, -1)
    expect(left.map((raw) => (JSON.parse(raw) as { headers: { id: string } }).headers.id)).toEqual(
      Array.from({ length: 200 }, (_, index) => `p${199 - index}`),
    )
    await caller.broker.del('celery')
  })

  it('may ask for a time, and for an end before which it must start', async () => {
    const inSeconds = (seconds: number) => new Date(Date.now() + seconds * 1000).toISOString()
    const later = await caller.call(predict, [76, 130, metrics], { eta: inSeconds(2) })
    const past = await caller.call(predict, [77, 130, metrics], { eta: inSeconds(-100) })
    const expired = await caller.call(predict, [78, 130, metrics], { expires: inSeconds(-1) })
    expect(await caller.result(past)).toMatchObject({ status: 'SUCCESS' })
    expect(await caller.result(expired)).toMatchObject({ status: 'REVOKED', result: { exc_message: ['expired'] } })
    expect(await caller.read(later)).toBeNull()
    expect((await stack.get(`/v1/tasks/${later}`)).body['state']).toBe('scheduled')
    expect(await caller.result(later)).toMatchObject({ status: 'SUCCESS' })
    const batch = await caller.call('ml.batch_predictions', [[1], [metrics]], { eta: inSeconds(1.5) })
    await waitFor(async () => (await stack.get(`/v1/tasks/${batch}`)).body['state'] === 'scheduled', {
      what: 'the batch to wait',
    })
    expect(await caller.result(batch)).toMatchObject({ status: 'SUCCESS' })
  })

  it('have what follows their calls published as they wrote it', async () => {
    const next = {
      task: 'patterns.next',
      args: [9007199254740993n, Number.NaN, 'a\0b'],
      options: { task_id: 'next-1', queue: 'patterns' },
    }
    const id = await caller.call('ml.health_check', [], {
      chain: [next],
      stampedHeaders: ['origin\0'],
      stamps: { 'origin\0': 'a\0b' },
    })
    expect(await caller.result(id)).toMatchObject({ status: 'SUCCESS' })
    const [raw = ''] = await waitFor(
      async () => {
        const raws = await caller.broker.lrange('patterns', 0, -1)
        return raws.length > 0 && raws
      },
      { what: 'the next step' },
    )
    const decoded = decodeMessage(raw, 'patterns')
    if ('reason' in decoded) throw new Error(decoded.reason)
    expect(decoded.message.args).toEqual([
      expect.objectContaining({ status: 'healthy' }),
      9007199254740993n,
      Number.NaN,
      'a\0b',
    ])
  })

  it('may revoke a call while every worker is down', async () => {
    const [worker] = stack.workers
    await worker?.kill('SIGTERM')
    const id = await caller.call(predict, [90, 133, metrics])
    const body = { method: 'revoke', arguments: { task_id: id }, destination: null }
    await caller.broadcast(body)
    expect(await caller.result(id)).toMatchObject({ status: 'REVOKED', result: { exc_message: ['revoked'] } })
    await stack.startWorker()
    await waitFor(async () => (await stack.get(`/v1/tasks/${id}`)).body['state'] === 'cancelled', {
      what: 'the call to be taken and cancelled',
    })
  })

  it('leave no health value in Redis', async () => {
    const canary = 1400.720613
    const id = await caller.call(predict, [79, 131, { ...metrics, etiv: canary }])
    await caller.result(id)
    await waitFor(async () => (await caller.broker.hlen('unacked')) === 0, { what: 'it to be acknowledged' })
    const texts = await caller.readAll()
    const bodies = texts.match(/[A-Za-z0-9+/=]{40,}/g) ?? []
    const decoded = bodies.map((body) => Buffer.from(body, 'base64').toString())
    expect([texts, ...decoded].filter((text) => text.includes('720613'))).toEqual([])
  })

  it('whose person is erased get an end, and nothing of the person stays', async () => {
    const person = 7_402_918_999
    const id = await caller.call(predict, [80, person, metrics], { eta: new Date(Date.now() + 60_000).toISOString() })
    await waitFor(async () => (await stack.get(`/v1/tasks/${id}`)).status === 200, { what: 'the call to be stored' })
    expect((await stack.request('DELETE', `/v1/users/${person}`)).status).toBe(200)
    expect(await findInDatabase(stack.databaseUrl, [String(person)])).toEqual([])
    expect(await caller.result(id, 40_000)).toMatchObject({ status: 'REVOKED' })
  })

  it('get results that were finished while Redis was away', async () => {
    const id = await caller.call(predict, [81, 132, metrics], { eta: new Date(Date.now() + 1_500).toISOString() })
    await waitFor(async () => (await stack.get(`/v1/tasks/${id}`)).status === 200, { what: 'the call to be stored' })
    await caller.redis.kill()
    await waitFor(async () => (await stack.get(`/v1/tasks/${id}`)).body['state'] === 'succeeded', {
      what: 'the task to end',
    })
    await caller.redis.restart()
    expect(await caller.result(id, 30_000)).toMatchObject({ status: 'SUCCESS' })
    expect(await caller.result(await caller.call(predict, [82, 132, metrics]), 30_000)).toMatchObject({
      status: 'SUCCESS',
    })
  })
})

/** Keeps a process from loading the gateway: a worker that asks for it ends. */
const withoutGateway = (() => {
  const hooks = `export const resolve = (specifier, context, next) => {
    if (specifier.includes('celery.module')) throw new Error('the gateway was asked for')
    return next(specifier, context)
  }`
  const program = `import { register } from 'node:module'
    register('data:text/javascript,' + encodeURIComponent(${JSON.stringify(hooks)}))`
  return { NODE_OPTIONS: `--import=data:text/javascript,${encodeURIComponent(program)}` }
})()

describe('a worker without CELERY_BROKER_URL', () => {
  let caller: CeleryCaller
  let stack: Stack
  beforeAll(async () => {
    caller = await CeleryCaller.start()
    stack = await startStack({ broker: 'postgres', env: withoutGateway })
  })
  afterAll(async () => {
    await stack.stop()
    await caller.stop()
  })

  it('loads nothing of the gateway, and connects to no Redis', async () => {
    const id = await caller.call(predict, [1, 2, metrics])
    const { body } = await stack.post('/v1/predictions', { user_id: 1, health_metrics: metrics })
    await stack.untilTask(body['task_id'], 'succeeded')
    expect([await caller.broker.llen('celery'), await caller.read(id)]).toEqual([1, null])
    const clients = String(await caller.broker.client('LIST'))
      .trim()
      .split('\n')
    // Those of the caller.
    expect(clients).toHaveLength(2)
  })

  it('is distinguished by this check from one with it', async () => {
    const worker = stack.run('worker', { ...caller.env, WORKER_HEALTH_PORT: '0' })
    expect(await worker.exited).toBe(1)
  })
})
