import {
  finishedChannel,
  TaskEventRepository,
  TaskRepository,
  WebhookDeliveryRepository,
  WebhookRepository,
  withAdvisoryLock,
} from '#libs/database'
import { createLogger, Tracing } from '#libs/platform'
import { FinishedTasks } from '#libs/tasks'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { WorkerMetrics } from '../../apps/worker/src/health/worker-metrics.js'
import { Webhooks } from '../../apps/worker/src/webhooks/webhooks.js'
import { WebhookSender } from '../../apps/worker/src/webhooks/webhook-sender.js'
import { query } from '../support/query.js'
import { createTestDatabase, type TestDatabase } from '../support/test-database.js'
import { waitFor } from '../support/wait-for.js'

const log = createLogger('test', 'silent')

describe('the planning of deliveries', () => {
  let database: TestDatabase
  beforeAll(async () => {
    database = await createTestDatabase()
  })
  afterAll(() => database.drop())

  it('keeps what it was notified of while another worker plans', async () => {
    const { dataSource, prepared, config, url } = database
    const events = new TaskEventRepository(dataSource)
    const deliveries = new WebhookDeliveryRepository(dataSource)
    const finished = new FinishedTasks(new TaskRepository(dataSource, prepared), config, log)
    const tracing = new Tracing(config.tracing, log)
    const sender = new WebhookSender(deliveries, new WorkerMetrics(), tracing, config, log)
    const webhooks = new Webhooks(dataSource, events, deliveries, finished, sender, log)
    await new WebhookRepository(dataSource).create({
      // Refused as an address that is not public, so that nothing leaves.
      url: 'https://127.0.0.1/',
      description: null,
      events: ['task.succeeded'],
      taskNames: null,
      isActive: true,
    })
    // An end before this worker began to listen has to be searched for in the table.
    await query(url, `UPDATE webhooks SET active_since = now() - interval '1 hour'`)
    const polls = vi.spyOn(deliveries, 'findPlanStart')
    const clocks = vi.spyOn(events, 'readClock')

    let release: () => void = () => undefined
    const other = withAdvisoryLock(dataSource, 'webhooks', () => new Promise<void>((resolve) => (release = resolve)))
    webhooks.start()
    await waitFor(() => finished.listeningSince !== undefined && clocks.mock.calls.length > 0, { what: 'it to listen' })
    const [task] = await query<{ id: string; at: number }>(
      url,
      `WITH t AS (
         INSERT INTO tasks (id, name, queue, state, args, finished_at)
         VALUES (gen_random_uuid(), 'ml.health_check', 'predictions', 'succeeded', '{}', clock_timestamp())
         RETURNING id, finished_at
       ) SELECT id, extract(epoch FROM finished_at)::float8 * 1000 AS at,
           pg_notify('${finishedChannel}', id::text) FROM t`,
    )
    const at = task?.at ?? NaN
    await waitFor(
      async () => {
        const settled = await Promise.all(clocks.mock.results.map(({ value }) => value as Promise<{ settled: number }>))
        return settled.some((clock) => clock.settled > at)
      },
      { what: 'a poll after the end' },
    )
    const before = polls.mock.calls.length
    await waitFor(() => polls.mock.calls.length > before, { what: 'the next poll' })
    // The other worker had read the clock before the end.
    await query(url, 'INSERT INTO webhook_cursor (planned_until) VALUES (to_timestamp(($1::float8 - 1) / 1000))', [at])
    release()
    await other
    const made = () => query(url, 'SELECT task_id FROM webhook_deliveries')
    await waitFor(async () => (await made()).length > 0, { what: 'the delivery', timeoutMs: 10_000 })
    expect(await made()).toEqual([{ task_id: task?.id }])
    await webhooks.stop()
    await finished.onApplicationShutdown()
  })
})
