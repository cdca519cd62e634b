import { afterAll, afterEach, beforeAll, expect, it } from 'vitest'
import { findFreePort } from '#libs/platform'
import { describeOnBothBrokers } from '../support/brokers.js'
import { query, queryNumber } from '../support/query.js'
import { itemsOf } from '../support/requests.js'
import { startStack, type Stack } from '../support/stack.js'
import { waitFor } from '../support/wait-for.js'
import { isSignedBy, startReceiver, type WebhookReceiver } from '../support/webhook-receiver.js'

/** A value that no message may hold: an age that nobody has typed by chance. */
const canary = 71.0625
const predictionRequest = { user_id: 7, health_metrics: { mmse_score: 24, age: canary } }

describeOnBothBrokers('webhooks', (broker) => {
  let stack: Stack
  const receivers: WebhookReceiver[] = []
  beforeAll(async () => {
    stack = await startStack({
      broker,
      env: {
        WEBHOOK_ALLOW_PRIVATE_ADDRESSES: 'true',
        WEBHOOK_RETRY_SECONDS: '0.2,0.2',
        WEBHOOK_TIMEOUT_SECONDS: '1',
        RECONCILE_INTERVAL_SECONDS: '0.5',
      },
    })
  })
  afterAll(async () => {
    for (const receiver of receivers) await receiver.close()
    await stack.stop()
  })
  // What one test has made must not be sent to the receiver of another.
  afterEach(() => query(stack.databaseUrl, 'DELETE FROM webhooks'))

  const receive = async (port?: number) => {
    const receiver = await startReceiver(port)
    receivers.push(receiver)
    return receiver
  }
  const create = async (body: object) => {
    const { status, body: response } = await stack.request('POST', '/v1/webhooks', body)
    expect(status).toBe(201)
    return { id: String(response['id']), secret: String(response['secret']) }
  }
  const send = async (body: object) => String((await stack.request('POST', '/v1/tasks', body)).body['id'])
  const predict = async () =>
    String((await stack.request('POST', '/v1/predictions', predictionRequest)).body['task_id'])
  /** A task that is cancelled before it starts. */
  const cancelOne = async () => {
    const id = await send({ name: 'ml.health_check', countdown: 600 })
    await stack.request('POST', `/v1/tasks/${id}/revoke`)
    return id
  }
  const deliveries = async (id: string) => itemsOf(await stack.request('GET', `/v1/webhooks/${id}/deliveries`))
  const untilDelivery = (id: string, state: string) =>
    waitFor(async () => (await deliveries(id)).find((delivery) => delivery['state'] === state), { what: state })

  it('are notified of each end once, signed, without health data', async () => {
    const receiver = await receive()
    const { id, secret } = await create({ url: `${receiver.url}/hook` })
    const succeeded = await predict()
    const cancelled = await send({ name: 'ml.process_prediction', args: predictionRequest, countdown: 600 })
    await stack.request('POST', `/v1/tasks/${cancelled}/revoke`)
    const { prediction_id } = (await stack.request('GET', `/v1/tasks/${cancelled}`)).body
    // There is nothing to explain in what was cancelled.
    const failed = await send({ name: 'ml.generate_explanation', args: { prediction_id } })
    await waitFor(() => receiver.messages.length >= 3, { what: 'three messages' })
    await waitFor(async () => (await deliveries(id)).every(({ state }) => state === 'delivered'), { what: 'the log' })
    const byTask = new Map(receiver.messages.map((message) => [message.body.data['task_id'], message]))
    expect([...byTask.keys()].toSorted()).toEqual([succeeded, cancelled, failed].toSorted())
    expect(receiver.messages).toHaveLength(3)
    for (const message of receiver.messages) {
      expect(message.path).toBe('/hook')
      expect(isSignedBy(secret, message)).toBe(true)
      expect(isSignedBy(`whsec_${Buffer.alloc(32).toString('base64')}`, message)).toBe(false)
      expect(message.text).not.toContain(String(canary))
    }
    expect(byTask.get(failed)?.body).toMatchObject({
      type: 'task.failed',
      data: { state: 'failed', celery_state: 'FAILURE', error_code: 'TASK_STATE_CONFLICT', queue: 'explanations' },
    })
    const { finished_at } = (await stack.request('GET', `/v1/tasks/${succeeded}`)).body
    expect(byTask.get(succeeded)?.body).toMatchObject({
      type: 'task.succeeded',
      timestamp: finished_at,
      data: {
        name: 'ml.process_prediction',
        celery_state: 'SUCCESS',
        prediction_id: expect.any(Number),
        error_code: null,
      },
    })
    const log = await deliveries(id)
    expect(log).toHaveLength(3)
    for (const entry of log)
      expect(entry).toMatchObject({ attempts: 1, status_code: 204, next_attempt_at: null, error: null })
    const stored = await query(stack.databaseUrl, 'SELECT * FROM webhook_deliveries')
    expect(JSON.stringify(stored)).not.toContain(String(canary))
    expect((await stack.request('DELETE', '/v1/users/7')).status).toBeLessThan(300)
    expect(await deliveries(id)).toEqual([])
  })

  it('are notified only of what they ask for, and of a batch, not of its chunks', async () => {
    const receiver = await receive()
    const { id } = await create({ url: receiver.url, events: ['task.succeeded'], tasks: ['ml.batch_predictions'] })
    await predict()
    await cancelOne()
    const { body } = await stack.request('POST', '/v1/batches', { items: [predictionRequest, predictionRequest] })
    await untilDelivery(id, 'delivered')
    expect(receiver.messages.map((message) => message.body.data)).toEqual([
      expect.objectContaining({ task_id: body['task_id'], batch_id: body['id'], state: 'succeeded' }),
    ])
    expect(await deliveries(id)).toHaveLength(1)
  })

  it('are tried again with the same id when the receiver responds with 500 or too late, and then not any more', async () => {
    const receiver = await receive()
    const { id, secret } = await create({ url: receiver.url })
    receiver.respond = (_, response) => {
      // The second time it is silent for longer than it may.
      if (receiver.messages.length !== 2) response.writeHead(500).end('no')
    }
    await cancelOne()
    const failed = await untilDelivery(id, 'failed')
    expect(failed).toMatchObject({ attempts: 3, status_code: 500, error: 'The receiver responded with 500.' })
    expect(new Set(receiver.messages.map((message) => message.id))).toEqual(new Set([failed['id']]))
    expect(receiver.messages).toHaveLength(3)
    receiver.respond = (_, response) => response.writeHead(200).end()
    const again = await stack.request('POST', `/v1/webhooks/${id}/deliveries/${String(failed['id'])}/redeliver`)
    expect([again.status, again.body['state']]).toEqual([202, 'pending'])
    expect(await untilDelivery(id, 'delivered')).toMatchObject({ id: failed['id'], attempts: 4, status_code: 200 })
    const last = receiver.messages.at(-1)
    expect([last?.id, last?.text]).toEqual([failed['id'], receiver.messages[0]?.text])
    expect(last && isSignedBy(secret, last)).toBe(true)
  })

  it('are tried again when the receiver is down, and come when it is up', async () => {
    const port = await findFreePort('127.0.0.1')
    const { id } = await create({ url: `http://127.0.0.1:${port}` })
    await cancelOne()
    const pending = await waitFor(async () => (await deliveries(id)).find(({ attempts }) => Number(attempts) > 0), {
      what: 'the first attempt',
    })
    expect(pending).toMatchObject({ state: expect.stringMatching(/pending|failed/), status_code: null })
    await untilDelivery(id, 'failed')
    expect((await deliveries(id))[0]).toMatchObject({ error: 'The receiver could not be reached (ECONNREFUSED).' })
    const receiver = await receive(port)
    await stack.request('POST', `/v1/webhooks/${id}/deliveries/${String(pending['id'])}/redeliver`)
    await untilDelivery(id, 'delivered')
    expect(receiver.messages.map((message) => message.id)).toEqual([pending['id']])
  })

  it('keep the id when the worker is killed between claim and delivery, and miss nothing while none runs', async () => {
    const receiver = await receive()
    const { id } = await create({ url: receiver.url })
    receiver.respond = () => undefined
    await cancelOne()
    await waitFor(() => receiver.messages.length === 1, { what: 'the first attempt' })
    await stack.workers.at(-1)?.kill('SIGKILL')
    receiver.respond = (_, response) => response.writeHead(200).end()
    // Nobody is notified of these ends.
    const missed = [await cancelOne(), await cancelOne()]
    await stack.startWorker()
    await waitFor(async () => (await deliveries(id)).filter(({ state }) => state === 'delivered').length === 3, {
      what: 'all three',
    })
    const [first] = receiver.messages
    const repeated = receiver.messages.filter((message) => message.body.data['task_id'] === first?.body.data['task_id'])
    expect(repeated.map((message) => message.id)).toEqual([first?.id, first?.id])
    for (const task of missed) {
      expect(receiver.messages.filter((message) => message.body.data['task_id'] === task)).toHaveLength(1)
    }
  })

  it('are shared by several workers, each message once', async () => {
    const second = await stack.startWorker()
    const receiver = await receive()
    const { id } = await create({ url: receiver.url })
    const tasks = await Promise.all(Array.from({ length: 60 }, () => predict()))
    await waitFor(
      () => new Set(receiver.messages.map((message) => message.body.data['task_id'])).size === tasks.length,
      {
        what: 'all messages',
      },
    )
    await waitFor(
      async () =>
        (await stack.request('GET', `/v1/webhooks/${id}/deliveries?state=pending`)).text.includes('"items":[]'),
      { what: 'the log' },
    )
    expect(receiver.messages).toHaveLength(tasks.length)
    const first = await stack.request('GET', `/v1/webhooks/${id}/deliveries?limit=40`)
    const next = await stack.request(
      'GET',
      `/v1/webhooks/${id}/deliveries?limit=40&cursor=${String(first.body['next_cursor'])}`,
    )
    expect([...itemsOf(first), ...itemsOf(next)].map((entry) => entry['task_id']).toSorted()).toEqual(tasks.toSorted())
    expect(next.body['next_cursor']).toBeNull()
    expect(await second.kill('SIGTERM')).toBe(0)
  })

  it('A7: are switched off by 410, which the audit trail has, and on again by hand', async () => {
    const receiver = await receive()
    const { id } = await create({ url: receiver.url })
    receiver.respond = (_, response) => response.writeHead(410).end()
    await cancelOne()
    await untilDelivery(id, 'failed')
    const off = await stack.request('GET', `/v1/webhooks/${id}`)
    expect(off.body).toMatchObject({
      is_active: false,
      disabled_reason: 'The receiver responded with 410: it is gone.',
    })
    const [entry] = itemsOf(await stack.request('GET', '/v1/audit')).filter(({ target }) => target === id)
    expect(entry).toMatchObject({ action: 'webhook.disable', api_key_id: null, request_id: null })
    expect((await stack.request('POST', `/v1/webhooks/${id}/test`)).status).toBe(409)
    await cancelOne()
    const on = await stack.request('PATCH', `/v1/webhooks/${id}`, { is_active: true })
    expect(on.body).toMatchObject({ is_active: true, disabled_reason: null })
    receiver.respond = (_, response) => response.writeHead(200).end()
    expect((await stack.request('POST', `/v1/webhooks/${id}/test`)).status).toBe(202)
    await untilDelivery(id, 'delivered')
    expect(receiver.messages.map((message) => message.body.type)).toEqual(['task.cancelled', 'webhook.test'])
  })

  it('are signed by both secrets after a rotation, and show none', async () => {
    const receiver = await receive()
    const { id, secret } = await create({ url: receiver.url })
    const rotated = await stack.request('POST', `/v1/webhooks/${id}/rotate-secret`)
    const next = String(rotated.body['secret'])
    await stack.request('POST', `/v1/webhooks/${id}/test`)
    const message = await waitFor(() => receiver.messages[0], { what: 'the test' })
    expect([next === secret, isSignedBy(secret, message), isSignedBy(next, message)]).toEqual([false, true, true])
    const shown = await Promise.all([
      stack.request('GET', '/v1/webhooks'),
      stack.request('GET', `/v1/webhooks/${id}`),
      stack.request('PATCH', `/v1/webhooks/${id}`, { description: 'tests' }),
      stack.request('GET', `/v1/webhooks/${id}/deliveries`),
      stack.request('GET', '/v1/audit'),
    ])
    for (const { status, text } of shown) {
      expect(status).toBe(200)
      for (const hidden of ['whsec_', secret.slice(6), next.slice(6)]) expect(text).not.toContain(hidden)
    }
    expect(shown[4]?.text).not.toContain(receiver.url)
    const actions = itemsOf(shown[4]).map((entry) => entry['action'])
    expect(actions).toEqual(
      expect.arrayContaining(['webhook.create', 'webhook.rotate_secret', 'webhook.update', 'webhook.test']),
    )
    expect((await stack.request('DELETE', `/v1/webhooks/${id}`)).status).toBe(204)
    expect((await stack.request('GET', `/v1/webhooks/${id}`)).status).toBe(404)
    expect(await queryNumber(stack.databaseUrl, 'SELECT count(*)::int AS number FROM webhook_deliveries')).toBe(0)
  })

  it('leave nothing behind where there is none', async () => {
    const planned = () => query(stack.databaseUrl, 'SELECT planned_until FROM webhook_cursor')
    const before = await planned()
    await predict()
    await cancelOne()
    expect(await queryNumber(stack.databaseUrl, 'SELECT count(*)::int AS number FROM webhook_deliveries')).toBe(0)
    expect(await planned()).toEqual(before)
  })
})
