import { slowly } from './requests.js'
import { startStack, type BrokerKind, type Stack } from './stack.js'
import { waitFor } from './wait-for.js'

/** Lease of a task in these tests, in seconds. */
export const lockSeconds = 2
/** `mmse_score` of ten seconds of work or more, and of nearly five. */
export const longWork = 42
export const shortWork = 20

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
export const observe = async (stack: Stack, work: number): Promise<Observation> => {
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
export const isUnharmed = (seen: Observation): boolean =>
  seen.lagMaxMs < 1000 * lockSeconds && seen.attempt === 1 && seen.outcomes.join() === 'succeeded'

export const startBlocked = (broker: BrokerKind, env: Readonly<Record<string, string>>, workers: number) =>
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
