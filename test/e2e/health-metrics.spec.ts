import { afterAll, beforeAll, expect, it } from 'vitest'
import { describeOnBothBrokers } from '../support/brokers.js'
import { countRowsOf, daysAgo, pathOfUser, recordMetrics } from '../support/people.js'
import { startStack, type Stack } from '../support/stack.js'

describeOnBothBrokers('measurements', (broker) => {
  let stack: Stack
  let lastUser = 1000

  beforeAll(async () => {
    stack = await startStack({ broker, workers: 0, logs: 'keep', env: { LOG_LEVEL: 'trace' } })
  })
  afterAll(() => stack.stop())

  const newUser = () => (lastUser += 1)
  const of = pathOfUser
  const record = (user: number, recorded_at: unknown, health_metrics: unknown) =>
    recordMetrics(stack, user, { recorded_at, health_metrics })

  it('are recorded and stand in pages, newest first', async () => {
    const user = newUser()
    for (const days of [30, 400, 10, 200, 90]) await record(user, daysAgo(days), { mmse_score: 27 })
    const seen: unknown[] = []
    let path = `${of(user)}/health-metrics?limit=2`
    for (let page = 0; page < 3; page += 1) {
      const { status, body } = await stack.get(path)
      expect(status).toBe(200)
      seen.push(...(body['items'] as { recorded_at: string }[]).map((item) => item.recorded_at.slice(0, 10)))
      if (page === 2) expect(body['next_cursor']).toBeNull()
      path = `${of(user)}/health-metrics?limit=2&cursor=${String(body['next_cursor'])}`
    }
    expect(seen).toEqual([10, 30, 90, 200, 400].map(daysAgo))
  })

  it('are returned as they are stored, and once more if they are sent again', async () => {
    const user = newUser()
    const first = await record(user, '2024-02-29T23:30:00+01:00', { mmse_score: 27, sex: 'Male' })
    expect(first.status).toBe(201)
    expect(first.body).toMatchObject({
      user_id: user,
      recorded_at: '2024-02-29T22:30:00.000Z',
      health_metrics: { mmse_score: 27, sex: 1 },
    })
    const again = await record(user, '2024-02-29T22:30Z', { sex: 1, mmse_score: 27 })
    expect(again.status).toBe(200)
    expect(again.body).toEqual(first.body)
  })

  it('that contradict another are refused until it is deleted', async () => {
    const user = newUser()
    const first = await record(user, '2024-03-01', { mmse_score: 27 })
    for (const time of ['2024-03-01', '2024-03-01T15:00:00Z']) {
      const { status, body } = await record(user, time, { mmse_score: 26 })
      expect([status, body['code']]).toEqual([409, 'MEASUREMENT_CONFLICT'])
      expect(body['errors']).toEqual([{ pointer: '/recorded_at', message: expect.stringMatching(/delete/) }])
    }
    const path = `${of(user)}/health-metrics/${String(first.body['id'])}`
    expect((await stack.request('DELETE', path.replace(of(user), of(newUser())))).status).toBe(404)
    expect((await stack.request('DELETE', path)).status).toBe(204)
    expect((await stack.request('DELETE', path)).status).toBe(404)
    expect((await record(user, '2024-03-01T15:00:00Z', { mmse_score: 26 })).status).toBe(201)
  })

  it.each([
    ['tomorrow', { recorded_at: daysAgo(-1), health_metrics: { mmse_score: 27 } }, '/recorded_at', /future/],
    ['in an hour', { recorded_at: new Date(Date.now() + 3_600_000).toISOString() }, '/recorded_at', /future/],
    ['on 30 February', { recorded_at: '2024-02-30' }, '/recorded_at', /a day such as/],
    ['a time without its offset', { recorded_at: '2024-02-20T10:00:00' }, '/recorded_at', /offset/],
    ['in the year 1899', { recorded_at: '1899-12-31' }, '/recorded_at', /1900/],
    ['a number', { recorded_at: 1_700_000_000 }, '/recorded_at', /a day such as/],
    ['no date', { recorded_at: undefined }, '/recorded_at', /a day such as/],
    ['an unknown metric', { health_metrics: { mmse: 27 } }, '/health_metrics/mmse', /is no known metric/],
    ['MMSE 31', { health_metrics: { mmse_score: 31 } }, '/health_metrics/mmse_score', /a whole number from 0 to 30/],
    ['half a point', { health_metrics: { mmse_score: 24.5 } }, '/health_metrics/mmse_score', /a whole number/],
    ['mg/dL', { health_metrics: { total_cholesterol: 200 } }, '/health_metrics/total_cholesterol', /looks like mg\/dL/],
    ['nothing', { health_metrics: {} }, '/health_metrics', /at least one of/],
    ['a note', { note: 'canary-note' }, '/note', /recorded_at, health_metrics/],
  ])('of %s are refused, and nothing is stored', async (_, more, pointer, accepts) => {
    const user = newUser()
    const body = { recorded_at: '2024-03-01', health_metrics: { mmse_score: 27 }, ...more }
    const response = await stack.request('POST', `${of(user)}/health-metrics`, body)
    expect(response.status).toBe(422)
    expect(response.body['errors']).toEqual([{ pointer, message: expect.stringMatching(accepts) }])
    expect(response.text).not.toContain('canary')
    expect(await countRowsOf(stack, user)).toBe(0)
  })

  it('leave no health data in any log', () => {
    const logs = stack.readLogs()
    expect(logs).toContain('"msg":"ready"')
    for (const word of ['mmse_score":', 'health_metrics', 'canary']) expect(logs).not.toContain(word)
  })
})
