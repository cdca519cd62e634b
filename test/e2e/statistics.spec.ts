import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { readEvents } from '../support/event-stream.js'
import { query } from '../support/query.js'
import { startStack, type Stack } from '../support/stack.js'
import { waitFor } from '../support/wait-for.js'

interface Point {
  readonly at: string
  readonly partial: boolean
  readonly tasks: number | null
  readonly outcomes: Record<string, number> | null
  readonly wait: { samples: number; p50_seconds: number; p95_seconds: number } | null
  readonly run: { samples: number; p50_seconds: number } | null
  readonly gauges: { waiting: number; consumers_min: number; slots_max: number } | null
}
interface Series {
  readonly partial_from: string | null
  readonly counted_until: string | null
  readonly series: readonly { labels: Record<string, string>; points: readonly Point[] }[]
}

const predictions = 60

describe('statistics', () => {
  let stack: Stack

  const readSeries = async (search: string): Promise<Series> => {
    const { status, body } = await stack.get(`/v1/stats/series?${search}`)
    expect(status).toBe(200)
    return body as unknown as Series
  }
  const totalOf = ({ points }: { points: readonly Point[] }) => points.reduce((sum, { tasks }) => sum + (tasks ?? 0), 0)

  /** Until everything that has ended is counted. */
  const untilCounted = async (search: string, tasks: number) =>
    waitFor(
      async () => {
        const found = await readSeries(search)
        return found.series.reduce((sum, series) => sum + totalOf(series), 0) === tasks && found
      },
      { what: `${tasks} counted tasks`, timeoutMs: 30_000 },
    )

  beforeAll(async () => {
    stack = await startStack({ broker: 'postgres' })
    for (let user = 1; user <= predictions; user += 1) {
      await stack.post('/v1/predictions', { user_id: user, health_metrics: { mmse_score: 24, age: 72 } })
    }
    await stack.post('/v1/predictions/1/explanation', undefined, { prefer: 'wait=20' })
  })
  afterAll(() => stack.stop())

  it('count what ended by queue, with waits, runs and workers, and nothing twice after a kill', async () => {
    const before = await untilCounted('range=15m&group=queue', predictions + 1)
    const [first] = before.series
    expect(before.series.map(({ labels }) => labels['queue'])).toEqual([
      'predictions',
      'batch',
      'explanations',
      'forecasts',
    ])
    expect(before.series.map(totalOf)).toEqual([predictions, 0, 1, 0])
    const point = first?.points.find(({ tasks }) => tasks)
    expect(point?.outcomes).toMatchObject({ succeeded: point?.tasks })
    expect(point?.wait?.samples).toBe(point?.tasks)
    expect(point?.run?.p50_seconds).toBeGreaterThan(0)
    await waitFor(
      async () =>
        (await readSeries('range=15m&group=queue')).series[0]?.points.some(({ gauges }) => gauges?.slots_max === 2),
      { what: 'a sample of the worker', timeoutMs: 30_000 },
    )

    await Promise.all([...stack.workers.map((worker) => worker.kill('SIGKILL')), stack.api.kill('SIGKILL')])
    stack.api = await stack.startApi()
    await stack.startWorker()
    await stack.post('/v1/predictions', { user_id: 1, health_metrics: { mmse_score: 24 } }, { prefer: 'wait=20' })
    const after = await untilCounted('range=15m', predictions + 2)
    const rows = await query(
      stack.databaseUrl,
      `SELECT count(*)::int AS tasks FROM tasks WHERE finished_at IS NOT NULL`,
    )
    expect(rows).toEqual([{ tasks: after.series.reduce((sum, series) => sum + totalOf(series), 0) }])
  })

  it('mark the unfinished point, and have no number where nothing was counted', async () => {
    const { partial_from: partialFrom, series } = await readSeries('range=3h')
    const points = series[0]?.points ?? []
    expect(points.find(({ partial }) => partial)?.at).toBe(partialFrom)
    expect(points[0]).toMatchObject({ tasks: null, wait: null, outcomes: null, partial: false })
  })

  it.each([
    ['group=name&name=ml.generate_explanation', [{ name: 'ml.generate_explanation' }]],
    ['group=outcome&queue=explanations', [{ outcome: 'succeeded' }]],
    ['group=model&queue=predictions', [{ model: 'impairment-screen@1' }]],
    ['queue=explanations', [{}]],
  ])('are grouped and filtered by %s', async (search, labels) => {
    expect((await readSeries(search)).series.map((series) => series.labels)).toEqual(labels)
  })

  it.each([
    ['from=2026-01-02T00:00:00Z&to=2026-01-01T00:00:00Z', '/from'],
    ['range=15x', '/range'],
    ['step=7', '/step'],
    ['range=365d&step=1h', '/step'],
    ['group=person', '/group'],
    ['from=yesterday', '/from'],
    ['queue=none', '/queue'],
    ['since=1h', ''],
  ])('reject %s', async (search, pointer) => {
    const { status, body } = await stack.get(`/v1/stats/series?${search}`)
    expect(status).toBe(422)
    expect(JSON.stringify(body['errors'])).toContain(pointer)
  })

  it('say how the queues stand now, and once a second in a stream', async () => {
    // The killed worker counts until its heartbeat is overdue.
    await waitFor(
      async () => {
        const { body } = await stack.get('/v1/stats/now')
        const queues = body['queues'] as { name: string; slots: number }[]
        return body['waiting'] === 0 && queues.find(({ name }) => name === 'batch')?.slots === 2
      },
      { what: 'the one live worker', timeoutMs: 30_000 },
    )
    const start = performance.now()
    const stream = await readEvents(stack, '/v1/stats/now/events')
    await waitFor(() => stream.events.length >= 3, { what: 'three events' })
    expect(performance.now() - start).toBeGreaterThan(1_500)
    expect(stream.events.slice(0, 3).map(({ event, data }) => [event, data['waiting']])).toEqual(
      Array.from({ length: 3 }, () => ['statistics', 0]),
    )
    stream.close()
  })

  it('name the queue whose tasks wait for a worker', async () => {
    await Promise.all(stack.workers.map((worker) => worker.kill('SIGTERM')))
    await stack.post('/v1/predictions', { user_id: 1, health_metrics: { mmse_score: 24 } })
    const queue = await waitFor(
      async () => {
        const { body } = await stack.get('/v1/stats/now')
        return (body['queues'] as { name: string; problem: string | null }[]).find(({ problem }) => problem)
      },
      { what: 'the queue without workers', timeoutMs: 20_000 },
    )
    expect(queue).toMatchObject({ name: 'predictions', problem: 'no_consumers', waiting: 1, consumers: 0 })
  })
})
