import { randomUUID } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { isDeepStrictEqual } from 'node:util'
import { describe, expect, it } from 'vitest'
import { describeOnBothBrokers } from '../support/brokers.js'
import { insertKey } from '../support/query.js'
import { bearer, countSubmissions, example, itemsOf, uuid, waiting } from '../support/requests.js'
import { useStack } from '../support/use-stack.js'
import { waitFor } from '../support/wait-for.js'

/** What the model computes for the example: a case of its golden file. */
const golden = (() => {
  const file = new URL('../../models/impairment-screen/1/golden.json', import.meta.url)
  const { cases } = JSON.parse(readFileSync(file, 'utf8')) as {
    cases: { inputs: object; outputs: Record<string, { value: number; lower: number; upper: number }> }[]
  }
  const found = cases.find(({ inputs }) => isDeepStrictEqual(inputs, example.health_metrics))?.outputs['impairment']
  if (!found) throw new Error('The golden file has no such case')
  return found
})()

describeOnBothBrokers('predictions of the API', (broker) => {
  const stack = useStack({ broker, logs: 'keep', env: { LOG_LEVEL: 'trace' } })

  const post = (body: unknown, headers: Record<string, string> = {}) => stack.post('/v1/predictions', body, headers)

  describe('a prediction', () => {
    it('is returned with its result if the caller prefers to wait', async () => {
      const { status, headers, body } = await post(example, waiting)
      expect(status).toBe(200)
      expect(headers.get('preference-applied')).toBe('wait=20')
      expect(headers.get('location')).toBe(`/v1/predictions/${String(body['id'])}`)
      expect(headers.get('retry-after')).toBeNull()
      expect(body).toMatchObject({
        user_id: 123,
        state: 'succeeded',
        celery_state: 'SUCCESS',
        risk_category: 'very_high',
        model: { name: 'impairment-screen', version: '1' },
        input_features: example.health_metrics,
        missing_features: ['sex', 'education_years', 'ses', 'nwbv', 'etiv'],
        warnings: [],
        error: null,
        batch_id: null,
        disclaimer: expect.stringContaining('Decision support, not diagnosis'),
      })
      expect(body['risk_score']).toBeCloseTo(golden.value, 6)
      const interval = body['confidence_interval'] as { lower: number; upper: number; level: number }
      expect(interval.level).toBe(0.9)
      expect(interval.lower).toBeCloseTo(golden.lower, 6)
      expect(interval.upper).toBeCloseTo(golden.upper, 6)
    })

    it('is otherwise accepted at once, and can be read until it is there', async () => {
      const { status, headers, body } = await post(example)
      expect(status).toBe(202)
      expect(body).toMatchObject({ state: 'queued', celery_state: 'PENDING', risk_score: null, completed_at: null })
      expect(body['task_id']).toMatch(uuid)
      expect(Number(headers.get('retry-after'))).toBeGreaterThanOrEqual(1)
      const location = headers.get('location') ?? ''
      const read = await waitFor(
        async () => {
          const response = await stack.get(location)
          return response.body['state'] === 'succeeded' && response
        },
        { what: 'the prediction' },
      )
      expect(read.status).toBe(200)
      expect(read.body['risk_score']).toBeCloseTo(golden.value, 6)
      expect(read.body['completed_at']).toEqual(expect.any(String))
    })

    it('takes words for categories, keeps what the model does not use, and says so', async () => {
      const { status, body } = await post(
        { user_id: 5, health_metrics: { mmse_score: 28, sex: 'Female', cdr: 0, education_years: 3 } },
        waiting,
      )
      expect(status).toBe(200)
      expect(body['input_features']).toEqual({ mmse_score: 28, sex: 0, cdr: 0, education_years: 3 })
      expect(body['warnings']).toEqual([
        expect.stringMatching(/^cdr is stored but not used/),
        expect.stringMatching(/^education_years lies outside 8 to 20/),
      ])
    })

    it('is shown with its attempts and its timeline by its task', async () => {
      const { body } = await post(example, waiting)
      const task = await stack.get(`/v1/tasks/${String(body['task_id'])}`)
      expect(task.body).toMatchObject({
        id: body['task_id'],
        name: 'ml.process_prediction',
        queue: 'predictions',
        state: 'succeeded',
        celery_state: 'SUCCESS',
        args: { prediction_id: body['id'], user_id: 123 },
        attempt: 1,
        retries: 0,
        crashes: 0,
        worker: 'worker1@test',
        error: null,
        attempts: [{ attempt: 1, worker: 'worker1@test', outcome: 'succeeded', error: null }],
        timeline: [
          { state: 'queued' },
          { state: 'running', attempt: 1, worker: 'worker1@test' },
          { state: 'succeeded' },
        ],
      })
      expect(task.text).not.toContain('mmse_score')
    })

    it('is waited for at its task', async () => {
      const { body } = await post(example)
      const result = await stack.get(`/v1/tasks/${String(body['task_id'])}/result?wait=20`)
      expect(result.body).toMatchObject({
        task_id: body['task_id'],
        state: 'succeeded',
        celery_state: 'SUCCESS',
        ready: true,
        successful: true,
        result: { prediction_id: body['id'], risk_category: 'very_high', confidence_interval: { level: 0.9 } },
        error: null,
      })
    })

    it('stands in pages, newest first, each prediction once', async () => {
      const ids: unknown[] = []
      for (let index = 0; index < 7; index += 1) {
        ids.unshift((await post({ ...example, user_id: 777 }, waiting)).body['id'])
      }
      const seen: unknown[] = []
      let path = '/v1/predictions?user_id=777&state=succeeded&limit=3'
      for (let page = 0; page < 3; page += 1) {
        const response = await stack.get(path)
        seen.push(...itemsOf(response).map(({ id }) => id))
        const cursor = response.body['next_cursor']
        if (page < 2) expect(cursor).toEqual(expect.any(String))
        else expect(cursor).toBeNull()
        path = `/v1/predictions?user_id=777&state=succeeded&limit=3&cursor=${String(cursor)}`
      }
      expect(seen).toEqual(ids)
      expect(itemsOf(await stack.get('/v1/predictions?user_id=777&state=failed'))).toEqual([])
    })
  })

  describe('an idempotency key', () => {
    it('gives the same response to the same request, whatever the order of its metrics', async () => {
      const key = { 'idempotency-key': randomUUID() }
      const first = await post(example, { ...key, ...waiting })
      const before = await countSubmissions(stack)
      const again = await post({ health_metrics: { age: 72, mmse_score: 24 }, user_id: 123 }, { ...key, ...waiting })
      expect(again.status).toBe(200)
      expect(again.body).toEqual(first.body)
      expect(await countSubmissions(stack)).toBe(before)
    })

    it('refuses another request, and stores nothing', async () => {
      const key = { 'idempotency-key': randomUUID() }
      await post(example, key)
      const before = await countSubmissions(stack)
      const other = await post({ ...example, user_id: 124 }, key)
      expect(other.status).toBe(422)
      expect(other.body['code']).toBe('IDEMPOTENCY_KEY_REUSED')
      expect(await countSubmissions(stack)).toBe(before)
    })

    it('belongs to the caller: the same key of another caller is another request', async () => {
      const key = randomUUID()
      const other = await insertKey(stack.databaseUrl, { role: 'submitter' })
      const mine = await post(example, { 'idempotency-key': key })
      const theirs = await post({ ...example, user_id: 9 }, { 'idempotency-key': key, ...bearer(other) })
      expect(theirs.status).toBe(202)
      expect(theirs.body['id']).not.toBe(mine.body['id'])
    })

    it('must be short, visible ASCII', async () => {
      for (const key of ['with space', 'x'.repeat(256)]) {
        const { status, body } = await post(example, { 'idempotency-key': key })
        expect(status).toBe(422)
        expect(body['errors']).toMatchObject([{ pointer: 'Idempotency-Key' }])
      }
    })
  })
})
