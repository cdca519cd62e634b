import { ForecastRepository, HealthMetricsRepository, TaskRepository, type MadeForecast } from '#libs/database'
import { v7 as uuidv7 } from 'uuid'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createTestDatabase, type TestDatabase } from '../support/test-database.js'

let database: TestDatabase
let tasks: TaskRepository
let forecasts: ForecastRepository
let measurements: HealthMetricsRepository
let lastUser = 0

beforeAll(async () => {
  database = await createTestDatabase()
  tasks = new TaskRepository(database.dataSource, database.prepared)
  forecasts = new ForecastRepository(database.dataSource, tasks)
  measurements = new HealthMetricsRepository(database.dataSource)
})

afterAll(() => database.drop())

const newUser = () => (lastUser += 1)
const at = (text: string) => new Date(text)
const record = (userId: number, time: string, metrics: Record<string, number>) =>
  measurements.record({ userId, recordedAt: at(time), metrics })
const request = (userId: number, horizonsMonths: readonly number[] = [6, 12, 24]) =>
  forecasts.request({ taskId: uuidv7(), userId, horizonsMonths })
const claim = (taskId: string, attempt = 1) => tasks.claim([{ taskId, attempt }], 'worker@test', 15)
const made = (taskId: string, userId: number, more: Partial<MadeForecast> = {}): MadeForecast => ({
  taskId,
  attempt: 1,
  userId,
  model: 'mmse-forecast@1',
  metric: 'mmse_score',
  referenceAt: at('2025-06-01T00:00:00Z'),
  history: [{ at: '2025-01-01T00:00:00.000Z', value: 27 }],
  points: [],
  ratePerYear: -0.5,
  basis: 'history',
  warnings: [],
  ...more,
})

describe('measurements', () => {
  it('are listed newest first, a page at a time, each person for themselves', async () => {
    const [one, other] = [newUser(), newUser()]
    for (const day of ['2024-03-01', '2025-03-01', '2023-03-01']) await record(one, day, { mmse_score: 28 })
    await record(other, '2024-09-01', { mmse_score: 20 })
    const first = await measurements.list(one, 2)
    expect(first.map(({ recordedAt }) => recordedAt)).toEqual([at('2025-03-01'), at('2024-03-01')])
    const second = await measurements.list(one, 2, at('2024-03-01'))
    expect(second.map(({ recordedAt, metrics }) => [recordedAt, metrics])).toEqual([
      [at('2023-03-01'), { mmse_score: 28 }],
    ])
  })

  it('recorded again with the same metrics change nothing, in any order of the metrics', async () => {
    const user = newUser()
    const first = await record(user, '2024-03-01T10:00:00Z', { mmse_score: 28, age: 70 })
    const again = await record(user, '2024-03-01T10:00:00Z', { age: 70, mmse_score: 28 })
    expect(first.kind).toBe('new')
    expect(again).toEqual({ ...first, kind: 'known', measurement: expect.objectContaining({ userId: user }) })
    expect(await measurements.list(user, 10)).toHaveLength(1)
  })

  it('of one time with other metrics are refused, and so is a second MMSE of a day (UTC), but nothing else of it', async () => {
    const user = newUser()
    await record(user, '2024-03-01T10:00:00Z', { mmse_score: 28 })
    expect(await record(user, '2024-03-01T10:00:00Z', { mmse_score: 27 })).toEqual({ kind: 'time' })
    expect(await record(user, '2024-03-01T23:59:59Z', { mmse_score: 28 })).toEqual({ kind: 'day' })
    expect(await record(user, '2024-03-01T23:59:59Z', { bmi: 24 })).toMatchObject({ kind: 'new' })
    expect(await record(user, '2024-03-02T00:00:00Z', { mmse_score: 28 })).toMatchObject({ kind: 'new' })
    expect(await record(newUser(), '2024-03-01T12:00:00Z', { mmse_score: 28 })).toMatchObject({ kind: 'new' })
  })

  it('can be removed by their own person only', async () => {
    const user = newUser()
    const recorded = await record(user, '2024-03-01', { mmse_score: 28 })
    const id = 'measurement' in recorded ? recorded.measurement.id : 0
    expect(await measurements.remove(newUser(), id)).toBe(false)
    expect(await measurements.remove(user, id)).toBe(true)
    expect(await measurements.remove(user, id)).toBe(false)
  })

  it('are read for many people at once, only those that hold a wanted metric, the newest of them', async () => {
    const [one, other, none] = [newUser(), newUser(), newUser()]
    for (const day of ['2022-01-01', '2023-01-01', '2024-01-01']) await record(one, day, { mmse_score: 25 })
    await record(one, '2024-06-01', { bmi: 24 })
    await record(other, '2024-02-01', { sex: 1 })
    const histories = await measurements.readHistories([none, one, other, one], ['mmse_score', 'sex'], 2)
    expect(histories.map(({ measurements: found }) => found.map((measurement) => measurement.at))).toEqual([
      [],
      [at('2024-01-01'), at('2023-01-01')],
      [at('2024-02-01')],
      [at('2024-01-01'), at('2023-01-01')],
    ])
    for (const { readAt } of histories) expect(Math.abs(readAt.getTime() - Date.now())).toBeLessThan(60_000)
  })

  it('are never later than the time of reading, whatever the clock of who recorded them', async () => {
    const user = newUser()
    const ahead = new Date(Date.now() + 30_000)
    await measurements.record({ userId: user, recordedAt: ahead, metrics: { mmse_score: 28 } })
    const [history] = await measurements.readHistories([user], ['mmse_score'], 10)
    expect(history?.readAt).toEqual(ahead)
  })
})

describe('forecasts', () => {
  it('asked for by twenty callers at once are one task', async () => {
    const user = newUser()
    const responses = await Promise.all(Array.from({ length: 20 }, () => request(user)))
    expect(new Set(responses.map(({ taskId }) => taskId)).size).toBe(1)
    expect(responses.filter(({ isNew }) => isNew)).toHaveLength(1)
  })

  it('of other people or horizons are tasks of their own', async () => {
    const user = newUser()
    const responses = await Promise.all([request(user), request(user, [6]), request(newUser())])
    expect(responses.map(({ isNew }) => isNew)).toEqual([true, true, true])
  })

  it('are asked for anew once the waiting one has started, since it may have read the history', async () => {
    const user = newUser()
    const first = await request(user)
    await claim(first.taskId)
    const second = await request(user)
    expect(second).toMatchObject({ isNew: true })
    expect(await request(user)).toEqual({ taskId: second.taskId, isNew: false, tasks: [] })
  })

  it('are joined while they wait to be tried again', async () => {
    const user = newUser()
    const { taskId } = await request(user)
    await claim(taskId)
    await tasks.settle([{ id: taskId, attempt: 1, state: 'retrying', outcome: 'retried' }])
    expect(await request(user)).toEqual({ taskId, isNew: false, tasks: [] })
  })

  it('are stored once, with the success of the attempt that holds the task', async () => {
    const user = newUser()
    const { taskId } = await request(user)
    expect(await forecasts.findLatest(user)).toBeNull()
    await claim(taskId)
    expect(await forecasts.storeAll([made(taskId, user, { attempt: 2 })])).toEqual(new Set())
    expect(await forecasts.findByTask(taskId)).toBeNull()
    expect(await forecasts.storeAll([made(taskId, user)])).toEqual(new Set([taskId]))
    expect(await forecasts.storeAll([made(taskId, user, { ratePerYear: 9 })])).toEqual(new Set())
    expect(await forecasts.findByTask(taskId)).toMatchObject({
      attempt: 1,
      ratePerYear: -0.5,
      history: [{ at: '2025-01-01T00:00:00.000Z', value: 27 }],
    })
    expect(await tasks.find(taskId)).toMatchObject({ state: 'succeeded', result: null })
  })

  it('made from the newest history are the latest, whichever was stored last', async () => {
    const user = newUser()
    const [older, newer] = [await request(user, [6]), await request(user, [12])]
    await Promise.all([claim(older.taskId), claim(newer.taskId)])
    await forecasts.storeAll([made(newer.taskId, user, { referenceAt: at('2025-06-02T00:00:00Z') })])
    await forecasts.storeAll([made(older.taskId, user, { referenceAt: at('2025-06-01T00:00:00Z') })])
    expect((await forecasts.findLatest(user))?.taskId).toBe(newer.taskId)
  })
})
