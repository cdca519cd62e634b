import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { example } from '../support/requests.js'
import { startReverseProxy } from '../support/reverse-proxy.js'
import { runCommand } from '../support/run-command.js'
import { startStack, type Stack } from '../support/stack.js'

const origin = 'https://app.example.org'

const manyMembers = Array.from({ length: 60_000 }, (_, index) => `"a${index}":1`).join()

describe('HTTP as clients and proxies expect it', () => {
  let stack: Stack
  beforeAll(async () => {
    const env = { TRUST_PROXY: 'loopback', CORS_ORIGINS: origin, RATE_LIMIT_WRONG_KEYS_PER_MINUTE: '0' }
    stack = await startStack({ broker: 'postgres', workers: 0, env })
  })
  afterAll(() => stack.stop())

  it('E2: a known path with another method has its methods in Allow, to those with a key', async () => {
    for (const [method, path, allow] of [
      ['PUT', '/v1/predictions', 'GET, HEAD, OPTIONS, POST'],
      ['DELETE', '/v1/tasks/retry', 'OPTIONS, POST'],
      ['GET', '/v1/tasks/retry/?x=1', 'OPTIONS, POST'],
      ['HEAD', '/v1/tasks/%72etry', 'OPTIONS, POST'],
      ['GET', '/v1/models/caide/rollback', 'OPTIONS, POST'],
      ['PATCH', '/v1/predictions/1?x=1', 'GET, HEAD, OPTIONS'],
      ['POST', '/livez', 'GET, HEAD, OPTIONS'],
    ] as const) {
      const response = await stack.request(method, path)
      expect([path, response.status, response.headers.get('allow')]).toEqual([path, 405, allow])
      if (method !== 'HEAD') expect(response.body).toMatchObject({ code: 'REQUEST_METHOD_NOT_ALLOWED', status: 405 })
    }
    expect((await fetch(`${stack.url}/v1/predictions`, { method: 'PUT' })).status).toBe(401)
    const options = await fetch(`${stack.url}/v1/predictions`, { method: 'OPTIONS' })
    expect([options.status, options.headers.get('allow')]).toEqual([204, 'GET, HEAD, OPTIONS, POST'])
    expect((await stack.request('HEAD', '/v1/events')).status).toBe(200)
  })

  it.each([
    ['GET', '/v1/users/1/health-metrics?cursor=-999999999999999', undefined, {}, 422],
    ['GET', '/v1/predictions/x', undefined, {}, 422],
    ['GET', '/v1/predictions?limit=1&limit=2', undefined, {}, 422],
    ['GET', '/v1/schedules/%00', undefined, {}, 422],
    ['POST', '/v1/tasks', '['.repeat(200_000), {}, 400],
    ['POST', '/v1/tasks', `{"name":"a","args":${'{"a":'.repeat(100_000)}1${'}'.repeat(100_000)}}`, {}, 400],
    ['POST', '/v1/predictions', '{"__proto__": {}}', {}, 400],
    ['POST', '/v1/api-keys', String.raw`{"name": "a\u001b[2J", "role": "viewer"}`, {}, 422],
    ['POST', '/v1/webhooks', String.raw`{"url": "https://example.org/\n", "events": ["task.failed"]}`, {}, 422],
    ['POST', '/v1/webhooks', String.raw`{"url": "https://example.org/", "description": "a\nb"}`, {}, 422],
    ['POST', '/v1/batches', '{"items": [{"user_id": 1, "__proto__": {}}]}', {}, 400],
    ['POST', '/v1/batches', '{"__proto__": [1]}', {}, 400],
    ['POST', '/v1/batches', '{"items": [1, 2', {}, 400],
    ['POST', '/v1/batches', '{"items": []}', {}, 422],
    ['POST', '/v1/batches', '[{"user_id": 1, "health_metrics": {}}]', {}, 422],
    ['POST', '/v1/batches', '{"user_ids": [1, 2], "health_metrics_list": [{}]}', {}, 422],
    ['POST', '/v1/predictions', '{"user_id": 1e400, "health_metrics": {"age": 72}}', {}, 422],
    ['POST', '/v1/predictions', JSON.stringify(example), { 'content-type': 'application/json; charset=latin1' }, 415],
    ['GET', '/v1/predictions', undefined, { accept: 'application/fhir+json' }, 406],
    ['GET', '/v1/events', undefined, { accept: 'application/json' }, 406],
  ] as const)('E2: %s %s is refused as what it is', async (method, path, body, headers, status) => {
    const response = await stack.request(method, path, body, headers)
    expect([response.status, response.headers.get('content-type')]).toEqual([
      status,
      'application/problem+json; charset=utf-8',
    ])
  })

  it('E2: a fault of a path says which part of it', async () => {
    const { body } = await stack.request('GET', '/v1/predictions/x')
    expect(body['errors']).toEqual([{ pointer: '/id', message: 'must be a positive integer' }])
  })

  it.each([
    ['checkpoint_id=0', 200],
    [`checkpoint_id=1&checkpoint_hash=${'0'.repeat(64)}`, 200],
    ['checkpoint_id=1', 422],
    [`checkpoint_id=0&checkpoint_hash=${'0'.repeat(64)}`, 422],
    [`checkpoint_hash=${'0'.repeat(64)}`, 422],
  ])('E2: a checkpoint of the audit trail is whole: %s', async (search, status) => {
    expect((await stack.request('GET', `/v1/audit/verification?${search}`)).status).toBe(status)
  })

  it.each([
    ['/v1/predictions', `{"user_id":1,"health_metrics":{"age":70},"${'x'.repeat(1_000_000)}":1}`, 422],
    ['/v1/predictions', `{"user_id":1,"health_metrics":{"${'x'.repeat(1_000_000)}":1}}`, 422],
    ['/v1/predictions', `[${`${'['.repeat(98)}${']'.repeat(98)},`.repeat(5_000)}1]`, 413],
    ['/v1/tasks', `{"name":"ml.batch_predictions","args":{"user_ids":[${'0,'.repeat(400_000)}0]}}`, 413],
    ['/v1/tasks', `{"name":"ml.batch_predictions","args":{"user_ids":[${'0,'.repeat(140_000)}0]}}`, 422],
    ['/v1/tasks', `{"name":"ml.batch_predictions","args":{${manyMembers}}}`, 413],
    [
      '/v1/tasks',
      `{"name":"ml.update_forecasts","args":{"user_id":1,"horizons_months":[${'0,'.repeat(400_000)}0]}}`,
      413,
    ],
    ['/v1/tasks/retry', `{"filter":{"state":[${'"x",'.repeat(200_000)}"x"]}}`, 413],
    ['/v1/webhooks', `{"url":"https://example.org/","tasks":[${'"x",'.repeat(200_000)}"x"]}`, 413],
    ['/v1/schedules', `{"name":"a","task":"ml.health_check","args":{${manyMembers}},"interval_seconds":60}`, 413],
    ['/v1/users/1/forecasts', `{"horizons_months":[${'0,'.repeat(400_000)}0]}`, 413],
  ])('A3: a body of 1 MB to %s is refused in a small response', async (path, body, status) => {
    const response = await stack.request('POST', path, body)
    expect([response.status, response.text.length]).toEqual([
      status,
      expect.toSatisfy((length: number) => length < 10_000),
    ])
    if (status === 413) expect(response.body['detail']).toContain('at most 2,000 values')
  })

  it('E3: behind a prefix, Location, the document and the command line keep it', async () => {
    const proxy = await startReverseProxy(stack.url, '/mg', { 'x-forwarded-prefix': '/mg' })
    try {
      const response = await fetch(`${proxy.url}/v1/predictions`, {
        method: 'POST',
        headers: { authorization: `Bearer ${stack.key}`, 'content-type': 'application/json' },
        body: JSON.stringify(example),
      })
      expect(response.headers.get('location')).toMatch(/^\/mg\/v1\/predictions\/\d+$/)
      const { servers } = (await (await fetch(`${proxy.url}/openapi.json`)).json()) as { servers: unknown }
      expect(servers).toEqual([{ url: '/mg' }])
      expect(await (await fetch(`${proxy.url}/docs/swagger-ui-init.js`)).text()).toContain('"url": "/mg"')
      const list = await runCommand(['schedules', 'list', '--url', proxy.url, '--api-key', stack.key])
      expect(list.code).toBe(0)
    } finally {
      await proxy.stop()
    }
    for (const prefix of ['//evil.example', '/a/../b', 'https://evil.example', '/a"b']) {
      const response = await stack.request('POST', '/v1/predictions', example, { 'x-forwarded-prefix': prefix })
      expect(response.headers.get('location')).toMatch(/^\/v1\/predictions\/\d+$/)
    }
  })

  it('E3: pages of the configured origins may call it, and no others', async () => {
    const preflight = (from: string) =>
      fetch(`${stack.url}/v1/predictions`, {
        method: 'OPTIONS',
        headers: {
          origin: from,
          'access-control-request-method': 'POST',
          'access-control-request-headers': 'authorization',
        },
      })
    const { status, headers } = await preflight(origin)
    expect([status, headers.get('access-control-allow-origin')]).toEqual([204, origin])
    expect(headers.get('access-control-allow-headers')).toBe('authorization')
    expect((await preflight('https://evil.example')).headers.get('access-control-allow-origin')).toBeNull()
    const refused = await fetch(`${stack.url}/v1/tasks`, { headers: { origin } })
    expect([refused.status, refused.headers.get('access-control-allow-origin')]).toEqual([401, origin])
    expect(refused.headers.get('access-control-expose-headers')).toMatch(/Location.*Retry-After.*x-request-id/)
    expect([refused.headers.get('vary'), refused.headers.get('access-control-allow-credentials')]).toEqual([
      'Origin',
      null,
    ])
  })
})
