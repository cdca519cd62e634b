import { readFileSync } from 'node:fs'
import { randomUUID } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { startStack, type HttpResponse, type Stack } from '../support/stack.js'

interface Document {
  readonly paths: Readonly<Record<string, Readonly<Record<string, unknown>>>>
}

const document = JSON.parse(readFileSync(new URL('../../apps/api/openapi.json', import.meta.url), 'utf8')) as Document

/** Person of the bound key, one who has data, and one whose data was erased. */
const [own, other, erased, nobody] = [2, 1, 3, 987_654] as const
const metrics = { mmse_score: 24, age: 72 }

/** Ids of what a person has. */
interface Belongings {
  readonly user_id: number
  readonly prediction: string
  readonly task: string
  readonly batch: string
  readonly measurement: string
  readonly schedule: string
}

describe('A1: to a key that is bound to a person, rows of other people do not exist', () => {
  let stack: Stack
  const keys: Record<string, string> = {}
  const people: Belongings[] = []

  const as = (role: string) => ({ authorization: `Bearer ${keys[role]}` })

  const makeBelongings = async (userId: number): Promise<Belongings> => {
    const { body: prediction } = await stack.request(
      'POST',
      '/v1/predictions',
      { user_id: userId, health_metrics: metrics, explain: true },
      { prefer: 'wait=20' },
    )
    const { body: measurement } = await stack.request('POST', `/v1/users/${userId}/health-metrics`, {
      recorded_at: '2026-01-31T12:00:00Z',
      health_metrics: metrics,
    })
    await stack.request('POST', `/v1/users/${userId}/forecasts`, undefined, { prefer: 'wait=20' })
    const { body: key } = await stack.request('POST', '/v1/api-keys', {
      name: `of ${userId}`,
      role: 'submitter',
      user_id: userId,
    })
    const { body: batch } = await stack.request(
      'POST',
      '/v1/batches',
      { items: [{ user_id: userId, health_metrics: metrics }] },
      { authorization: `Bearer ${String(key['key'])}`, prefer: 'wait=20' },
    )
    const schedule = `forecast-of-${userId}`
    await stack.request('POST', '/v1/schedules', {
      name: schedule,
      task: 'ml.update_forecasts',
      args: { user_id: userId },
      cron: '0 3 1 1 *',
    })
    return {
      user_id: userId,
      prediction: String(prediction['id']),
      task: String(prediction['task_id']),
      batch: String(batch['id']),
      measurement: String(measurement['id']),
      schedule,
    }
  }

  beforeAll(async () => {
    stack = await startStack({ broker: 'postgres' })
    for (const person of [other, erased]) people.push(await makeBelongings(person))
    for (const role of ['viewer', 'submitter']) {
      const { body } = await stack.request('POST', '/v1/api-keys', { name: role, role, user_id: own })
      keys[role] = String(body['key'])
    }
    expect((await stack.request('DELETE', `/v1/users/${erased}`)).status).toBe(200)
    people.push({
      user_id: nobody,
      prediction: '987654321',
      task: '019a0000-0000-7000-8000-000000000001',
      batch: '019a0000-0000-7000-8000-000000000002',
      measurement: '987654321',
      schedule: 'of-nobody',
    })
  })
  afterAll(() => stack.stop())

  /** What can be seen of a response, without what differs between any two requests. */
  const visible = ({ status, headers, text }: HttpResponse) => ({
    status,
    headers: Object.fromEntries(
      [...headers].filter(
        ([name]) => !['date', 'x-request-id', 'keep-alive'].includes(name) && !name.startsWith('x-ratelimit'),
      ),
    ),
    body: text.replaceAll(/"request_id":"[^"]+"/g, ''),
  })

  /** Values of a path's parameters, as they follow from what the path is about. */
  const fill = (path: string, ids: Belongings): string | undefined => {
    const kind = path.split('/')[2]
    const id = path.includes('/health-metrics/')
      ? ids.measurement
      : { predictions: ids.prediction, tasks: ids.task, batches: ids.batch, schedules: ids.schedule }[kind ?? '']
    const filled = path.replace('{user_id}', String(ids.user_id)).replace('{id}', id ?? '')
    return filled.includes('{') || (path.includes('{id}') && id === undefined) ? undefined : filled
  }

  const routes = Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.keys(methods)
      .filter((method) => ['get', 'post', 'delete', 'patch'].includes(method))
      .filter(() => /^\/v1\/(predictions|tasks|batches|schedules|users)\/.*\{/.test(path))
      .map((method) => [method.toUpperCase(), path] as const),
  )

  it('the routes about stored rows are all compared', () => {
    expect(routes.length).toBeGreaterThan(20)
    for (const [, path] of routes)
      expect([path, fill(path, people[0] as Belongings)]).toEqual([path, expect.any(String)])
  })

  it.each(routes)(
    '%s %s responds alike for what is another person’s, was erased and never was',
    async (method, path) => {
      for (const role of ['viewer', 'submitter']) {
        for (const body of method === 'GET' || method === 'DELETE'
          ? [undefined]
          : [undefined, {}, { terminate: true }]) {
          const responses: unknown[] = []
          for (const ids of people) {
            const response = await stack.request(method, fill(path, ids) ?? '', body, as(role))
            responses.push(visible(response))
          }
          expect(responses[0]).toMatchObject({ status: expect.not.stringMatching(/^2/) })
          expect(responses[1]).toEqual(responses[0])
          expect(responses[2]).toEqual(responses[0])
        }
      }
    },
  )

  const calls: readonly (readonly [string, (ids: Belongings) => Record<string, unknown>])[] = [
    [
      'the right metrics',
      (ids) => ({ prediction_id: Number(ids.prediction), user_id: ids.user_id, health_metrics: metrics }),
    ],
    [
      'wrong metrics',
      (ids) => ({ prediction_id: Number(ids.prediction), user_id: ids.user_id, health_metrics: { age: 71 } }),
    ],
    ['the person alone', (ids) => ({ prediction_id: Number(ids.prediction), user_id: ids.user_id })],
    ['the own person', (ids) => ({ prediction_id: Number(ids.prediction), user_id: own, health_metrics: metrics })],
  ]
  it.each(calls)('POST /v1/tasks with a prediction and %s', async (_, argsOf) => {
    for (const name of ['ml.process_prediction', 'ml.generate_explanation']) {
      const responses: unknown[] = []
      for (const ids of people) {
        const args = name === 'ml.process_prediction' ? argsOf(ids) : { prediction_id: Number(ids.prediction) }
        responses.push(visible(await stack.request('POST', '/v1/tasks', { name, args }, as('submitter'))))
      }
      expect(responses[0]).toMatchObject({ status: 404 })
      expect(responses[1]).toEqual(responses[0])
      expect(responses[2]).toEqual(responses[0])
    }
  })

  it.each([
    ['predictions', (ids: Belongings) => `user_id=${ids.user_id}`],
    ['predictions', (ids: Belongings) => `batch_id=${ids.batch}`],
    ['predictions', (ids: Belongings) => `cursor=${Number(ids.prediction) + 1}`],
    ['tasks', (ids: Belongings) => `user_id=${ids.user_id}`],
    ['tasks', (ids: Belongings) => `prediction_id=${ids.prediction}`],
    ['tasks', (ids: Belongings) => `batch_id=${ids.batch}`],
    ['tasks', (ids: Belongings) => `id=${ids.task}`],
    ['tasks', (ids: Belongings) => `q=id:${ids.prediction}`],
    ['tasks', (ids: Belongings) => `cursor=${ids.task.replace(/.$/, 'f')}`],
    ['schedules', () => 'limit=100'],
    ['batches', () => 'limit=100'],
  ])('lists of %s hold nothing of others', async (kind, queryOf) => {
    for (const ids of people) {
      const { status, body } = await stack.request('GET', `/v1/${kind}?${queryOf(ids)}`, undefined, as('viewer'))
      expect([status, body]).toEqual([200, { items: [], next_cursor: null }])
    }
  })

  it('an idempotency key of another caller is free', async () => {
    const key = `key-${randomUUID()}`
    const submit = (user_id: number, headers: Record<string, string>) =>
      stack.request(
        'POST',
        '/v1/predictions',
        { user_id, health_metrics: metrics },
        { 'idempotency-key': key, ...headers },
      )
    const first = await submit(other, {})
    const second = await submit(own, as('submitter'))
    expect([first.status, second.status]).toEqual([202, 202])
    expect(second.body['id']).not.toBe(first.body['id'])
  })
})
