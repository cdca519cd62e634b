import { randomUUID } from 'node:crypto'
import { cpSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { Browser } from '../support/browser.js'
import { makeModelsFolder } from '../support/models-folder.js'
import { queryNumber } from '../support/query.js'
import { waiting } from '../support/requests.js'
import { startStack, type HttpResponse, type Stack } from '../support/stack.js'
import { startReceiver, type WebhookReceiver } from '../support/webhook-receiver.js'

const forecastModel = fileURLToPath(new URL('../../models/mmse-forecast', import.meta.url))
const sampleModel = 'sample-forest'
const healthMetrics = { mmse_score: 24, age: 72 }

/** A request that succeeds. */
interface Call {
  readonly path: string
  readonly body?: unknown
  /** Sends it in another way than with the key in the header. */
  readonly send?: (key: string) => Promise<Pick<HttpResponse, 'status' | 'body'>>
}

/** Makes what a route needs, and returns the request to it. */
type Preparation = () => Call | Promise<Call>

/** Columns that name the API key of a change. */
const columns = ['audit_log.api_key_id', 'tasks.submitted_by', 'health_metrics.recorded_by'] as const

describe('A7: every route that changes something leaves an entry, or a row with its submitter', () => {
  let stack: Stack
  let receiver: WebhookReceiver
  let folder: string
  let lastPerson = 1_000
  const document = async () =>
    (await stack.request('GET', '/openapi.json')).body['paths'] as Record<string, Record<string, unknown>>

  beforeAll(async () => {
    folder = makeModelsFolder({ withSamples: true })
    cpSync(forecastModel, join(folder, 'mmse-forecast'), { recursive: true })
    const second = join(folder, sampleModel, '2')
    cpSync(join(folder, sampleModel, '1'), second, { recursive: true })
    const manifest = readFileSync(join(second, 'manifest.json'), 'utf8')
    writeFileSync(join(second, 'manifest.json'), manifest.replace('"version": "1"', '"version": "2"'))
    receiver = await startReceiver()
    stack = await startStack({
      broker: 'postgres',
      env: { MODELS_DIR: folder, WEBHOOK_ALLOW_PRIVATE_ADDRESSES: 'true' },
    })
  })
  afterAll(async () => {
    await stack.stop()
    await receiver.close()
    rmSync(folder, { recursive: true })
  })

  const made = ({ status, body }: Pick<HttpResponse, 'status' | 'body'>, name = 'id'): string => {
    expect([status, body]).toEqual([expect.toSatisfy((code: number) => code < 300), body])
    return String(body[name])
  }
  const post = (path: string, body?: unknown, headers = {}) => stack.request('POST', path, body, headers)
  const newPerson = () => (lastPerson += 1)
  const prediction = (more = {}) => ({ user_id: newPerson(), health_metrics: healthMetrics, ...more })
  const laterTask = async () => made(await post('/v1/tasks', { name: 'ml.health_check', args: {}, countdown: 3_600 }))
  const cancelledTask = async () => {
    const id = await laterTask()
    made(await post(`/v1/tasks/${id}/revoke`))
    return id
  }
  const schedule = () => ({ name: `of-${randomUUID()}`, task: 'ml.health_check', interval_seconds: 86_400 })
  const webhook = () => ({ url: receiver.url, events: ['task.failed'] })
  const measurement = { recorded_at: '2026-01-31T12:00:00Z', health_metrics: healthMetrics }
  const model = `/v1/models/${sampleModel}`
  const worker = '/v1/workers/worker1@test'

  const signIn = async (key: string) => {
    const browser = new Browser(stack.url)
    return { browser, answer: await browser.request('POST', '/v1/session', { body: { api_key: key } }) }
  }

  const preparations: Readonly<Record<string, Preparation>> = {
    'POST /v1/session': () => ({ path: '/v1/session', send: async (key) => (await signIn(key)).answer }),
    'DELETE /v1/session': () => ({
      path: '/v1/session',
      send: async (key) => (await signIn(key)).browser.request('DELETE', '/v1/session'),
    }),
    'POST /v1/session/link': () => ({ path: '/v1/session/link' }),
    'DELETE /v1/sessions/{id}': async () => ({ path: `/v1/sessions/${made((await signIn(stack.key)).answer)}` }),
    'POST /v1/predictions': () => ({ path: '/v1/predictions', body: prediction() }),
    'POST /v1/predictions/{id}/explanation': async () => ({
      path: `/v1/predictions/${made(await post('/v1/predictions', prediction()))}/explanation`,
    }),
    'POST /v1/batches': () => ({ path: '/v1/batches', body: { items: [prediction()] } }),
    'DELETE /v1/batches/{id}': async () => {
      await post('/v1/queues/batch/pause')
      return { path: `/v1/batches/${made(await post('/v1/batches', { items: [prediction()] }))}` }
    },
    'POST /v1/users/{user_id}/health-metrics': () => ({
      path: `/v1/users/${newPerson()}/health-metrics`,
      body: measurement,
    }),
    'DELETE /v1/users/{user_id}/health-metrics/{id}': async () => {
      const path = `/v1/users/${newPerson()}/health-metrics`
      return { path: `${path}/${made(await post(path, measurement))}` }
    },
    'POST /v1/users/{user_id}/forecasts': () => ({ path: `/v1/users/${newPerson()}/forecasts` }),
    'DELETE /v1/users/{user_id}': () => ({ path: `/v1/users/${newPerson()}` }),
    'POST /v1/tasks': () => ({ path: '/v1/tasks', body: { name: 'ml.health_check', args: {} } }),
    'POST /v1/plans': () => ({ path: '/v1/plans', body: { action: 'purge', filter: { queue: 'forecasts' } } }),
    'POST /v1/plans/{id}/run': async () => ({
      path: `/v1/plans/${made(await post('/v1/plans', { action: 'retry', filter: { queue: 'forecasts' } }))}/run`,
    }),
    'POST /v1/tasks/retry': async () => ({
      path: '/v1/tasks/retry',
      body: { filter: { ids: [await cancelledTask()] }, dry_run: false },
    }),
    'DELETE /v1/tasks/{id}/result': async () => ({
      path: `/v1/tasks/${made(await post('/v1/tasks', { name: 'ml.health_check', args: {} }, waiting))}/result`,
    }),
    'POST /v1/tasks/{id}/revoke': async () => ({ path: `/v1/tasks/${await laterTask()}/revoke` }),
    'POST /v1/tasks/{id}/retry': async () => ({ path: `/v1/tasks/${await cancelledTask()}/retry` }),
    'POST /v1/schedules': () => ({ path: '/v1/schedules', body: schedule() }),
    'PATCH /v1/schedules/{id}': async () => ({
      path: `/v1/schedules/${made(await post('/v1/schedules', schedule()))}`,
      body: { is_paused: true },
    }),
    'DELETE /v1/schedules/{id}': async () => ({
      path: `/v1/schedules/${made(await post('/v1/schedules', schedule()))}`,
    }),
    'POST /v1/schedules/{id}/run': async () => ({
      path: `/v1/schedules/${made(await post('/v1/schedules', schedule()))}/run`,
    }),
    'POST /v1/webhooks': () => ({ path: '/v1/webhooks', body: webhook() }),
    'PATCH /v1/webhooks/{id}': async () => ({
      path: `/v1/webhooks/${made(await post('/v1/webhooks', webhook()))}`,
      body: { description: 'changed' },
    }),
    'DELETE /v1/webhooks/{id}': async () => ({ path: `/v1/webhooks/${made(await post('/v1/webhooks', webhook()))}` }),
    'POST /v1/webhooks/{id}/rotate-secret': async () => ({
      path: `/v1/webhooks/${made(await post('/v1/webhooks', webhook()))}/rotate-secret`,
    }),
    'POST /v1/webhooks/{id}/test': async () => ({
      path: `/v1/webhooks/${made(await post('/v1/webhooks', webhook()))}/test`,
    }),
    'POST /v1/webhooks/{id}/deliveries/{delivery}/redeliver': async () => {
      const path = `/v1/webhooks/${made(await post('/v1/webhooks', webhook()))}`
      return { path: `${path}/deliveries/${made(await post(`${path}/test`))}/redeliver` }
    },
    'POST /v1/models/{name}/{version}/activate': () => ({ path: `${model}/1/activate` }),
    'POST /v1/models/{name}/rollback': async () => {
      for (const version of [1, 2]) made(await post(`${model}/${version}/activate`))
      return { path: `${model}/rollback` }
    },
    'POST /v1/models/{name}/{version}/shadow': async () => {
      made(await post(`${model}/1/activate`))
      return { path: `${model}/2/shadow` }
    },
    'DELETE /v1/models/{name}/{version}/shadow': () => ({ path: `${model}/2/shadow` }),
    'POST /v1/queues/{queue}/pause': () => ({ path: '/v1/queues/forecasts/pause' }),
    'POST /v1/queues/{queue}/resume': () => ({ path: '/v1/queues/forecasts/resume' }),
    'POST /v1/queues/{queue}/purge': () => ({ path: '/v1/queues/forecasts/purge' }),
    'POST /v1/workers/{name}/{command}': () => ({ path: `${worker}/pool-grow`, body: { n: 1 } }),
    'POST /v1/api-keys': () => ({ path: '/v1/api-keys', body: { name: 'made', role: 'viewer' } }),
    'DELETE /v1/api-keys/{id}': async () => ({
      path: `/v1/api-keys/${made(await post('/v1/api-keys', { name: 'made', role: 'viewer' }))}`,
    }),
  }

  it('and each of them is tried here', async () => {
    const routes = Object.entries(await document()).flatMap(([path, methods]) =>
      Object.keys(methods)
        .filter((method) => ['post', 'put', 'patch', 'delete'].includes(method))
        .map((method) => `${method.toUpperCase()} ${path}`),
    )
    expect(Object.keys(preparations).toSorted()).toEqual(routes.toSorted())
  })

  it.each(Object.entries(preparations))('%s', async (route, prepare) => {
    const { path, body, send } = await prepare()
    // A key of its own: whatever names it was left by this request.
    const { body: key } = await post('/v1/api-keys', { name: route, role: 'admin' })
    const [method = ''] = route.split(' ')
    const text = String(key['key'])
    made(await (send ? send(text) : stack.request(method, path, body, { authorization: `Bearer ${text}` })))
    const counts = columns.map((column) => {
      const [table = ''] = column.split('.')
      return `(SELECT count(*) FROM ${table} WHERE ${column} = $1)`
    })
    const left = await queryNumber(stack.databaseUrl, `SELECT (${counts.join(' + ')})::int AS number`, [key['id']])
    expect(left).toBeGreaterThan(0)
  })
})
