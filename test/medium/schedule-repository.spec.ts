import {
  QueueRepository,
  ScheduleRepository,
  TaskRepository,
  type ScheduleEntity,
  type ScheduleSettings,
} from '#libs/database'
import { createLogger } from '#libs/platform'
import { planFiring, Reconciler, FinishedLines } from '#libs/tasks'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { query, queryNumber } from '../support/query.js'
import { createBroker } from '../support/create-broker.js'
import { createTestDatabase, type TestDatabase } from '../support/test-database.js'

const settings: ScheduleSettings = {
  task: 'ml.update_forecasts',
  args: { user_id: 7, horizons_months: [6] },
  userId: '7',
  predictionId: null,
  queue: 'forecasts',
  priority: 3,
  expiresSeconds: 60,
  cron: null,
  timeZone: null,
  intervalSeconds: 3600,
  catchUp: 'all',
  isPaused: false,
  nextRunAt: null,
}
const minutesAgo = (minutes: number) => new Date(Date.now() - minutes * 60_000)

describe('schedule repository', () => {
  let database: TestDatabase
  let schedules: ScheduleRepository

  beforeAll(async () => {
    database = await createTestDatabase({ env: { DATABASE_POOL_SIZE: '10' } })
    schedules = new ScheduleRepository(database.dataSource)
  })
  afterAll(() => database.drop())
  beforeEach(() => query(database.url, 'TRUNCATE tasks, schedules'))

  const make = async (name: string, more: Partial<ScheduleSettings>) => {
    const schedule = await schedules.create(name, { ...settings, ...more })
    if (!schedule) throw new Error(`${name} was not made`)
    return schedule
  }
  const countTasks = () => queryNumber(database.url, 'SELECT count(*)::int AS number FROM tasks')

  it('makes one task for each tick, of however many that fire at once', async () => {
    for (let index = 0; index < 20; index += 1) {
      await make(`schedule-${index}`, { nextRunAt: minutesAgo(150) })
    }
    const fired = await Promise.all(Array.from({ length: 8 }, () => schedules.fireDue(planFiring)))
    expect(fired.flat()).toHaveLength(20 * 3)
    expect(await countTasks()).toBe(20 * 3)
    const ticks = await query<{ ticks: number; distinct: number }>(
      database.url,
      `SELECT count(*)::int AS ticks, count(DISTINCT idempotency_key)::int AS distinct FROM tasks
       GROUP BY idempotency_scope`,
    )
    expect(ticks).toEqual(Array.from({ length: 20 }, () => ({ ticks: 3, distinct: 3 })))
    expect(await schedules.fireDue(planFiring)).toEqual([])
  })

  it('A7: records in the audit trail that one stands still, which nobody asked for', async () => {
    const { id } = await make('still', { nextRunAt: minutesAgo(1) })
    await make('running', { nextRunAt: minutesAgo(1) })
    const plan = (schedule: ScheduleEntity, now: Date) =>
      schedule.id === id ? { ticks: [], nextRunAt: null } : planFiring(schedule, now)
    for (let round = 0; round < 2; round += 1) await schedules.fireDue(plan)
    const entries = await query(database.url, `SELECT target, api_key_id FROM audit_log WHERE action = 'schedule.stop'`)
    expect(entries).toEqual([{ target: id, api_key_id: null }])
  })

  it('makes the task that a caller would have made', async () => {
    const { id } = await make('forecast', { nextRunAt: minutesAgo(0) })
    const [task] = await schedules.fireDue(planFiring)
    expect(task).toMatchObject({ name: 'ml.update_forecasts', queue: 'forecasts', attempt: 1, priority: 3, delayMs: 0 })
    const [row] = await query<object>(
      database.url,
      'SELECT state, args, user_id, prediction_id, expires_at - created_at AS expires FROM tasks',
    )
    expect(row).toEqual({
      state: 'queued',
      args: { horizons_months: [6] },
      user_id: '7',
      prediction_id: null,
      expires: expect.objectContaining({ minutes: 1 }),
    })
    expect(await schedules.find('forecast')).toMatchObject({ id, lastTaskId: task?.taskId, args: settings.args })
    expect(await schedules.findOrigin(task?.taskId ?? '')).toMatchObject({ id, name: 'forecast' })
  })

  it('never runs a tick twice, even if the schedule is set back', async () => {
    const nextRunAt = minutesAgo(1)
    await make('again', { nextRunAt })
    expect(await schedules.fireDue(planFiring)).toHaveLength(1)
    await query(database.url, 'UPDATE schedules SET next_run_at = $1', [nextRunAt])
    expect(await schedules.fireDue(planFiring)).toEqual([])
    expect(await countTasks()).toBe(1)
    expect(await schedules.findDueInMs()).toBeGreaterThan(0)
  })

  it('stores neither tasks nor the next tick if it does not come to its end', async () => {
    const { nextRunAt } = await make('kept', { nextRunAt: minutesAgo(10) })
    const cut = schedules.fireDue(() => {
      throw new Error('cut off')
    })
    await expect(cut).rejects.toThrow('cut off')
    expect(await countTasks()).toBe(0)
    expect(await schedules.find('kept')).toMatchObject({ nextRunAt, lastTaskId: null })
    expect(await schedules.fireDue(planFiring)).toHaveLength(1)
  })

  it('leaves it to the reconciler to enqueue what a process that died after the commit did not', async () => {
    await make('lost', { nextRunAt: minutesAgo(0) })
    expect(await schedules.fireDue(planFiring)).toHaveLength(1)
    await query(
      database.url,
      `UPDATE tasks SET created_at = created_at - interval '9 s', available_at = available_at - interval '9 s'`,
    )
    const { dataSource, prepared } = database
    const log = createLogger('test', 'fatal')
    const tasks = new TaskRepository(dataSource, prepared)
    const broker = createBroker(database.config, log)
    try {
      const reconciler = new Reconciler(tasks, new QueueRepository(dataSource), broker, new FinishedLines(log), log)
      expect(await reconciler.run(['forecasts'])).toBe(1)
      expect(await broker.depth('forecasts')).toMatchObject({ waiting: 1 })
    } finally {
      await broker.onApplicationShutdown()
    }
  })

  it('changes a schedule and fires it one after the other', async () => {
    await make('changing', { nextRunAt: minutesAgo(10) })
    const change = schedules.update('changing', async () => {
      // Locked: whoever fires now leaves it out.
      expect(await schedules.fireDue(planFiring)).toEqual([])
      return { isPaused: true, nextRunAt: null }
    })
    expect(await change).toMatchObject({ isPaused: true })
    expect(await schedules.fireDue(planFiring)).toEqual([])
    expect(await countTasks()).toBe(0)
  })

  it('refuses a name that is taken, and returns which do not exist', async () => {
    await make('once', {})
    expect(await schedules.create('once', settings)).toBeNull()
    expect(await schedules.find('never')).toBeNull()
    expect(await schedules.update('never', async () => ({}))).toBeNull()
    expect(await schedules.remove('never')).toBeNull()
  })
})
