import { rmSync } from 'node:fs'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { describeOnBothBrokers } from '../support/brokers.js'
import { makeModelsFolder } from '../support/models-folder.js'
import { query } from '../support/query.js'
import { startStack, type Stack } from '../support/stack.js'
import { addThrowingModel } from '../support/throwing-model.js'
import { waitFor } from '../support/wait-for.js'
import { startReceiver, type WebhookReceiver } from '../support/webhook-receiver.js'

/** The clock of a process is wrong by so many seconds. */
const tenMinutes = 600
const shift = new URL('../fixtures/clock/shift.mjs', import.meta.url).href
const clockOf = (seconds: number) => ({ NODE_OPTIONS: `--import=${shift}`, CLOCK_SHIFT_SECONDS: String(seconds) })

/** A task starts not earlier and at most so much later than it is due, in seconds of the database. */
const toleranceSeconds = { early: 1.1, late: 10 }
const retrySeconds = 3

describeOnBothBrokers('B7: the clock of the database decides', (broker) => {
  const models = makeModelsFolder()
  /** The api knows a model that workers lack, so that its tasks are retried. */
  const apiModels = makeModelsFolder()
  addThrowingModel(apiModels)
  let stack: Stack
  let receiver: WebhookReceiver

  beforeAll(async () => {
    receiver = await startReceiver()
    stack = await startStack({
      broker,
      workers: 0,
      env: {
        MODELS_DIR: apiModels,
        TASK_MAX_RETRIES: '1',
        TASK_RETRY_DELAY_SECONDS: String(retrySeconds),
        RECONCILE_INTERVAL_SECONDS: '1',
        WEBHOOK_ALLOW_PRIVATE_ADDRESSES: 'true',
      },
    })
    await stack.request('POST', '/v1/webhooks', { url: `${receiver.url}/hook` })
  })
  afterAll(async () => {
    await stack.stop()
    await receiver.close()
    for (const folder of [models, apiModels]) rmSync(folder, { recursive: true })
  })

  const restart = async (seconds: { readonly api: number; readonly worker: number }) => {
    await Promise.all([stack.api.kill('SIGTERM'), ...stack.workers.map((worker) => worker.kill('SIGTERM'))])
    Object.assign(stack.env, clockOf(seconds.api))
    await stack.startApi()
    await stack.startWorker({ MODELS_DIR: models, ...clockOf(seconds.worker) })
  }
  const send = async (path: string, body: object) => {
    const { status, body: sent, text } = await stack.request('POST', path, body)
    expect([200, 202], text).toContain(status)
    return String(sent['task_id'] ?? sent['id'])
  }
  const predict = (more: object) => ({
    name: 'ml.process_prediction',
    args: { user_id: 1, health_metrics: { mmse_score: 24, age: 72 } },
    ...more,
  })

  it.each([
    { api: tenMinutes, worker: -tenMinutes },
    { api: -tenMinutes, worker: tenMinutes },
  ])('the api is $api s and the worker $worker s off', async (seconds) => {
    await restart(seconds)
    const eta = new Date(Date.now() + 4_000)
    const [later, at, retried] = await Promise.all([
      send('/v1/tasks', predict({ countdown: 3 })),
      send('/v1/tasks', predict({ eta: eta.toISOString(), priority: 2 })),
      send('/v1/predictions', { user_id: 1, model: 'throwing', health_metrics: { load_points: 9 } }),
    ])
    const startsOf = async (id: string) => {
      const rows = await query<{ due: Date; started: Date; ended: Date }>(
        stack.databaseUrl,
        `SELECT coalesce(t.eta, t.created_at) AS due, a.started_at AS started, a.ended_at AS ended
         FROM tasks t JOIN task_attempts a ON a.task_id = t.id WHERE t.id = $1 ORDER BY a.attempt`,
        [id],
      )
      return rows.map(({ due, started, ended }) => ({
        due: +due / 1000,
        started: +started / 1000,
        ended: +ended / 1000,
      }))
    }
    const untilStarted = (id: string, attempts: number) =>
      waitFor(async () => ((await startsOf(id)).length >= attempts ? startsOf(id) : undefined), {
        what: `attempt ${attempts} to end`,
        timeoutMs: 30_000,
      })
    for (const id of [later, at]) {
      const [first] = await untilStarted(id, 1)
      const lateness = (first?.started ?? NaN) - (first?.due ?? NaN)
      expect(lateness).toBeGreaterThan(-toleranceSeconds.early)
      expect(lateness).toBeLessThan(toleranceSeconds.late)
    }
    const [first, second] = await untilStarted(retried, 2)
    const pause = (second?.started ?? NaN) - (first?.ended ?? NaN)
    expect(pause).toBeGreaterThan(0.9 * retrySeconds - toleranceSeconds.early)
    expect(pause).toBeLessThan(1.1 * retrySeconds + toleranceSeconds.late)

    // What a process sends to others is the database's time, too.
    const sentBefore = receiver.messages.length
    await send('/v1/tasks', predict({}))
    const message = await waitFor(() => receiver.messages[sentBefore], { what: 'the webhook' })
    expect(Math.abs(Number(message.headers['webhook-timestamp']) - Date.now() / 1000)).toBeLessThan(60)
    const since = new Date(Date.now() - 60_000).toISOString()
    const listed = await stack.request('GET', `/v1/tasks?since=${since}&limit=100`)
    expect(listed.text).toContain(later)
    const schedule = await stack.request('POST', '/v1/schedules', {
      name: `clock-${seconds.api < 0 ? 'behind' : 'ahead'}`,
      task: 'ml.health_check',
      args: {},
      interval_seconds: 60,
    })
    const nextInSeconds = (Date.parse(String(schedule.body['next_run_at'])) - Date.now()) / 1000
    expect(nextInSeconds).toBeGreaterThan(0)
    expect(nextInSeconds).toBeLessThan(61)
  })
})
