import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { describeOnBothBrokers } from '../support/brokers.js'
import { query } from '../support/query.js'
import { slowly } from '../support/requests.js'
import { startStack, type BrokerKind, type Stack } from '../support/stack.js'
import { waitFor } from '../support/wait-for.js'

const lockSeconds = 2
/** `mmse_score` of ten seconds of work or more, and of nearly five. */
const longWork = 42
const shortWork = 20

interface Observation {
  readonly state: unknown
  readonly computeSeconds: number
  /** Longest time for which the event loop of one of the workers stood still, in milliseconds. */
  readonly lagMaxMs: number
  /** Starts of the task. */
  readonly attempt: unknown
  readonly outcomes: readonly string[]
}

const gauge = (text: string, name: string): number => {
  const [, value] = new RegExp(`^${name} (\\S+)$`, 'm').exec(text) ?? []
  if (value === undefined) throw new Error(`There is no metric ${name}`)
  return Number(value)
}

/** Computes one row with two workers and a short lock, and observes them. */
const observe = async (stack: Stack, work: number): Promise<Observation> => {
  const readMetrics = () =>
    Promise.all(stack.workers.map(async ({ healthUrl }) => (await fetch(`${healthUrl}/metrics`)).text()))
  // Each reading begins a new measurement.
  await readMetrics()
  const { body } = await stack.request('POST', '/v1/predictions', slowly(work))
  const taskId = String(body['task_id'])
  const task = await waitFor(
    async () => {
      const response = await stack.request('GET', `/v1/tasks/${taskId}`)
      return ['succeeded', 'failed', 'timed_out'].includes(String(response.body['state'])) && response.body
    },
    { what: 'the slow task', timeoutMs: 100_000, intervalMs: 100 },
  )
  const metrics = await readMetrics()
  const attempts = task['attempts'] as { started_at: string; ended_at: string; outcome: string }[]
  const { started_at = '', ended_at = '' } = attempts.at(-1) ?? {}
  return {
    state: task['state'],
    computeSeconds: (Date.parse(ended_at) - Date.parse(started_at)) / 1000,
    lagMaxMs: 1000 * Math.max(...metrics.map((text) => gauge(text, 'nodejs_eventloop_lag_max_seconds'))),
    attempt: task['attempt'],
    outcomes: attempts.map(({ outcome }) => outcome),
  }
}

/** What must hold while a model computes: the parent lives on, so its lock is kept and the task starts once. */
const isUnharmed = (seen: Observation): boolean =>
  seen.lagMaxMs < 1000 * lockSeconds && seen.attempt === 1 && seen.outcomes.join() === 'succeeded'

const start = (broker: BrokerKind, env: Readonly<Record<string, string>>, workers: number) =>
  startStack({
    broker,
    workers,
    testModels: true,
    env: {
      TASK_LOCK_SECONDS: String(lockSeconds),
      WORKER_CONCURRENCY: '1',
      ...env,
    },
  })

describeOnBothBrokers('a computation of ten seconds in a child', (broker) => {
  let stack: Stack
  beforeAll(async () => {
    stack = await start(broker, { RECONCILE_INTERVAL_SECONDS: '0.5' }, 2)
  })
  afterAll(() => stack.stop())

  it('blocked compute does not lose the lock: its worker lives on, and it starts once', async () => {
    const seen = await observe(stack, longWork)
    expect(seen.computeSeconds).toBeGreaterThan(2 * lockSeconds)
    expect(seen).toMatchObject({ state: 'succeeded', attempt: 1, outcomes: ['succeeded'] })
    expect(isUnharmed(seen)).toBe(true)
    const rows = await query(stack.databaseUrl, 'SELECT risk_score, attempt FROM predictions')
    expect(rows).toEqual([{ risk_score: 0.5, attempt: 1 }])
  })
})

describe('the same computation in the worker itself (--pool solo)', () => {
  let stack: Stack
  beforeAll(async () => {
    stack = await start('postgres', { WORKER_POOL: 'solo', TASK_LOCK_SECONDS: '1' }, 0)
    // A process that stands still in the middle of its chores keeps them from the others for 15 s, longer than the task
    // takes. So the worker that computes does none here, and the one that does them computes nothing.
    await stack.startWorker({ WORKER_QUEUES: 'predictions', RECONCILE_INTERVAL_SECONDS: '600' })
    await stack.startWorker({ WORKER_QUEUES: 'batch', RECONCILE_INTERVAL_SECONDS: '0.2' })
  })
  afterAll(() => stack.stop())

  it('E9: blocks it, so that its task is taken for lost and starts again: the check above can fail', async () => {
    const seen = await observe(stack, shortWork)
    expect(isUnharmed(seen)).toBe(false)
    expect(seen.lagMaxMs).toBeGreaterThan(1000 * lockSeconds)
    expect(seen.outcomes).toContain('lost')
    // Even then no result is written twice.
    expect(seen.outcomes.filter((outcome) => outcome === 'succeeded').length).toBeLessThanOrEqual(1)
  })
})
