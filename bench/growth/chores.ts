import {
  AuditRepository,
  createDataSource,
  firstTaskId,
  QueueRepository,
  RetentionRepository,
  ScheduleRepository,
  TaskEventRepository,
  TaskRepository,
  PreparedStatements,
  WebhookDeliveryRepository,
} from '#libs/database'
import { loadConfig, queueNames } from '#libs/platform'
import { people } from '../../test/support/history.js'
import type { Stack } from '../../test/support/stack.js'
import { toFigure, type Figure } from './measure.js'

const minuteMs = 60_000
/** Most milliseconds of a chore that every worker does every few seconds. */
const choreBarMs = 300

/** What the processes do by themselves, again and again. */
export const measureChores = async (databaseUrl: string): Promise<readonly Figure[]> => {
  const config = loadConfig({ DATABASE_URL: databaseUrl })
  const dataSource = createDataSource(config)
  await dataSource.initialize()
  const prepared = new PreparedStatements(config)
  const queues = new QueueRepository(dataSource)
  const tasks = new TaskRepository(dataSource, prepared)
  const retention = new RetentionRepository(dataSource)
  const events = new TaskEventRepository(dataSource)
  const webhooks = new WebhookDeliveryRepository(dataSource)
  const now = Date.now()
  const chores: readonly (readonly [string, () => Promise<unknown>])[] = [
    ['reconciler: expired leases', () => tasks.takeBackExpiredLeases(3)],
    ['reconciler: expired and revoked tasks', () => tasks.endUnwanted()],
    [
      'reconciler: waiting tasks',
      () => queues.listWaiting('predictions', { dueFrom: 0, dueBefore: now, isUrgent: false }, firstTaskId, 1000),
    ],
    ['autoscaling: due tasks', () => queues.countDue(queueNames, [], 0)],
    ['statistics of the queues', () => queues.readStatistics()],
    ['retention: 1,000 tasks', () => retention.removeFinished(40 * 86_400, firstTaskId, 1000)],
    ['retention: batches', () => retention.listLeftBatches(3600, 20)],
    ['retention: audit', () => new AuditRepository(dataSource).removeExpired(40 * 86_400)],
    ['schedules: next tick', () => new ScheduleRepository(dataSource).findDueInMs()],
    ['webhooks: plan after a gap of a minute', () => webhooks.plan(now - minuteMs, now, null)],
    ['events: resume after a gap of a minute', () => events.listChanged(now - minuteMs, null, 2000)],
  ]
  const figures: Figure[] = []
  for (const [name, chore] of chores) {
    const times: number[] = []
    for (let round = 0; round < 10; round += 1) {
      const startedAt = performance.now()
      await chore()
      times.push(performance.now() - startedAt)
    }
    figures.push(toFigure(name, times, { barMs: choreBarMs }))
  }
  await prepared.onApplicationShutdown()
  await dataSource.destroy()
  return figures
}

/** Erasing people, who have few rows and a tenth of everything. */
export const measureErasure = async (stack: Stack): Promise<readonly Figure[]> => {
  const figures: Figure[] = []
  for (const person of [people.quiet, people.busy]) {
    const startedAt = performance.now()
    const response = await fetch(`${stack.url}/v1/users/${person}`, {
      method: 'DELETE',
      headers: { authorization: `Bearer ${stack.key}` },
    })
    const text = await response.text()
    figures.push(
      toFigure(`erasure: ${text.slice(0, 200)}`, [performance.now() - startedAt], {
        statuses: { [response.status]: 1 },
      }),
    )
  }
  return figures
}
