import { randomUUID } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { connect } from 'node:net'
import { isDeepStrictEqual } from 'node:util'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { describeOnBothBrokers } from '../support/brokers.js'
import { insertKey, queryNumber } from '../support/query.js'
import { startStack, type Answer, type Stack } from '../support/stack.js'
import { waitFor } from '../support/wait-for.js'

const example = { user_id: 123, health_metrics: { mmse_score: 24, age: 72 } }
/** What the model answers to the example: a case of its golden file. */
const golden = (() => {
  const file = new URL('../../models/impairment-screen/1/golden.json', import.meta.url)
  const { cases } = JSON.parse(readFileSync(file, 'utf8')) as {
    cases: { inputs: object; outputs: Record<string, { value: number; lower: number; upper: number }> }[]
  }
  const found = cases.find(({ inputs }) => isDeepStrictEqual(inputs, example.health_metrics))?.outputs['impairment']
  if (!found) throw new Error('The golden file has no such case')
  return found
})()
const waiting = { prefer: 'wait=20' }
const uuid = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/

describeOnBothBrokers('the API', (broker) => {
  let stack: Stack

  beforeAll(async () => {
    stack = await startStack({ broker, logs: 'keep', env: { LOG_LEVEL: 'trace' } })
  })
  afterAll(() => stack.stop())

  const post = (body: unknown, headers: Record<string, string> = {}) =>
    stack.request('POST', '/v1/predictions', body, headers)
  const get = (path: string, headers: Record<string, string> = {}) => stack.request('GET', path, undefined, headers)
  const bearer = (key: string) => ({ authorization: `Bearer ${key}` })
  const countRows = () =>
    queryNumber(
      stack.databaseUrl,
      'SELECT (SELECT count(*) FROM tasks)::int + (SELECT count(*) FROM predictions)::int AS number',
    )
  const itemsOf = (answer: Answer) => answer.body['items'] as Record<string, unknown>[]

  describe('a prediction', () => {
    it('is answered with its result if the caller prefers to wait', async () => {
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
          const answer = await get(location)
          return answer.body['state'] === 'succeeded' && answer
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

    it('is told with its attempts and its timeline by its task', async () => {
      const { body } = await post(example, waiting)
      const task = await get(`/v1/tasks/${String(body['task_id'])}`)
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
      const result = await get(`/v1/tasks/${String(body['task_id'])}/result?wait=20`)
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
        const answer = await get(path)
        seen.push(...itemsOf(answer).map(({ id }) => id))
        const cursor = answer.body['next_cursor']
        if (page < 2) expect(cursor).toEqual(expect.any(String))
        else expect(cursor).toBeNull()
        path = `/v1/predictions?user_id=777&state=succeeded&limit=3&cursor=${String(cursor)}`
      }
      expect(seen).toEqual(ids)
      expect(itemsOf(await get('/v1/predictions?user_id=777&state=failed'))).toEqual([])
    })
  })

  describe('an idempotency key', () => {
    it('gives the same answer to the same request, whatever the order of its metrics', async () => {
      const key = { 'idempotency-key': randomUUID() }
      const first = await post(example, { ...key, ...waiting })
      const before = await countRows()
      const again = await post({ health_metrics: { age: 72, mmse_score: 24 }, user_id: 123 }, { ...key, ...waiting })
      expect(again.status).toBe(200)
      expect(again.body).toEqual(first.body)
      expect(await countRows()).toBe(before)
    })

    it('refuses another request, and stores nothing', async () => {
      const key = { 'idempotency-key': randomUUID() }
      await post(example, key)
      const before = await countRows()
      const other = await post({ ...example, user_id: 124 }, key)
      expect(other.status).toBe(422)
      expect(other.body['code']).toBe('IDEMPOTENCY_KEY_REUSED')
      expect(await countRows()).toBe(before)
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

  describe('bad input', () => {
    interface BadCase {
      readonly what: string
      readonly body: unknown
      readonly status: number
      readonly code: string
      /** Where the fault is; undefined where the request as a whole is refused. */
      readonly pointer?: string
      /** What the caller is told would be accepted. */
      readonly accepts?: RegExp
      readonly contentType?: string
      /** Must stand neither in the answer nor in a log line. */
      readonly secret?: string
    }
    const metrics = (health_metrics: unknown) => ({ user_id: 31_415_926, health_metrics })
    const cases: readonly BadCase[] = [
      {
        what: 'an unknown metric',
        body: metrics({ mmse_score: 24, mmse_scores: 7.654321 }),
        status: 422,
        code: 'MODEL_INPUT_INVALID',
        pointer: '/health_metrics/mmse_scores',
        accepts: /known.*mmse_score/i,
        secret: '7.654321',
      },
      {
        what: 'text for a number',
        body: metrics({ mmse_score: 'canary-text', age: 72 }),
        status: 422,
        code: 'MODEL_INPUT_INVALID',
        pointer: '/health_metrics/mmse_score',
        accepts: /a whole number from 0 to 30/,
        secret: 'canary-text',
      },
      {
        what: 'MMSE 31',
        body: metrics({ mmse_score: 31 }),
        status: 422,
        code: 'MODEL_INPUT_INVALID',
        pointer: '/health_metrics/mmse_score',
        accepts: /a whole number from 0 to 30/,
      },
      {
        what: 'age 400',
        body: metrics({ age: 400.123456 }),
        status: 422,
        code: 'MODEL_INPUT_INVALID',
        pointer: '/health_metrics/age',
        accepts: /a number from 18 to 120.*looks like months/,
        secret: '400.123456',
      },
      {
        what: 'a known metric of another model out of range',
        body: metrics({ mmse_score: 24, moca_score: 31.975319 }),
        status: 422,
        code: 'MODEL_INPUT_INVALID',
        pointer: '/health_metrics/moca_score',
        accepts: /from 0 to 30/,
        secret: '31.975319',
      },
      {
        what: 'NaN, which is no JSON',
        body: '{"user_id": 31415926, "health_metrics": {"mmse_score": NaN}}',
        status: 400,
        code: 'REQUEST_MALFORMED',
        accepts: /NaN/,
      },
      {
        what: 'a number beyond what a number can hold',
        body: '{"user_id": 31415926, "health_metrics": {"mmse_score": 1e999}}',
        status: 422,
        code: 'REQUEST_INVALID',
        pointer: '/health_metrics/mmse_score',
        accepts: /must be a number/,
      },
      {
        what: 'broken JSON',
        body: '{"user_id": 31415926, "health_metrics": {"mmse_score": 2',
        status: 400,
        code: 'REQUEST_MALFORMED',
      },
      { what: 'an empty body', body: '', status: 422, code: 'REQUEST_INVALID', pointer: '' },
      {
        what: 'a list',
        body: [31_415_926],
        status: 422,
        code: 'REQUEST_INVALID',
        pointer: '',
        accepts: /object/,
        secret: '31415926',
      },
      {
        what: 'empty metrics',
        body: metrics({}),
        status: 422,
        code: 'MODEL_INPUT_INVALID',
        pointer: '/health_metrics',
        accepts: /at least one of mmse_score, age/,
      },
      {
        what: 'only metrics that the model does not use',
        body: metrics({ bmi: 24.864213 }),
        status: 422,
        code: 'MODEL_INPUT_INVALID',
        pointer: '/health_metrics',
        accepts: /at least one of mmse_score, age/,
        secret: '24.864213',
      },
      {
        what: 'no metrics',
        body: { user_id: 31_415_926 },
        status: 422,
        code: 'REQUEST_INVALID',
        pointer: '/health_metrics',
      },
      {
        what: 'a metric that is null',
        body: metrics({ mmse_score: null, age: 72 }),
        status: 422,
        code: 'REQUEST_INVALID',
        pointer: '/health_metrics/mmse_score',
        accepts: /must be a number/,
      },
      {
        what: 'a metric that is a list',
        body: metrics({ mmse_score: ['canary-list'] }),
        status: 422,
        code: 'REQUEST_INVALID',
        pointer: '/health_metrics/mmse_score',
        accepts: /must be a number/,
        secret: 'canary-list',
      },
      {
        what: 'an unknown field',
        body: { ...metrics({ mmse_score: 24 }), notes: 'canary-note' },
        status: 422,
        code: 'REQUEST_INVALID',
        pointer: '/notes',
        accepts: /user_id, health_metrics, model/,
        secret: 'canary-note',
      },
      {
        what: 'an unknown model',
        body: { ...metrics({ mmse_score: 24 }), model: 'canary-model' },
        status: 422,
        code: 'MODEL_UNKNOWN',
        pointer: '/model',
        accepts: /impairment-screen@1/,
        secret: 'canary-model',
      },
      {
        what: 'an unknown version of a model',
        body: { ...metrics({ mmse_score: 24 }), model: 'impairment-screen@99' },
        status: 422,
        code: 'MODEL_UNKNOWN',
        pointer: '/model',
        accepts: /impairment-screen@1/,
      },
      ...[0, -4, 1.5, 2 ** 53, 'canary-user', null].map((user_id): BadCase => ({
        what: `the user_id ${user_id}`,
        body: { user_id, health_metrics: { mmse_score: 24 } },
        status: 422,
        code: 'REQUEST_INVALID',
        pointer: '/user_id',
        accepts: /must be a whole number from 1/,
        secret: 'canary-user',
      })),
      {
        what: 'two megabytes',
        body: metrics({ mmse_score: 'x'.repeat(2_000_000) }),
        status: 413,
        code: 'REQUEST_TOO_LARGE',
        accepts: /1 MiB/,
        secret: 'xxxxxxxxxxxxxxxxxxxx',
      },
      {
        what: 'plain text',
        body: JSON.stringify(example),
        contentType: 'text/plain',
        status: 415,
        code: 'REQUEST_MEDIA_TYPE_UNSUPPORTED',
        accepts: /application\/json/,
      },
      {
        what: 'a form',
        body: 'user_id=31415926&mmse_score=24',
        contentType: 'application/x-www-form-urlencoded',
        status: 415,
        code: 'REQUEST_MEDIA_TYPE_UNSUPPORTED',
        accepts: /application\/json/,
      },
      {
        what: 'a name that would reach into the prototype',
        body: '{"user_id": 31415926, "health_metrics": {"mmse_score": 24, "__proto__": {"age": 72}}}',
        status: 400,
        code: 'REQUEST_MALFORMED',
        accepts: /__proto__/,
      },
      {
        what: 'a metric with the name of what every object has',
        body: metrics({ mmse_score: 24, constructor: 7 }),
        status: 422,
        code: 'MODEL_INPUT_INVALID',
        pointer: '/health_metrics/constructor',
      },
    ]

    it.each(cases)('$what is refused: nothing is stored and no value is told', async (bad) => {
      const before = await countRows()
      const answer = await post(bad.body, bad.contentType ? { 'content-type': bad.contentType } : {})
      expect(answer.body).toMatchObject({ status: bad.status, code: bad.code })
      expect(answer.status).toBe(bad.status)
      expectProblem(answer)
      const errors = answer.body['errors'] as { pointer: string; message: string }[]
      if (bad.pointer !== undefined) expect(errors.map(({ pointer }) => pointer)).toEqual([bad.pointer])
      if (bad.accepts)
        expect([answer.body['detail'], ...errors.map(({ message }) => message)].join(' ')).toMatch(bad.accepts)
      if (bad.secret !== undefined) expect(answer.text).not.toContain(bad.secret)
      expect(await countRows()).toBe(before)
    })

    it('is told with every fault at once', async () => {
      const { body } = await post(metrics({ mmse_score: 31, age: 400, 'a/b~c': 1 }))
      expect((body['errors'] as { pointer: string }[]).map(({ pointer }) => pointer)).toEqual([
        '/health_metrics/mmse_score',
        '/health_metrics/age',
        '/health_metrics/a~1b~0c',
      ])
    })

    it('is bounded, whatever is sent: neither many metrics nor many faults make a large answer', async () => {
      const unknown = (count: number, value: number | null = 1) =>
        metrics(Object.fromEntries(Array.from({ length: count }, (_, index) => [`x${index}`, value])))
      for (const value of [1, null]) {
        expect((await post(unknown(60_000, value))).status).toBe(413)
        const { status, body } = await post(unknown(1_000, value))
        expect(status).toBe(422)
        expect(body['errors']).toEqual([{ pointer: '/health_metrics', message: 'must have at most 200 members' }])
      }
      const many = await post(unknown(200))
      expect(many.body['errors']).toHaveLength(51)
      expect((many.body['errors'] as object[]).at(-1)).toEqual({ pointer: '', message: 'and 150 more faults' })
      expect(many.text.match(/mmse_score/g)).toHaveLength(1)
    })

    it('in a path or a query is refused with what would be accepted', async () => {
      for (const [path, status, code] of [
        ['/v1/predictions/abc', 422, 'REQUEST_INVALID'],
        ['/v1/predictions/0', 422, 'REQUEST_INVALID'],
        ['/v1/predictions/999999999', 404, 'RESOURCE_NOT_FOUND'],
        ['/v1/tasks/not-a-uuid', 422, 'REQUEST_INVALID'],
        [`/v1/tasks/${randomUUID()}`, 404, 'RESOURCE_NOT_FOUND'],
        [`/v1/tasks/${randomUUID()}/result?wait=26`, 422, 'REQUEST_INVALID'],
        ['/v1/predictions?limit=0', 422, 'REQUEST_INVALID'],
        ['/v1/predictions?limit=501', 422, 'REQUEST_INVALID'],
        ['/v1/predictions?cursor=abc', 422, 'REQUEST_INVALID'],
        ['/v1/predictions?state=done', 422, 'REQUEST_INVALID'],
        ['/v1/predictions?user_id=x', 422, 'REQUEST_INVALID'],
        ['/v1/predictions?colour=red', 422, 'REQUEST_INVALID'],
        ['/v1/nothing', 404, 'RESOURCE_NOT_FOUND'],
        ['/v1/predictions/canary-path%', 400, 'REQUEST_MALFORMED'],
        [`/v1/predictions/${'1'.repeat(2_100)}`, 400, 'REQUEST_MALFORMED'],
      ] as const) {
        const answer = await get(path)
        expect([path, answer.status, answer.body['code']]).toEqual([path, status, code])
        expectProblem(answer)
        expect(answer.text).not.toContain('canary')
      }
    })

    it('is no body where none is needed, and no compressed one anywhere', async () => {
      const json = { 'content-type': 'application/json' }
      const { body } = await post(example, waiting)
      const empty = await stack.request('POST', `/v1/predictions/${String(body['id'])}/explanation`, '', json)
      expect(empty.status).toBe(202)
      const packed = await post(example, { 'content-encoding': 'gzip' })
      expect([packed.status, packed.body['code']]).toEqual([415, 'REQUEST_MEDIA_TYPE_UNSUPPORTED'])
    })

    it('that is cut off by its caller is no fault of the database', async () => {
      const id = `cut-off-${randomUUID()}`
      const cutOff = () => {
        const socket = connect(Number(new URL(stack.url).port), '127.0.0.1')
        const head = [
          'POST /v1/predictions HTTP/1.1',
          'Host: x',
          `Authorization: Bearer ${stack.key}`,
          `X-Request-Id: ${id}`,
        ]
        const length = ['Content-Type: application/json', 'Content-Length: 100', 'Expect: 100-continue']
        // Reset before the server has read the head, there would be no request at all.
        socket.once('data', () => socket.resetAndDestroy())
        socket.write(`${[...head, ...length].join('\r\n')}\r\n\r\n{"user_id"`)
      }
      // Of many rejected requests within a second, as the tests before have sent them, only some have a line.
      const line = await waitFor(
        () => {
          cutOff()
          return stack
            .readLogs()
            .split('\n')
            .find((text) => text.includes(id))
        },
        { what: 'the request to be told as cut off', intervalMs: 300 },
      )
      expect(JSON.parse(line)).toMatchObject({ msg: 'request rejected', status: 400 })
      expect(stack.readLogs()).not.toContain('The database is not available')
    })

    it('leaves no input value in any log', () => {
      const logs = stack.readLogs()
      expect(logs).toContain('"msg":"ready"')
      const secrets = cases.flatMap(({ secret }) => secret ?? [])
      expect(secrets.length).toBeGreaterThan(5)
      for (const secret of [...secrets, '31415926']) expect(logs).not.toContain(secret)
    })
  })

  describe('access', () => {
    it('is denied without a key, with a wrong, an expired or a revoked one', async () => {
      const expired = await insertKey(stack.databaseUrl, { role: 'admin', expiresAt: new Date(Date.now() - 1000) })
      const revoked = await insertKey(stack.databaseUrl, { role: 'admin', revokedAt: new Date() })
      const before = await countRows()
      for (const [authorization, code] of [
        ['', 'ACCESS_KEY_MISSING'],
        ['Basic dXNlcjpwYXNz', 'ACCESS_KEY_MISSING'],
        ['Bearer', 'ACCESS_KEY_MISSING'],
        [`Bearer ${stack.key} x`, 'ACCESS_KEY_MISSING'],
        ['Bearer mg_this-is-not-a-key-of-anyone', 'ACCESS_KEY_INVALID'],
        [`Bearer ${expired}`, 'ACCESS_KEY_INVALID'],
        [`Bearer ${revoked}`, 'ACCESS_KEY_INVALID'],
      ] as const) {
        const answer = await post(example, { authorization })
        expect([authorization, answer.status, answer.body['code']]).toEqual([authorization, 401, code])
        expect(answer.headers.get('www-authenticate')).toMatch(/^Bearer/)
        expectProblem(answer)
      }
      expect(await countRows()).toBe(before)
    })

    it('takes the scheme in any case and any number of spaces', async () => {
      expect((await get('/v1/predictions?limit=1', { authorization: `bearer   ${stack.key}` })).status).toBe(200)
    })

    it('tells a stranger nothing of the body: the key is asked for first', async () => {
      const answer = await post({ nonsense: true }, { authorization: '' })
      expect(answer.status).toBe(401)
    })

    it('lets a viewer read and not write', async () => {
      const viewer = bearer(await insertKey(stack.databaseUrl, { role: 'viewer' }))
      const { body } = await post(example, waiting)
      expect((await get(`/v1/predictions/${String(body['id'])}`, viewer)).status).toBe(200)
      const before = await countRows()
      const refused = await post(example, viewer)
      expect([refused.status, refused.body['code']]).toEqual([403, 'ACCESS_ROLE_MISSING'])
      expect(await countRows()).toBe(before)
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
      expect((await get(`/v1/predictions/${String(own.body['id'])}`, bound)).status).toBe(200)
      for (const path of [
        `/v1/predictions/${String(foreign.body['id'])}`,
        `/v1/tasks/${String(foreign.body['task_id'])}`,
        `/v1/tasks/${String(foreign.body['task_id'])}/result`,
      ]) {
        expect((await get(path, bound)).status).toBe(404)
      }
      expect(itemsOf(await get('/v1/predictions', bound)).map(({ user_id }) => user_id)).toEqual([4242])
      expect(itemsOf(await get('/v1/predictions?user_id=4243', bound))).toEqual([])
    })

    it('leaves no key in any log', () => {
      expect(stack.readLogs()).not.toContain(stack.key)
    })
  })

  describe('documents, probes and metrics', () => {
    it('keeps a plain request id of the caller and makes one otherwise', async () => {
      const given = await get('/v1/predictions/abc', { 'x-request-id': 'trace-1.a_b' })
      expect(given.headers.get('x-request-id')).toBe('trace-1.a_b')
      expect(given.body['request_id']).toBe('trace-1.a_b')
      const made = await get('/v1/predictions/abc', { 'x-request-id': '<script>' })
      expect(made.headers.get('x-request-id')).toMatch(uuid)
    })

    it('describes itself in OpenAPI 3.1 with request bodies', async () => {
      const { status, body } = await get('/openapi.json', { authorization: '' })
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
      const { status, text } = await get('/docs', { authorization: '' })
      expect(status).toBe(200)
      expect(text).toContain('swagger-ui')
    })

    it('answers its probes and metrics without a key', async () => {
      const open = { authorization: '' }
      expect((await get('/livez', open)).body).toEqual({ status: 'ok' })
      expect((await get('/startupz', open)).body).toEqual({ started: true })
      const ready = await get('/readyz', open)
      expect(ready.status).toBe(200)
      expect(ready.body).toMatchObject({ status: 'ok', broker: 'up', details: { database: { status: 'up' } } })
      const { text } = await get('/metrics', open)
      expect(text).toMatch(
        /memoryguard_http_request_seconds_count\{method="POST",route="\/v1\/predictions",status="202"\} \d+/,
      )
      // Identifiers would make a label of their own for each task.
      expect(text).not.toMatch(/route="[^"]*\/\d/)
    })

    it('answers the probes and metrics of the worker', async () => {
      const healthUrl = stack.workers[0]?.healthUrl ?? ''
      for (const probe of ['livez', 'readyz', 'startupz']) {
        expect([probe, (await fetch(`${healthUrl}/${probe}`)).status]).toEqual([probe, 200])
      }
      expect((await fetch(`${healthUrl}/nothing`)).status).toBe(404)
      const text = await (await fetch(`${healthUrl}/metrics`)).text()
      expect(text).toMatch(/memoryguard_task_attempts_total\{task="ml.process_prediction",outcome="succeeded"\} \d+/)
      expect(text).toContain('nodejs_eventloop_lag_p99_seconds')
    })

    it('tells of the models with their cards', async () => {
      const list = await get('/v1/models')
      expect(itemsOf(list)).toContainEqual(
        expect.objectContaining({ name: 'impairment-screen', version: '1', kind: 'risk' }),
      )
      const detail = await get('/v1/models/impairment-screen/1')
      expect(detail.body['card']).toMatch(/^# /)
      expect((await get('/v1/models/impairment-screen/2')).status).toBe(404)
    })
  })
})

const expectProblem = ({ headers, body }: Answer): void => {
  expect(headers.get('content-type')).toMatch(/^application\/problem\+json/)
  expect(Object.keys(body).sort()).toEqual(['code', 'detail', 'errors', 'request_id', 'status', 'title', 'type'])
  expect(body['request_id']).toBe(headers.get('x-request-id'))
  expect(body['detail']).toEqual(expect.stringMatching(/./))
}
