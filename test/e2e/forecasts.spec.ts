import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { describeOnBothBrokers } from '../support/brokers.js'
import { countRowsOf, daysAgo, pathOfUser, recordMetrics } from '../support/people.js'
import { insertKey, queryNumber } from '../support/query.js'
import { bearer, waiting } from '../support/requests.js'
import { startStack, type HttpResponse, type Stack } from '../support/stack.js'
import { waitFor } from '../support/wait-for.js'

interface Point {
  readonly months: number
  readonly at: string
  readonly mean: number
  readonly median: number
  readonly lower_80: number
  readonly upper_80: number
  readonly lower_95: number
  readonly upper_95: number
  readonly probability_below_24: number
  readonly distribution: readonly number[]
}

const dayMs = 86_400_000

describeOnBothBrokers('forecasts', (broker) => {
  let stack: Stack
  let lastUser = 1000

  beforeAll(async () => {
    stack = await startStack({ broker, logs: 'keep', env: { LOG_LEVEL: 'trace' } })
  })
  afterAll(() => stack.stop())

  const newUser = () => (lastUser += 1)
  const of = pathOfUser
  const record = (user: number, recorded_at: unknown, health_metrics: unknown, headers: Record<string, string> = {}) =>
    recordMetrics(stack, user, { recorded_at, health_metrics }, headers)
  const forecast = (user: number, body: unknown = {}, headers: Record<string, string> = waiting) =>
    stack.post(`${of(user)}/forecasts`, body, headers)
  const latest = (user: number) => stack.get(`${of(user)}/forecasts/latest`)
  const pointsOf = ({ body }: HttpResponse) => body['points'] as Point[]

  describe('of a person with visits', () => {
    it('follow from the history, with widening bands that never leave 0 to 30', async () => {
      const user = newUser()
      const person = { age: 76, sex: 'female', education: 1 }
      await record(user, daysAgo(60), { mmse_score: 24 })
      await record(user, daysAgo(1900), { mmse_score: 28, ...person })
      await record(user, daysAgo(700), { mmse_score: 26, systolic_bp: 140 })
      const asked = await forecast(user)
      expect(asked.status).toBe(200)
      expect(asked.headers.get('preference-applied')).toBe('wait=20')
      const response = await stack.get(asked.headers.get('location') ?? '')
      expect(response.body).toEqual(asked.body)
      expect(response.body).toMatchObject({
        user_id: user,
        metric: 'mmse_score',
        state: 'succeeded',
        celery_state: 'SUCCESS',
        basis: 'history',
        visits_used: 3,
        model: { name: 'mmse-forecast', version: '1' },
        disclaimer: expect.stringContaining('Decision support, not diagnosis'),
        warnings: [],
        error: null,
      })
      expect((response.body['history'] as { value: number }[]).map(({ value }) => value)).toEqual([28, 26, 24])
      expect(response.body['rate_per_year']).toBeLessThan(0)
      const points = pointsOf(response)
      expect(points.map(({ months }) => months)).toEqual([6, 12, 24])
      const reference = Date.parse(String(response.body['reference_at']))
      expect(Math.abs(reference - Date.now())).toBeLessThan(60_000)
      points.forEach((point, index) => {
        const { lower_95, lower_80, median, upper_80, upper_95 } = point
        expect([...[lower_95, lower_80, median, upper_80, upper_95]].sort((a, b) => a - b)).toEqual([
          lower_95,
          lower_80,
          median,
          upper_80,
          upper_95,
        ])
        expect(lower_95).toBeGreaterThanOrEqual(0)
        expect(upper_95).toBeLessThanOrEqual(30)
        expect(point.distribution).toHaveLength(31)
        expect(point.distribution.reduce((sum, probability) => sum + probability, 0)).toBeCloseTo(1, 9)
        expect(point.distribution.slice(0, 24).reduce((sum, probability) => sum + probability, 0)).toBeCloseTo(
          point.probability_below_24,
          9,
        )
        expect((Date.parse(point.at) - reference) / dayMs).toBeCloseTo(point.months * 30.4375, 3)
        const before = points[index - 1]
        if (before) expect(upper_80 - lower_80).toBeGreaterThanOrEqual(before.upper_80 - before.lower_80)
      })
    })

    it('are accepted at once, and their task shows the same', async () => {
      const user = newUser()
      await record(user, daysAgo(30), { mmse_score: 29 })
      const { status, headers, body } = await forecast(user, {}, {})
      expect(status).toBe(202)
      expect(body).toMatchObject({ points: null, history: null, rate_per_year: null, model: null, completed_at: null })
      expect(Number(headers.get('retry-after'))).toBeGreaterThanOrEqual(1)
      const result = await stack.get(`/v1/tasks/${String(body['task_id'])}/result?wait=20`)
      expect(result.body).toMatchObject({ state: 'succeeded', successful: true })
      const { points, model, history } = (await latest(user)).body
      expect(result.body['result']).toMatchObject({ user_id: user, points, model, history })
      const task = await stack.get(`/v1/tasks/${String(body['task_id'])}`)
      expect(task.body).toMatchObject({
        name: 'ml.update_forecasts',
        queue: 'forecasts',
        args: { user_id: user, horizons_months: [6, 12, 24] },
      })
    })

    it('are made once for an idempotency key', async () => {
      const [user, other] = [newUser(), newUser()]
      const key = { ...waiting, 'idempotency-key': `forecast-of-${user}` }
      const first = await forecast(user, {}, key)
      const [again, anew] = [await forecast(user, {}, key), await forecast(user)]
      expect([first.status, again.body['task_id']]).toEqual([200, first.body['task_id']])
      expect(anew.body['task_id']).not.toBe(first.body['task_id'])
      for (const response of [await forecast(other, {}, key), await forecast(user, { horizons_months: [3] }, key)]) {
        expect([response.status, response.body['code']]).toEqual([422, 'IDEMPOTENCY_KEY_REUSED'])
      }
      const two = { 'idempotency-key': `two-of-${other}` }
      const many = await Promise.all(Array.from({ length: 8 }, () => forecast(other, {}, two)))
      expect(new Set(many.map(({ body }) => body['task_id'])).size).toBe(1)
    })

    it('take a visit into account that was recorded since', async () => {
      const user = newUser()
      await record(user, daysAgo(400), { mmse_score: 29, age: 75 })
      const before = await forecast(user)
      await record(user, daysAgo(5), { mmse_score: 20 })
      const after = await forecast(user)
      expect(after.body['task_id']).not.toBe(before.body['task_id'])
      expect(after.body['visits_used']).toBe(2)
      expect(pointsOf(after)[1]?.mean).toBeLessThan(pointsOf(before)[1]?.mean ?? 0)
      expect((await latest(user)).body['task_id']).toBe(after.body['task_id'])
    })

    it('are made for any horizons, nearest first, each once', async () => {
      const user = newUser()
      await record(user, daysAgo(100), { mmse_score: 27 })
      const response = await forecast(user, { horizons_months: [120, 1.5, 36, 36] })
      expect(pointsOf(response).map(({ months }) => months)).toEqual([1.5, 36, 120])
    })
  })

  describe('of a person of whom little is known', () => {
    it('with one visit are nearer to it than to the population', async () => {
      const [none, one] = [newUser(), newUser()]
      await record(one, daysAgo(10), { mmse_score: 15 })
      const [population, person] = await Promise.all([forecast(none), forecast(one)])
      expect(person.body).toMatchObject({ basis: 'history', visits_used: 1 })
      expect(Math.abs((pointsOf(person)[0]?.median ?? 30) - 15)).toBeLessThan(5)
      expect(pointsOf(population)[0]?.median).toBeGreaterThan(24)
    })

    it('with none are those of the population, and say so', async () => {
      const { status, body } = await forecast(newUser())
      expect(status).toBe(200)
      expect(body).toMatchObject({ basis: 'population', visits_used: 0, history: [] })
      expect(body['warnings']).toEqual([
        expect.stringMatching(/not for the person/),
        expect.stringMatching(/age, sex, education/),
      ])
    })

    it('with the best score again and again stay possible', async () => {
      const user = newUser()
      for (const days of [1500, 900, 880, 30]) await record(user, daysAgo(days), { mmse_score: 30 })
      const points = pointsOf(await forecast(user))
      expect(points[0]).toMatchObject({ median: 30, upper_95: 30 })
      expect(points[0]?.mean).toBeLessThan(30)
      expect(points[0]?.probability_below_24).toBeGreaterThan(0)
    })

    it('read the diploma from years of school only where they show it, and say so', async () => {
      const user = newUser()
      await record(user, daysAgo(10), { mmse_score: 27, age: 80, sex: 0, education_years: 12 })
      const { body } = await forecast(user)
      expect(body['warnings']).toEqual([expect.stringContaining('education_years')])
    })

    it('are not found before the first is made', async () => {
      const { status, body } = await latest(newUser())
      expect([status, body['code']]).toEqual([404, 'RESOURCE_NOT_FOUND'])
    })

    it('do not read what was submitted for predictions', async () => {
      const user = newUser()
      const prediction = { user_id: user, health_metrics: { mmse_score: 12, age: 80 } }
      expect((await stack.request('POST', '/v1/predictions', prediction, waiting)).status).toBe(200)
      expect((await forecast(user)).body).toMatchObject({ basis: 'population', history: [] })
      expect((await stack.get(`${of(user)}/health-metrics`)).body['items']).toEqual([])
    })
  })

  it('asked for twice at once are one task, which sees every visit recorded before', async () => {
    const user = newUser()
    await record(user, daysAgo(500), { mmse_score: 28 })
    const [worker] = stack.workers
    // A worker that stands still leaves the first task waiting.
    process.kill(worker?.pid ?? 0, 'SIGSTOP')
    let responses: HttpResponse[]
    try {
      responses = await Promise.all([forecast(user, {}, {}), forecast(user, { horizons_months: [24, 6, 12] }, {})])
      await record(user, daysAgo(3), { mmse_score: 25 })
      responses.push(await forecast(user, {}, {}))
      expect((await forecast(user, { horizons_months: [6] }, {})).body['task_id']).not.toBe(
        responses[0]?.body['task_id'],
      )
    } finally {
      process.kill(worker?.pid ?? 0, 'SIGCONT')
    }
    expect(responses.map(({ status }) => status)).toEqual([202, 202, 202])
    const ids = new Set(responses.map(({ body }) => body['task_id']))
    expect(ids.size).toBe(1)
    const result = await stack.get(`/v1/tasks/${String([...ids][0])}/result?wait=20`)
    expect(result.body).toMatchObject({ state: 'succeeded', result: { visits_used: 2 } })
  })

  it.each([
    ['0 months', [0], '/horizons_months/0'],
    ['-1 months', [12, -1], '/horizons_months/1'],
    ['10000 months', [10_000], '/horizons_months/0'],
    ['text', ['soon'], '/horizons_months/0'],
    ['no horizon', [], '/horizons_months'],
    ['too many horizons', Array.from({ length: 61 }, (_, index) => index + 1), '/horizons_months'],
    ['a number', 12, '/horizons_months'],
  ])('for %s are refused with what would be accepted, and nothing is stored', async (_, horizons_months, pointer) => {
    const user = newUser()
    const { status, body } = await forecast(user, { horizons_months })
    expect([status, body['code']]).toEqual([422, 'REQUEST_INVALID'])
    expect(body['errors']).toEqual([{ pointer, message: expect.stringMatching(/month|horizon/) }])
    expect(await countRowsOf(stack, user)).toBe(0)
  })

  it('are asked for without any body too', async () => {
    const response = await stack.request('POST', `${of(newUser())}/forecasts`, undefined, waiting)
    expect([response.status, response.body['state']]).toEqual([200, 'succeeded'])
  })

  it('refuse a person who is no positive integer', async () => {
    for (const user of ['0', '-3', 'me', '1.5', '9007199254740992']) {
      for (const path of ['forecasts/latest', 'health-metrics']) {
        const { status, body } = await stack.get(`${of(user)}/${path}`)
        expect([user, path, status, body['code']]).toEqual([user, path, 422, 'REQUEST_INVALID'])
      }
    }
  })

  it('belong to their person: a key bound to another reaches neither them nor the measurements', async () => {
    const [own, foreign] = [newUser(), newUser()]
    const bound = bearer(await insertKey(stack.databaseUrl, { role: 'submitter', userId: own }))
    expect((await record(own, '2024-03-01', { mmse_score: 27 }, bound)).status).toBe(201)
    expect((await forecast(own, {}, { ...bound, ...waiting })).status).toBe(200)
    expect((await stack.get(`${of(own)}/forecasts/latest`, bound)).status).toBe(200)
    expect((await stack.get(`${of(own)}/health-metrics`, bound)).status).toBe(200)
    const theirs = await record(foreign, '2024-03-01', { mmse_score: 27 })
    const before = await countRowsOf(stack, foreign)
    expect(before).toBe(1)
    const refused = [
      await record(foreign, '2024-04-01', { mmse_score: 27 }, bound),
      await forecast(foreign, {}, bound),
      await stack.get(`${of(foreign)}/forecasts/latest`, bound),
      await stack.get(`${of(foreign)}/health-metrics`, bound),
      await stack.request('DELETE', `${of(foreign)}/health-metrics/${String(theirs.body['id'])}`, undefined, bound),
    ]
    for (const { status, body } of refused) expect([status, body['code']]).toEqual([403, 'ACCESS_ROLE_MISSING'])
    expect(await countRowsOf(stack, foreign)).toBe(before)
    const viewer = bearer(await insertKey(stack.databaseUrl, { role: 'viewer' }))
    expect((await stack.get(`${of(own)}/forecasts/latest`, viewer)).status).toBe(200)
    expect((await forecast(own, {}, viewer)).status).toBe(403)
    expect((await record(own, '2024-05-01', { mmse_score: 27 }, viewer)).status).toBe(403)
  })

  it('come from a model that stands among the others, and that the worker says it serves', async () => {
    const { body } = await stack.get('/v1/models')
    const models = body['items'] as { name: string; kind: string }[]
    expect(models.find(({ name }) => name === 'mmse-forecast')).toMatchObject({ kind: 'forecast', version: '1' })
    const served = await waitFor(
      () =>
        queryNumber(
          stack.databaseUrl,
          `SELECT count(*)::int AS number FROM workers WHERE 'mmse-forecast@1' = ANY(models)`,
        ),
      { what: 'the heartbeat' },
    )
    expect(served).toBe(1)
  })

  it('leave no health data in any log', () => {
    const logs = stack.readLogs()
    expect(logs).toContain('"msg":"ready"')
    for (const word of ['mmse_score":', 'health_metrics', 'distribution']) expect(logs).not.toContain(word)
  })
})
