import { describe, expect, it } from 'vitest'
import { describeOnBothBrokers } from '../support/brokers.js'
import { insertKey } from '../support/query.js'
import { bearer, countSubmissions, example, expectProblem, itemsOf, uuid, waiting } from '../support/requests.js'
import { useStack } from '../support/use-stack.js'

describeOnBothBrokers('the API', (broker) => {
  const stack = useStack({ broker, logs: 'keep', env: { LOG_LEVEL: 'trace' } })

  const post = (body: unknown, headers: Record<string, string> = {}) => stack.post('/v1/predictions', body, headers)

  describe('access', () => {
    it('is denied without a key, with a wrong, an expired or a revoked one', async () => {
      const expired = await insertKey(stack.databaseUrl, { role: 'admin', expiresAt: new Date(Date.now() - 1000) })
      const revoked = await insertKey(stack.databaseUrl, { role: 'admin', revokedAt: new Date() })
      const before = await countSubmissions(stack)
      for (const [authorization, code] of [
        ['', 'ACCESS_KEY_MISSING'],
        ['Basic dXNlcjpwYXNz', 'ACCESS_KEY_MISSING'],
        ['Bearer', 'ACCESS_KEY_MISSING'],
        [`Bearer ${stack.key} x`, 'ACCESS_KEY_MISSING'],
        ['Bearer mg_this-is-not-a-key-of-anyone', 'ACCESS_KEY_INVALID'],
        [`Bearer ${expired}`, 'ACCESS_KEY_INVALID'],
        [`Bearer ${revoked}`, 'ACCESS_KEY_INVALID'],
      ] as const) {
        const response = await post(example, { authorization })
        expect([authorization, response.status, response.body['code']]).toEqual([authorization, 401, code])
        expect(response.headers.get('www-authenticate')).toMatch(/^Bearer/)
        expectProblem(response)
      }
      expect(await countSubmissions(stack)).toBe(before)
    })

    it('takes the scheme in any case and any number of spaces', async () => {
      expect((await stack.get('/v1/predictions?limit=1', { authorization: `bearer   ${stack.key}` })).status).toBe(200)
    })

    it('shows a stranger nothing of the body: the key is asked for first', async () => {
      const response = await post({ nonsense: true }, { authorization: '' })
      expect(response.status).toBe(401)
    })

    it('lets a viewer read and not write', async () => {
      const viewer = bearer(await insertKey(stack.databaseUrl, { role: 'viewer' }))
      const { body } = await post(example, waiting)
      expect((await stack.get(`/v1/predictions/${String(body['id'])}`, viewer)).status).toBe(200)
      const before = await countSubmissions(stack)
      const refused = await post(example, viewer)
      expect([refused.status, refused.body['code']]).toEqual([403, 'ACCESS_ROLE_MISSING'])
      expect(await countSubmissions(stack)).toBe(before)
    })

    it('bound to a person reaches no one else', async () => {
      const bound = bearer(await insertKey(stack.databaseUrl, { role: 'submitter', userId: 4242 }))
      const [own, foreign] = await Promise.all([
        post({ ...example, user_id: 4242 }, { ...bound, ...waiting }),
        post({ ...example, user_id: 4243 }, waiting),
      ])
      expect([own.status, foreign.status]).toEqual([200, 200])
      const refused = await post({ ...example, user_id: 4243 }, bound)
      expect([refused.status, refused.body['code']]).toEqual([403, 'ACCESS_ROLE_MISSING'])
      expect((await stack.get(`/v1/predictions/${String(own.body['id'])}`, bound)).status).toBe(200)
      for (const path of [
        `/v1/predictions/${String(foreign.body['id'])}`,
        `/v1/tasks/${String(foreign.body['task_id'])}`,
        `/v1/tasks/${String(foreign.body['task_id'])}/result`,
      ]) {
        expect((await stack.get(path, bound)).status).toBe(404)
      }
      expect(itemsOf(await stack.get('/v1/predictions', bound)).map(({ user_id }) => user_id)).toEqual([4242])
      expect(itemsOf(await stack.get('/v1/predictions?user_id=4243', bound))).toEqual([])
    })

    it('leaves no key in any log', () => {
      expect(stack.readLogs()).not.toContain(stack.key)
    })
  })

  describe('documents, probes and metrics', () => {
    it('keeps a plain request id of the caller and makes one otherwise', async () => {
      const given = await stack.get('/v1/predictions/abc', { 'x-request-id': 'trace-1.a_b' })
      expect(given.headers.get('x-request-id')).toBe('trace-1.a_b')
      expect(given.body['request_id']).toBe('trace-1.a_b')
      const made = await stack.get('/v1/predictions/abc', { 'x-request-id': '<script>' })
      expect(made.headers.get('x-request-id')).toMatch(uuid)
    })

    it('describes itself in OpenAPI 3.1 with request bodies', async () => {
      const { status, body } = await stack.get('/openapi.json', { authorization: '' })
      expect(status).toBe(200)
      expect(body['openapi']).toMatch(/^3\.1\./)
      const document = body as {
        paths: Record<string, Record<string, { requestBody?: unknown; responses: object }>>
        components: { schemas: Record<string, { properties?: object }> }
      }
      const submit = document.paths['/v1/predictions']?.['post']
      expect(submit?.requestBody).toMatchObject({
        content: { 'application/json': { schema: { $ref: '#/components/schemas/PredictionRequest' } } },
      })
      expect(Object.keys(submit?.responses ?? {})).toEqual(
        expect.arrayContaining(['200', '202', '400', '401', '422', '429', '503']),
      )
      expect(document.components.schemas['PredictionRequest']?.properties).toHaveProperty('health_metrics')
      expect(document.components.schemas['Problem']?.properties).toHaveProperty('errors')
      expect(Object.keys(document.paths)).toEqual(
        expect.arrayContaining(['/v1/predictions/{id}', '/v1/tasks/{id}', '/v1/tasks/{id}/result', '/v1/models']),
      )
    })

    it('serves Swagger UI', async () => {
      const { status, text } = await stack.get('/docs', { authorization: '' })
      expect(status).toBe(200)
      expect(text).toContain('swagger-ui')
    })

    it('serves its probes and metrics without a key', async () => {
      const open = { authorization: '' }
      expect((await stack.get('/livez', open)).body).toEqual({ status: 'ok' })
      expect((await stack.get('/startupz', open)).body).toEqual({ started: true })
      const ready = await stack.get('/readyz', open)
      expect(ready.status).toBe(200)
      expect(ready.body).toMatchObject({ status: 'ok', broker: 'up', details: { database: { status: 'up' } } })
      expect((await post(example)).status).toBe(202)
      const { text } = await stack.get('/metrics', open)
      expect(text).toMatch(
        /memoryguard_http_request_seconds_count\{method="POST",route="\/v1\/predictions",status="202"\} \d+/,
      )
      // Identifiers would make a label of their own for each task.
      expect(text).not.toMatch(/route="[^"]*\/\d/)
    })

    it('serves the probes and metrics of the worker', async () => {
      const healthUrl = stack.workers[0]?.healthUrl ?? ''
      for (const probe of ['livez', 'readyz', 'startupz']) {
        expect([probe, (await fetch(`${healthUrl}/${probe}`)).status]).toEqual([probe, 200])
      }
      expect((await fetch(`${healthUrl}/nothing`)).status).toBe(404)
      const text = await (await fetch(`${healthUrl}/metrics`)).text()
      expect(text).toMatch(/memoryguard_task_attempts_total\{task="ml.process_prediction",outcome="succeeded"\} \d+/)
      expect(text).toContain('nodejs_eventloop_lag_p99_seconds')
    })

    it('lists the models with their cards', async () => {
      const list = await stack.get('/v1/models')
      expect(itemsOf(list)).toContainEqual(
        expect.objectContaining({ name: 'impairment-screen', version: '1', kind: 'risk' }),
      )
      const detail = await stack.get('/v1/models/impairment-screen/1')
      expect(detail.body['card']).toMatch(/^# /)
      expect((await stack.get('/v1/models/impairment-screen/2')).status).toBe(404)
    })
  })
})
