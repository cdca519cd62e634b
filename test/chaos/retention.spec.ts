import { randomUUID } from 'node:crypto'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { describeOnBothBrokers } from '../support/brokers.js'
import { addForecastModel } from '../support/models-folder.js'
import { query } from '../support/query.js'
import { waiting } from '../support/requests.js'
import { startStack, type Stack } from '../support/stack.js'
import { waitFor } from '../support/wait-for.js'

const metrics = { mmse_score: 24, age: 72 }
const resultTables = [
  'tasks',
  'task_attempts',
  'task_progress',
  'predictions',
  'explanations',
  'forecasts',
  'batches',
  'batch_chunks',
]

describeOnBothBrokers('retention', (broker) => {
  let stack: Stack

  beforeAll(async () => {
    const env = {
      RECONCILE_INTERVAL_SECONDS: '0.2',
      RESULT_TTL_SECONDS: '2',
      AUDIT_TTL_SECONDS: '2',
    }
    stack = await startStack({ broker, env, testModels: addForecastModel })
  })
  afterAll(() => stack.stop())

  const countRows = async (tables: readonly string[]): Promise<Record<string, number>> => {
    const counts = await Promise.all(
      tables.map((table) =>
        query<{ number: number }>(stack.databaseUrl, `SELECT count(*)::int AS number FROM ${table}`),
      ),
    )
    return Object.fromEntries(tables.map((table, index) => [table, counts[index]?.[0]?.number ?? -1]))
  }
  const jobsOf = async () => {
    const { body } = await stack.get('/v1/queues')
    const queues = body['items'] as { broker: { waiting: number; active: number; delayed: number } }[]
    return queues.reduce((sum, { broker: jobs }) => sum + jobs.waiting + jobs.active + jobs.delayed, 0)
  }

  it('idle system past TTL is empty of results, and keeps what is no result', async () => {
    const prediction = (
      await stack.post('/v1/predictions', { user_id: 1, health_metrics: metrics, explain: true }, waiting)
    ).body
    await stack.post('/v1/users/1/health-metrics', { recorded_at: '2025-03-01', health_metrics: metrics })
    const forecast = (await stack.post('/v1/users/1/forecasts', {}, waiting)).body
    const csv = `user_id,mmse_score\n${Array.from({ length: 6_500 }, (_, index) => `${index + 1},${index % 31}\n`).join('')}x,1\n`
    const batch = (await stack.post('/v1/batches', csv, { 'content-type': 'text/csv', ...waiting })).body
    expect([prediction, forecast, batch].map(({ state }) => state)).toEqual(['succeeded', 'succeeded', 'succeeded'])
    const later = { name: 'ml.process_prediction', args: { user_id: 2, health_metrics: metrics }, countdown: 600 }
    const cancelled = String((await stack.post('/v1/tasks', later)).body['id'])
    await stack.post(`/v1/tasks/${cancelled}/revoke`)
    await stack.post('/v1/tasks', { name: 'ml.health_check' }, waiting)
    const ahead = String((await stack.post('/v1/tasks', later)).body['id'])
    await stack.post('/v1/queues/forecasts/pause')
    await stack.post('/v1/queues/forecasts/resume')

    await waitFor(
      async () => {
        const counts = await countRows(resultTables)
        const entries = await query<{ action: string }>(stack.databaseUrl, 'SELECT action FROM audit_log')
        return (
          counts['tasks'] === 1 &&
          Object.values(counts).reduce((sum, count) => sum + count) === 2 &&
          entries.every(({ action }) => action === 'audit.expire') &&
          entries.length > 0
        )
      },
      { what: 'only what is ahead to be left', timeoutMs: 60_000, intervalMs: 200 },
    )
    // Of what is left, the task that is scheduled and its prediction.
    expect((await stack.get(`/v1/tasks/${ahead}`)).body['state']).toBe('scheduled')
    expect(await jobsOf()).toBe(1)
    expect(await countRows(['health_metrics'])).toEqual({ health_metrics: 1 })

    for (const path of [
      `/v1/predictions/${String(prediction['id'])}`,
      `/v1/predictions/${String(prediction['id'])}/explanation`,
      `/v1/tasks/${String(prediction['task_id'])}`,
      `/v1/tasks/${String(prediction['task_id'])}/result`,
      `/v1/tasks/${String(forecast['task_id'])}`,
      `/v1/batches/${String(batch['id'])}`,
      `/v1/batches/${String(batch['id'])}/results`,
      `/v1/tasks/${cancelled}`,
    ]) {
      const { status, body } = await stack.get(path)
      expect([path, status, body['code']]).toEqual([path, 410, 'RESOURCE_GONE'])
    }
    for (const path of ['/v1/predictions/999999999', `/v1/tasks/${randomUUID()}`, `/v1/batches/${randomUUID()}`]) {
      expect([path, (await stack.get(path)).status]).toEqual([path, 404])
    }

    await stack.post(`/v1/tasks/${ahead}/revoke`)
    await waitFor(
      async () => Object.values(await countRows(resultTables)).every((count) => count === 0) && (await jobsOf()) === 0,
      { what: 'nothing to be left', intervalMs: 200 },
    )
  })

  it('forgets workers and commands that nobody asks for', async () => {
    await query(
      stack.databaseUrl,
      `INSERT INTO workers (id, name, hostname, pid, state, queues, pool, concurrency, heartbeat_at)
       VALUES (gen_random_uuid(), 'old@test', 'test', 1, 'stopped', '{}', 'prefork', 1, now() - interval '3 days')`,
    )
    await query(
      stack.databaseUrl,
      `INSERT INTO worker_commands (id, worker_id, command, expires_at)
       VALUES (gen_random_uuid(), gen_random_uuid(), 'ping', now() - interval '3 days')`,
    )
    await waitFor(
      async () => {
        const { workers, worker_commands: commands } = await countRows(['workers', 'worker_commands'])
        return workers === 1 && commands === 0
      },
      { what: 'the old rows to go', intervalMs: 200 },
    )
  })
})
