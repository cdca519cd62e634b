import { rmSync } from 'node:fs'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { describeOnBothBrokers } from '../support/brokers.js'
import { makeModelsFolder } from '../support/models-folder.js'
import { query } from '../support/query.js'
import { startStack, type BrokerKind, type Stack } from '../support/stack.js'
import { waitFor } from '../support/wait-for.js'

const lockSeconds = 2
/** Longest delay of the parent's event loop that 99 of 100 measurements may show on a machine of its own, in milliseconds. */
const lagLimitMs = 50
/** What the worker shows that has nothing to do, on such a machine: the delay is measured by a timer of 10 ms. */
const quietLagMs = 12
/** `mmse_score` of ten seconds of work or more, and of three or more. */
const longWork = 42
const shortWork = 12

interface Observation {
  readonly state: unknown
  readonly computeSeconds: number
  /** Of the worker that computed it last. */
  readonly lagP99Ms: number
  /** Of the other worker. */
  readonly idleLagP99Ms: number
  /** The worst of both. */
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

/** Computes one row with two workers and a short lock, and looks on. */
const observe = async (stack: Stack, work: number): Promise<Observation> => {
  const readMetrics = () =>
    Promise.all(stack.workers.map(async ({ healthUrl }) => (await fetch(`${healthUrl}/metrics`)).text()))
  // Each reading begins a new measurement.
  await readMetrics()
  const { body } = await stack.request('POST', '/v1/predictions', {
    user_id: 1,
    health_metrics: { mmse_score: work },
    model: 'slow',
  })
  const taskId = String(body['task_id'])
  const task = await waitFor(
    async () => {
      const answer = await stack.request('GET', `/v1/tasks/${taskId}`)
      return ['succeeded', 'failed', 'timed_out'].includes(String(answer.body['state'])) && answer.body
    },
    { what: 'the slow task', timeoutMs: 100_000, intervalMs: 100 },
  )
  const metrics = await readMetrics()
  const computing = task['worker'] === 'worker1@test' ? 0 : 1
  const milliseconds = (index: number, name: string) => 1000 * gauge(metrics[index] ?? '', name)
  const attempts = task['attempts'] as { started_at: string; ended_at: string; outcome: string }[]
  const { started_at = '', ended_at = '' } = attempts.at(-1) ?? {}
  return {
    state: task['state'],
    computeSeconds: (Date.parse(ended_at) - Date.parse(started_at)) / 1000,
    lagP99Ms: milliseconds(computing, 'nodejs_eventloop_lag_p99_seconds'),
    idleLagP99Ms: milliseconds(1 - computing, 'nodejs_eventloop_lag_p99_seconds'),
    lagMaxMs: Math.max(...[0, 1].map((index) => milliseconds(index, 'nodejs_eventloop_lag_max_seconds'))),
    attempt: task['attempt'],
    outcomes: attempts.map(({ outcome }) => outcome),
  }
}

/** A machine that other tests keep busy delays both workers: what delays the idle one is not the computation. */
const ownLagMs = ({ lagP99Ms, idleLagP99Ms }: Observation): number => lagP99Ms - Math.max(0, idleLagP99Ms - quietLagMs)

/** What must hold while a model computes: the parent lives on, so its lock is kept and the task starts once. */
const isUnharmed = (seen: Observation): boolean =>
  ownLagMs(seen) < lagLimitMs && seen.attempt === 1 && seen.outcomes.join() === 'succeeded'

const start = (broker: BrokerKind, pool: string, models: string): Promise<Stack> =>
  startStack({
    broker,
    workers: 2,
    env: {
      MODELS_DIR: models,
      TASK_LOCK_SECONDS: String(lockSeconds),
      RECONCILE_INTERVAL_SECONDS: '0.5',
      WORKER_POOL: pool,
      WORKER_CONCURRENCY: '1',
    },
  })

let models: string
beforeAll(() => {
  models = makeModelsFolder()
})
afterAll(() => rmSync(models, { recursive: true }))

describeOnBothBrokers('a computation of ten seconds in a child', (broker) => {
  let stack: Stack
  beforeAll(async () => {
    stack = await start(broker, 'prefork', models)
  })
  afterAll(() => stack.stop())

  it('blocked compute does not lose the lock: its worker lives on, and it starts once', async () => {
    const seen = await observe(stack, longWork)
    expect(seen.computeSeconds).toBeGreaterThan(2 * lockSeconds)
    expect(seen).toMatchObject({ state: 'succeeded', attempt: 1, outcomes: ['succeeded'] })
    expect(ownLagMs(seen)).toBeLessThan(lagLimitMs)
    expect(isUnharmed(seen)).toBe(true)
    const rows = await query(stack.databaseUrl, 'SELECT risk_score, attempt FROM predictions')
    expect(rows).toEqual([{ risk_score: 0.5, attempt: 1 }])
  })
})

describe('the same computation in the worker itself (--pool solo)', () => {
  let stack: Stack
  beforeAll(async () => {
    stack = await start('postgres', 'solo', models)
  })
  afterAll(() => stack.stop())

  it('blocks it, so that its task is taken for lost and starts again: the check above can fail', async () => {
    const seen = await observe(stack, shortWork)
    expect(isUnharmed(seen)).toBe(false)
    expect(seen.lagMaxMs).toBeGreaterThan(1000 * lockSeconds)
    expect(seen.outcomes).toContain('lost')
    // Even then no result is written twice.
    expect(seen.outcomes.filter((outcome) => outcome === 'succeeded').length).toBeLessThanOrEqual(1)
  })
})
