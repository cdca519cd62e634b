import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { query } from '../support/query.js'
import { waiting } from '../support/requests.js'
import { startStack, type Stack } from '../support/stack.js'
import { useStack } from '../support/use-stack.js'
import { waitFor } from '../support/wait-for.js'

const person = 77_777
const metrics = { mmse_score: 24, age: 72 }

/** Routes of the document that return nothing about a person. */
const aboutNobody = [
  '/v1/webhooks',
  '/v1/webhooks/{id}',
  '/v1/webhooks/{id}/deliveries',
  '/v1/models',
  '/v1/models/{name}/{version}',
  '/v1/models/{name}/{version}/shadow',
  '/v1/queues',
  '/v1/queues/{queue}/scaling',
  '/v1/workers',
  '/v1/workers/{name}',
  '/v1/audit',
  '/v1/audit/verification',
  '/v1/batches',
  '/v1/me',
  '/v1/session',
  '/v1/session/methods',
  '/v1/session/oidc',
  '/v1/session/oidc/callback',
  '/v1/sessions',
  '/v1/plans',
  '/v1/plans/{id}',
  '/v1/stats/now',
  '/v1/stats/now/events',
  '/v1/stats/series',
  '/v1/tasks/errors',
  '/v1/tasks/suggestions',
  '/livez',
  '/readyz',
  '/startupz',
  '/metrics',
]

interface Entry {
  readonly action: string
  readonly target: string
  readonly api_key_id: string | null
  readonly request_id: string | null
  readonly details: {
    readonly count: number
    readonly routes: Readonly<Record<string, number>>
    readonly first_at: string
    readonly last_at: string
  }
}

describe("A7: reads of a person's data, with AUDIT_READS=persons", () => {
  let stack: Stack
  let ids: Readonly<Record<string, string>>
  let pseudonym: string

  beforeAll(async () => {
    stack = await startStack({ broker: 'postgres', logs: 'keep', env: { AUDIT_READS: 'persons' } })
    const post = async (path: string, body: unknown, headers = {}) =>
      (await stack.request('POST', path, body, headers)).body
    const own = await post('/v1/api-keys', { name: 'own', role: 'submitter', user_id: person })
    const bearer = { authorization: `Bearer ${String(own['key'])}` }
    const prediction = await post(
      '/v1/predictions',
      { user_id: person, health_metrics: metrics, explain: true },
      waiting,
    )
    await post(`/v1/predictions/${String(prediction['id'])}/explanation`, undefined, waiting)
    const batch = await post('/v1/batches', { items: [{ user_id: person, health_metrics: metrics }] }, waiting)
    const refused = await post(
      '/v1/batches',
      { items: [{ user_id: person, health_metrics: { mmse_score: 99 } }] },
      waiting,
    )
    const measurement = { recorded_at: '2026-01-31T12:00:00Z', health_metrics: metrics }
    await post(`/v1/users/${person}/health-metrics`, measurement)
    await post(`/v1/users/${person}/forecasts`, undefined, waiting)
    const schedule = { name: 'theirs', task: 'ml.update_forecasts', args: { user_id: person }, cron: '0 3 1 1 *' }
    await post('/v1/schedules', schedule)
    const ownBatch = await post('/v1/batches', { items: [{ user_id: person, health_metrics: metrics }] }, bearer)
    ids = {
      prediction: String(prediction['id']),
      task: String(prediction['task_id']),
      batch: String(batch['id']),
      refused: String(refused['id']),
      ownBatch: String(ownBatch['id']),
      ownKey: String(own['key']),
    }
    const [created] = await query<{ person: string }>(
      stack.databaseUrl,
      `SELECT details ->> 'person' AS person FROM audit_log WHERE action = 'api_key.create' AND details ? 'person'`,
    )
    pseudonym = created?.person ?? ''
  })
  afterAll(() => stack.stop())

  const entriesOf = (where: string, ...parameters: readonly unknown[]) =>
    query<Entry>(stack.databaseUrl, `SELECT * FROM audit_log WHERE ${where} ORDER BY id`, parameters)
  const readsOf = (keyId: string) => entriesOf(`action LIKE '%.read' AND api_key_id = $1`, keyId)
  const newKey = async (): Promise<{ id: string; headers: Record<string, string> }> => {
    const { body } = await stack.request('POST', '/v1/api-keys', { name: 'reader', role: 'admin' })
    return { id: String(body['id']), headers: { authorization: `Bearer ${String(body['key'])}` } }
  }

  /** Requests that return something about the person, by route. */
  const reading = (): Readonly<Record<string, readonly [path: string, target: string]>> => ({
    '/v1/predictions': ['/v1/predictions', pseudonym],
    '/v1/predictions/{id}': [`/v1/predictions/${ids['prediction']}`, pseudonym],
    '/v1/predictions/{id}/explanation': [`/v1/predictions/${ids['prediction']}/explanation`, pseudonym],
    '/v1/batches/{id}': [`/v1/batches/${ids['refused']}`, pseudonym],
    '/v1/batches/{id}/results': [
      `/v1/batches/${ids['batch']}/results?format=csv`,
      `/v1/batches/${ids['batch']}/results`,
    ],
    '/v1/users/{user_id}/health-metrics': [`/v1/users/${person}/health-metrics`, pseudonym],
    '/v1/users/{user_id}/forecasts/latest': [`/v1/users/${person}/forecasts/latest`, pseudonym],
    '/v1/tasks': ['/v1/tasks', pseudonym],
    '/v1/tasks/{id}': [`/v1/tasks/${ids['task']}`, pseudonym],
    '/v1/tasks/{id}/result': [`/v1/tasks/${ids['task']}/result`, pseudonym],
    '/v1/tasks/{id}/events': [`/v1/tasks/${ids['task']}/events`, pseudonym],
    '/v1/events': ['/v1/events', '/v1/events'],
    '/v1/schedules': ['/v1/schedules', pseudonym],
    '/v1/schedules/{id}': ['/v1/schedules/theirs', pseudonym],
    '/v1/api-keys': ['/v1/api-keys', pseudonym],
  })

  it('are recorded of every route that returns some: one that is added is to be named here', async () => {
    const paths = (await stack.request('GET', '/openapi.json')).body['paths'] as Record<string, object>
    const routes = Object.keys(paths).filter((path) => 'get' in (paths[path] ?? {}))
    expect([...Object.keys(reading()), ...aboutNobody].toSorted()).toEqual(routes.toSorted())
  })

  it('name the key, the person by pseudonym, the route and the request', async () => {
    const made = await Promise.all(
      Object.entries(reading()).map(async ([route, [path, target]]) => {
        const { id, headers } = await newKey()
        const leaving = new AbortController()
        const response = await fetch(`${stack.url}${path}`, { headers, signal: leaving.signal })
        expect([route, response.status]).toEqual([route, 200])
        leaving.abort()
        return { route, id, target, requestId: response.headers.get('x-request-id') }
      }),
    )
    for (const { route, id, target, requestId } of made) {
      const entry = await waitFor(async () => (await readsOf(id)).find((read) => read.target === target), {
        what: `the entry of ${route}`,
      })
      expect(entry).toMatchObject({
        action: target === pseudonym ? 'person.read' : 'people.read',
        request_id: requestId,
        details: {
          count: 1,
          routes: { [`GET ${route.replaceAll(/\{(\w+)\}/g, ':$1')}`]: 1 },
          first_at: expect.any(String),
        },
      })
    }
    // A stream has no end.
    for (const path of aboutNobody.filter((route) => !/\{|\/events$/.test(route))) {
      const { id, headers } = await newKey()
      await stack.request('GET', path, undefined, headers)
      expect(await readsOf(id)).toEqual([])
    }
    const about = (await stack.request('GET', `/v1/audit?user_id=${person}&limit=100`)).body['items'] as Entry[]
    expect(new Set(about.map(({ action }) => action))).toEqual(new Set(['api_key.create', 'person.read']))
    expect(about.length).toBeGreaterThanOrEqual(Object.keys(reading()).length - 2)
    const nobody = await stack.request('GET', `/v1/audit?user_id=${person + 1}`)
    expect(nobody.body).toEqual({ items: [], next_cursor: null })
    expect((await stack.request('GET', '/v1/audit?user_id=x')).status).toBe(422)
    expect(await entriesOf(`audit_log::text LIKE '%${person}%'`)).toEqual([])
  })

  it('are those of a result that was waited for, and of a key that is bound to the person', async () => {
    const { id, headers } = await newKey()
    const submission = { user_id: person, health_metrics: metrics }
    const { status } = await stack.request('POST', '/v1/predictions', submission, { ...headers, ...waiting })
    expect(status).toBe(200)
    await stack.request('POST', '/v1/predictions', submission, headers)
    const bearer = { authorization: `Bearer ${ids['ownKey']}` }
    const results = await stack.request('GET', `/v1/batches/${ids['ownBatch']}/results`, undefined, bearer)
    expect(results.status).toBe(200)
    const waited = await waitFor(async () => (await readsOf(id))[0], { what: 'the entry' })
    expect(waited).toMatchObject({ target: pseudonym, details: { routes: { 'POST /v1/predictions': 1 } } })
    await waitFor(
      async () =>
        (await entriesOf(`details -> 'routes' ? 'GET /v1/batches/:id/results' AND target = $1`, pseudonym))[0],
      { what: 'the entry of the bound key' },
    )
  })

  it('are counted, so that polling leaves an entry a minute, and survive a trail that cannot be written', async () => {
    const { id, headers } = await newKey()
    const read = () => stack.request('GET', `/v1/tasks/${ids['task']}`, undefined, headers)
    const refuse = `ALTER TABLE audit_log ADD CONSTRAINT refused CHECK (action NOT LIKE '%.read') NOT VALID`
    await query(stack.databaseUrl, refuse)
    for (let reads = 0; reads < 20; reads += 1) expect((await read()).status).toBe(200)
    await waitFor(() => stack.readLogs().includes('audit entries not stored'), { what: 'the warning' })
    for (let reads = 0; reads < 20; reads += 1) expect((await read()).status).toBe(200)
    expect(await readsOf(id)).toEqual([])
    await query(stack.databaseUrl, `ALTER TABLE audit_log DROP CONSTRAINT refused`)
    await waitFor(async () => (await readsOf(id)).length > 0, { what: 'the entry' })
    for (let reads = 0; reads < 20; reads += 1) expect((await read()).status).toBe(200)
    expect(await stack.api.kill('SIGTERM')).toBe(0)
    const entries = await readsOf(id)
    expect(entries.map(({ details }) => details.count).reduce((sum, count) => sum + count)).toBe(60)
    expect(entries.length).toBeLessThanOrEqual(3)
    expect(entries.every(({ details }) => details.first_at <= details.last_at)).toBe(true)
    await stack.startApi()
    expect((await stack.request('GET', '/v1/audit/verification')).body).toMatchObject({ is_intact: true })
  })
})

describe('A7: callers who are rejected', () => {
  const stack = useStack({ broker: 'postgres', workers: 0, env: { TRUST_PROXY: 'loopback' } })

  const rejections = () =>
    query<Entry & { details: { codes: Record<string, number> } }>(
      stack.databaseUrl,
      `SELECT * FROM audit_log WHERE action = 'request.reject' ORDER BY id`,
    )
  const from = (address: string, key: string) => ({ 'x-forwarded-for': address, authorization: `Bearer ${key}` })
  const inTurns = async (count: number, send: (index: number) => Promise<number>) => {
    const statuses: Record<number, number> = {}
    let next = 0
    const run = async () => {
      while (next < count) {
        const status = await send(next++)
        statuses[status] = (statuses[status] ?? 0) + 1
      }
    }
    await Promise.all(Array.from({ length: 16 }, run))
    return statuses
  }
  const guess = (address: string, index: number) =>
    stack.request('GET', '/v1/tasks', undefined, from(address, `mg_wrong-${index}`)).then(({ status }) => status)

  it('leave a few counted entries, whatever they send and from wherever', async () => {
    const { body: viewer } = await stack.request('POST', '/v1/api-keys', { name: 'viewer', role: 'viewer', user_id: 5 })
    const asViewer = from('192.0.2.1', String(viewer['key']))
    expect((await stack.request('GET', '/v1/audit', undefined, asViewer)).status).toBe(403)
    expect((await stack.request('GET', '/v1/users/6/health-metrics', undefined, asViewer)).status).toBe(403)
    expect((await stack.request('GET', '/v1/tasks', undefined, { authorization: '' })).status).toBe(401)
    const statuses = await inTurns(4_000, (index) => guess('192.0.2.1', index))
    expect((statuses[401] ?? 0) + (statuses[429] ?? 0)).toBe(4_000)
    const many = await inTurns(1_000, (index) => guess(`198.18.${index >> 8}.${index & 255}`, index))
    expect(many).toEqual({ 401: 1_000 })
    expect(await stack.api.kill('SIGTERM')).toBe(0)

    const entries = await rejections()
    expect(entries.length).toBeLessThanOrEqual(2 * 202)
    const count = (list: readonly Entry[]) => list.reduce((sum, { details }) => sum + details.count, 0)
    expect(count(entries)).toBe(5_003)
    const guesses = entries.filter(({ target }) => target === '192.0.2.1')
    expect(guesses.length).toBeLessThanOrEqual(3)
    expect(count(guesses)).toBe(4_000)
    expect(guesses[0]).toMatchObject({
      api_key_id: null,
      request_id: expect.any(String),
      details: { codes: { ACCESS_KEY_INVALID: expect.any(Number) }, routes: { 'GET /v1/tasks': expect.any(Number) } },
    })
    const known = entries.filter(({ api_key_id: id }) => id === viewer['id'])
    expect(count(known)).toBe(2)
    expect(known[0]).toMatchObject({ target: viewer['id'], details: { codes: { ACCESS_ROLE_MISSING: 2 } } })
    expect(entries.find(({ details }) => 'ACCESS_KEY_MISSING' in details.codes)).toMatchObject({ target: '127.0.0.1' })
    expect(count(entries.filter(({ target }) => target === 'others'))).toBeGreaterThan(500)
    expect(JSON.stringify(entries)).not.toContain('mg_wrong')

    await stack.startApi()
    expect((await stack.request('GET', '/v1/audit/verification')).body).toMatchObject({ is_intact: true })
    const reads = await query(stack.databaseUrl, `SELECT FROM audit_log WHERE action LIKE '%.read'`)
    expect(reads).toEqual([])
  })
})
