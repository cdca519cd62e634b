import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { query } from '../support/query.js'
import { bearer, itemsOf, waiting } from '../support/requests.js'
import { startStack, type Stack } from '../support/stack.js'

const metrics = { mmse_score: 24, age: 72 }
const [own, other] = [31, 32] as const

describe('searching tasks', () => {
  let stack: Stack
  let bound = ''
  /** Of each person: a prediction with its explanation, a forecast, a failed task, and a batch of two. */
  const made: Record<number, { prediction: number; task: string; batch: string; failed: string }> = {}

  const makeTasks = async (user_id: number) => {
    const predicted = await stack.post('/v1/predictions', { user_id, health_metrics: metrics }, waiting)
    const prediction = Number(predicted.body['id'])
    await stack.post(`/v1/predictions/${prediction}/explanation`, undefined, waiting)
    await stack.post(`/v1/users/${user_id}/health-metrics`, {
      recorded_at: '2026-01-31T12:00:00Z',
      health_metrics: metrics,
    })
    await stack.post(`/v1/users/${user_id}/forecasts`, undefined, waiting)
    const { body: key } = await stack.post('/v1/api-keys', { name: `of ${user_id}`, role: 'submitter', user_id })
    const items = [
      { user_id, health_metrics: metrics },
      { user_id, health_metrics: metrics },
    ]
    const batch = await stack.post('/v1/batches', { items }, { ...bearer(key['key']), ...waiting })
    const doomed = await stack.post('/v1/predictions', { user_id, health_metrics: metrics }, waiting)
    await query(
      stack.databaseUrl,
      `UPDATE tasks SET state = 'failed', error_code = 'MODEL_OUTPUT_INVALID', error_message = 'It is no number.'
       WHERE id = $1`,
      [doomed.body['task_id']],
    )
    made[user_id] = {
      prediction,
      task: String(predicted.body['task_id']),
      batch: String(batch.body['id']),
      failed: String(doomed.body['task_id']),
    }
    return String(key['key'])
  }

  beforeAll(async () => {
    stack = await startStack({ broker: 'postgres' })
    await makeTasks(other)
    bound = await makeTasks(own)
  })
  afterAll(() => stack.stop())

  const search = async (parameters: Record<string, string>, key?: string) => {
    const path = `/v1/tasks?${new URLSearchParams(parameters).toString()}`
    const answer = await stack.get(path, key === undefined ? {} : bearer(key))
    expect([path, answer.status]).toEqual([path, 200])
    return itemsOf(answer)
  }
  const namesOf = (items: readonly Record<string, unknown>[]) => items.map(({ name }) => name).sort()
  const mineOf = (user: number) => made[user] ?? expect.fail(`nothing was made for ${user}`)

  it('finds the tasks of a prediction, of a batch and of a person', async () => {
    const { prediction, task, batch } = mineOf(own)
    const about = ['ml.generate_explanation', 'ml.process_prediction']
    expect(namesOf(await search({ prediction_id: String(prediction) }))).toEqual(about)
    expect(namesOf(await search({ id: String(prediction) }))).toEqual(about)
    expect((await search({ id: task })).map(({ id }) => id)).toEqual([task])
    for (const filter of [{ batch_id: batch }, { id: batch }]) {
      const items = await search(filter)
      expect(namesOf(items)).toEqual(['ml.batch_predictions', 'ml.batch_predictions'])
      expect(items.some(({ id }) => id === batch)).toBe(true)
    }
    expect(await search({ batch_id: task })).toEqual([])
    expect((await search({ user_id: String(own) })).length).toBe(6)
  })

  it('finds tasks by model, error, time and pattern of names', async () => {
    const all = await search({})
    const ofModel = await search({ model: 'impairment-screen' })
    expect([...new Set(namesOf(ofModel))]).toEqual([
      'ml.batch_predictions',
      'ml.generate_explanation',
      'ml.process_prediction',
    ])
    expect(await search({ model: 'impairment-screen@1' })).toEqual(ofModel)
    expect(namesOf(await search({ model: 'mmse-forecast' }))).toEqual(['ml.update_forecasts', 'ml.update_forecasts'])
    expect(await search({ model: 'impairment' })).toEqual([])
    expect((await search({ error_code: 'MODEL_OUTPUT_INVALID' })).map(({ id }) => id)).toEqual([
      mineOf(own).failed,
      mineOf(other).failed,
    ])
    expect(await search({ name: 'ml.*' })).toEqual(all)
    expect(new Set(namesOf(await search({ name: '*fore*' })))).toEqual(new Set(['ml.update_forecasts']))
    const middle = String(all[5]?.['created_at'])
    const [later, earlier] = [await search({ since: middle }), await search({ until: middle })]
    expect([...later, ...earlier]).toEqual(all)
    expect(await search({ since: '1h' })).toEqual(all)
    expect(await search({ until: '1h' })).toEqual([])
  })

  it('takes the same search as one text', async () => {
    for (const [q, parameters] of [
      ['state:failed user:31', { state: 'failed', user_id: '31' }],
      ['name:ml.update* since:24h', { name: 'ml.update*', since: '24h' }],
      [mineOf(own).batch, { id: mineOf(own).batch }],
      [`prediction:${mineOf(own).prediction}`, { id: String(mineOf(own).prediction) }],
    ] as const) {
      const found = await search({ q })
      expect(found).toEqual(await search(parameters))
      expect(found.length).toBeGreaterThan(0)
    }
    expect(await search({ q: 'state:failed', user_id: String(own) })).toHaveLength(1)
    const { status, body } = await stack.get('/v1/tasks?q=state:failed+colour:red&state=failed')
    expect([status, body['code']]).toEqual([422, 'REQUEST_INVALID'])
    expect((body['errors'] as { pointer: string }[]).map(({ pointer }) => pointer)).toEqual(['/q', '/state'])
  })

  it('counts what fits if asked to', async () => {
    const all = await search({})
    const { body } = await stack.get('/v1/tasks?count=true&limit=2')
    expect(body).toMatchObject({ count: all.length, count_is_capped: false })
    expect((await stack.get('/v1/tasks')).body).not.toHaveProperty('count')
    const few = await stack.get('/v1/tasks?count=true&state=failed')
    expect(few.body).toMatchObject({ count: 2, count_is_capped: false })
  })

  it('groups failures by error and task', async () => {
    const { status, body } = await stack.get('/v1/tasks/errors?since=1h')
    expect(status).toBe(200)
    expect(body).toMatchObject({ is_complete: true, counted_from: null })
    const items = body['items'] as Record<string, unknown>[]
    expect(items).toHaveLength(1)
    expect(items[0]).toMatchObject({
      error_code: 'MODEL_OUTPUT_INVALID',
      name: 'ml.process_prediction',
      count: 2,
      count_is_capped: false,
      sample: [
        { id: mineOf(own).failed, message: 'It is no number.' },
        { id: mineOf(other).failed, message: 'It is no number.' },
      ],
    })
    const sparkline = items.flatMap((item) => item['sparkline'] as number[])
    expect(sparkline.reduce((sum, part) => sum + part, 0)).toBe(2)
    const narrowed = await stack.get('/v1/tasks/errors?since=1h&q=queue:forecasts')
    expect(narrowed.body).toMatchObject({ items: [] })
    expect((await stack.get('/v1/tasks/errors?since=1h&until=2h')).status).toBe(422)
    for (const [search, pointer] of [
      ['state=succeeded', '/state'],
      ['state=queued,running', '/state'],
      ['q=state:succeeded', '/q'],
    ]) {
      const none = await stack.get(`/v1/tasks/errors?${search}`)
      expect([none.status, none.body['detail']]).toEqual([
        422,
        'Only tasks that failed or timed out have errors; see `errors`.',
      ])
      const message = 'must have one of the states failed, timed_out, or none'
      expect(none.body['errors']).toEqual([{ pointer, message }])
    }
    expect((await stack.get('/v1/tasks/errors?state=succeeded,failed')).status).toBe(200)
  })

  it('suggests how a search goes on', async () => {
    const suggest = async (q: string) =>
      (await stack.get(`/v1/tasks/suggestions?${new URLSearchParams({ q }).toString()}`)).body
    const textsOf = (body: Record<string, unknown>) => (body['items'] as { text: string }[]).map(({ text }) => text)
    const keys = 'state queue worker name user prediction batch model error since until id'.split(' ')
    expect(textsOf((await stack.get('/v1/tasks/suggestions')).body)).toEqual(keys.map((key) => `${key}:`))
    expect(textsOf(await suggest(''))).toEqual(keys.map((key) => `${key}:`))
    expect((await stack.get('/v1/tasks?q=')).status).toBe(422)
    expect(textsOf(await suggest('fai'))).toEqual(['state:failed'])
    expect(textsOf(await suggest('state:failed,ti'))).toEqual(['state:failed,timed_out'])
    expect(textsOf(await suggest('queue:b'))).toEqual(['queue:batch'])
    expect(textsOf(await suggest('worker:'))).toEqual(['worker:worker1@test'])
    expect(textsOf(await suggest('model:imp'))).toEqual(['model:impairment-screen@1'])
    expect(textsOf(await suggest('error:'))[0]).toBe('error:MODEL_OUTPUT_INVALID')
    expect(textsOf(await suggest('since:2'))).toEqual(['since:24h'])
    expect(await suggest('state:failed,expired colour:red user:7 since:2026-01-31T12:00:00Z ')).toMatchObject({
      filter: { state: 'failed,expired', user_id: '7', since: '2026-01-31T12:00:00.000Z' },
      unknown: [{ position: 2, word: 'colour:red' }],
    })
  })

  it('A1: to a key that is bound to a person, other people’s tasks do not exist', async () => {
    const [mine, theirs] = [mineOf(own), mineOf(other)]
    for (const filter of [
      { user_id: String(other) },
      { prediction_id: String(theirs.prediction) },
      { id: String(theirs.prediction) },
      { id: theirs.task },
      { id: theirs.batch },
      { batch_id: theirs.batch },
      { q: `user:${other}` },
    ]) {
      expect(await search(filter, bound)).toEqual([])
      const counted = await stack.get(
        `/v1/tasks?${new URLSearchParams({ ...filter, count: 'true' }).toString()}`,
        bearer(bound),
      )
      expect(counted.body).toEqual({ items: [], next_cursor: null, count: 0, count_is_capped: false })
      const failures = await stack.get(`/v1/tasks/errors?${new URLSearchParams(filter).toString()}`, bearer(bound))
      expect(failures.body['items']).toEqual([])
    }
    const found = await search({}, bound)
    expect(found).toHaveLength(6)
    expect(new Set(found.map(({ user_id }) => user_id))).toEqual(new Set([own]))
    expect(await search({ prediction_id: String(mine.prediction) }, bound)).toHaveLength(2)
    const failures = await stack.get('/v1/tasks/errors', bearer(bound))
    expect(failures.body['items']).toMatchObject([{ count: 1, sample: [{ id: mine.failed }] }])
    await query(stack.databaseUrl, `UPDATE tasks SET error_code = 'OF_OTHERS' WHERE id = $1`, [theirs.failed])
    expect((await stack.get('/v1/tasks/suggestions?q=error:', bearer(bound))).text).not.toContain('OF_OTHERS')
    expect((await stack.get('/v1/tasks/suggestions?q=error:OF')).text).toContain('OF_OTHERS')
  })
})
