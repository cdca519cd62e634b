import { afterAll, beforeAll, expect, it } from 'vitest'
import { describeOnBothBrokers } from '../support/brokers.js'
import { query } from '../support/query.js'
import { startStack, type Stack } from '../support/stack.js'
import { waitFor } from '../support/wait-for.js'

const check = { task: 'ml.health_check' }
const far = { ...check, cron: '0 0 1 1 *' }

interface Ran {
  readonly id: string
  readonly key: string
  readonly state: string
}

describeOnBothBrokers('schedules', (broker) => {
  let stack: Stack
  beforeAll(async () => {
    const env = {
      WORKER_CONCURRENCY: '1',
      RECONCILE_INTERVAL_SECONDS: '1',
      TASK_LOCK_SECONDS: '2',
      // Three workers with all four queues want more connections than the embedded server has.
      WORKER_QUEUES: 'predictions,batch',
    }
    stack = await startStack({ broker, workers: 3, env })
  })
  afterAll(() => stack.stop())

  const patch = (name: string, body: unknown) => stack.request('PATCH', `/v1/schedules/${name}`, body)
  const create = async (body: object) => {
    const response = await stack.post('/v1/schedules', body)
    expect(response.status, response.text).toBe(201)
    return response.body
  }
  const readRuns = (id: unknown) =>
    query<Ran>(
      stack.databaseUrl,
      `SELECT id, idempotency_key AS key, state FROM tasks
       WHERE idempotency_scope = $1 ORDER BY idempotency_key`,
      [`schedule:${String(id)}`],
    )
  const untilRuns = (id: unknown, count: number) =>
    waitFor(
      async () => {
        const runs = await readRuns(id)
        return runs.filter(({ state }) => state === 'succeeded').length >= count && runs
      },
      { what: `${count} runs` },
    )

  it('run once for each tick with three workers, and not while they are paused or after they are deleted', async () => {
    const made = await stack.post('/v1/schedules', { name: 'canary', ...check, interval_seconds: 1, catch_up: 'all' })
    expect(made.status).toBe(201)
    const { id, next_runs: next } = made.body as { id: string; next_runs: string[] }
    expect(made.headers.get('location')).toBe(`/v1/schedules/${id}`)
    const first = Date.parse(next[0] ?? '')
    expect(next.map((time) => Date.parse(time) - first)).toEqual([0, 1000, 2000])
    await untilRuns(id, 2)
    // Whatever one of them was just doing, the others go on.
    await stack.workers[0]?.kill()
    const runs = await untilRuns(id, 5)
    expect(runs.map(({ key }) => Date.parse(key) - first)).toEqual(runs.map((_, index) => index * 1000))

    const paused = await patch('canary', { is_paused: true })
    expect(paused.body).toMatchObject({ is_paused: true, next_run_at: null, next_runs: [] })
    const witness = await create({ name: 'witness', ...check, interval_seconds: 1 })
    const before = await readRuns(id)
    await untilRuns(witness['id'], 2)
    expect(await readRuns(id)).toHaveLength(before.length)

    await patch('canary', { is_paused: false })
    const after = await untilRuns(id, before.length + 2)
    // What was missed while it was paused is not made up for.
    const [last, resumed] = [after[before.length - 1], after[before.length]]
    expect(Date.parse(resumed?.key ?? '') - Date.parse(last?.key ?? '')).toBeGreaterThan(2000)

    expect((await stack.request('DELETE', '/v1/schedules/canary')).status).toBe(204)
    const left = (await readRuns(id)).length
    const ranBy = (await readRuns(witness['id'])).length
    await untilRuns(witness['id'], ranBy + 2)
    expect(await readRuns(id)).toHaveLength(left)
    expect((await stack.get('/v1/schedules/canary')).status).toBe(404)
    await stack.request('DELETE', '/v1/schedules/witness')
    expect((await stack.get(`/v1/tasks/${after[0]?.id}`)).body['schedule']).toMatchObject({ id, name: null })
  })

  it('make up for what was missed with no worker there, by their policies', async () => {
    const ids: Record<string, unknown> = {}
    for (const policy of ['none', 'one', 'all']) {
      ids[policy] = (await create({ name: `after-${policy}`, ...check, interval_seconds: 3600, catch_up: policy }))[
        'id'
      ]
    }
    await Promise.all(stack.workers.map((worker) => worker.kill()))
    await query(stack.databaseUrl, `UPDATE schedules SET next_run_at = next_run_at - interval '3 hours 30 minutes'`)
    const due = (await stack.get('/v1/schedules/after-one')).body['next_run_at']
    await stack.startWorker()
    await waitFor(async () => (await stack.get('/v1/schedules/after-one')).body['last_run_at'], {
      what: 'the workers to fire',
    })
    await untilRuns(ids['one'], 1)
    await untilRuns(ids['all'], 3)
    const lasts = new Map<string, unknown>()
    for (const policy of ['none', 'one', 'all']) {
      const { body } = await stack.get(`/v1/schedules/after-${policy}`)
      // The rhythm is kept.
      const next = Date.parse(String(body['next_run_at']))
      expect(next).toBeGreaterThan(Date.now())
      if (policy === 'one') expect(next - Date.parse(String(due))).toBe(3 * 3600 * 1000)
      lasts.set(policy, body['last_run_at'])
    }
    const counts = await Promise.all(['none', 'one', 'all'].map(async (policy) => (await readRuns(ids[policy])).length))
    expect(counts).toEqual([0, 1, 3])
    expect([lasts.get('none'), typeof lasts.get('one')]).toEqual([null, 'string'])
  })

  it('take a change at once', async () => {
    const { id, next_runs: next, time_zone: zone } = await create({ name: 'changed', ...far, time_zone: 'Asia/Tokyo' })
    expect(zone).toBe('Asia/Tokyo')
    expect((next as string[]).map((time) => time.slice(5))).toEqual(Array(3).fill('12-31T15:00:00.000Z'))
    const moved = await patch('changed', { time_zone: null, queue: 'batch', priority: 5 })
    expect(moved.body).toMatchObject({ cron: '0 0 1 1 *', queue: 'batch', priority: 5 })
    expect(String(moved.body['next_run_at'])).toMatch(/-01-01T00:00:00.000Z$/)
    const kept = await patch('changed', { catch_up: 'none', expires_seconds: 30 })
    expect(kept.body).toMatchObject({ next_run_at: moved.body['next_run_at'], queue: 'batch', catch_up: 'none' })
    const fast = await patch(String(id), { interval_seconds: 1 })
    expect(fast.body).toMatchObject({ cron: null, time_zone: null, interval_seconds: 1 })
    await untilRuns(id, 2)
    const back = await patch('changed', { cron: '@daily' })
    expect(back.body).toMatchObject({ cron: '@daily', time_zone: 'UTC', interval_seconds: null })
    const { body } = await stack.get('/v1/schedules/changed')
    const [run] = body['recent_runs'] as { at: string; task_id: string; celery_state: string }[]
    expect(run).toMatchObject({ at: body['last_run_at'], task_id: body['last_task_id'], celery_state: 'SUCCESS' })
    const task = await stack.get(`/v1/tasks/${run?.task_id}`)
    expect(task.body).toMatchObject({ queue: 'batch', priority: 5, schedule: { id, name: 'changed', at: run?.at } })
  })

  it('run now on request, paused or not', async () => {
    await create({ name: 'by-hand', ...far, is_paused: true })
    const ran = await stack.post('/v1/schedules/by-hand/run', undefined, { prefer: 'wait=20' })
    expect([ran.status, ran.body['state']]).toEqual([200, 'succeeded'])
    expect(ran.headers.get('location')).toBe(`/v1/tasks/${String(ran.body['id'])}`)
    expect((await stack.get('/v1/schedules/by-hand')).body).toMatchObject({
      is_paused: true,
      last_run_at: null,
      recent_runs: [{ task_id: ran.body['id'], state: 'succeeded' }],
    })
  })
})
