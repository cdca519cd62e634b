/**
 * How the rate grows with workers: one worker that is pinned to one core, and two on a core each, in turns. First a slow
 * model (some 11 ms for each person), which a worker's child computes nearly alone; then explanations by sampling (some
 * 3 ms), beside which the api and the database, which share these cores, have their part.
 *
 *   npm run bench:workers -- [--predictions 2000] [--explanations 600] [--rounds 3]
 */
import { execFileSync } from 'node:child_process'
import { rmSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { processesFrom } from './support/cpu-time.js'
import { makeModelsFolder } from '../test/support/models-folder.js'
import { queryNumber } from '../test/support/query.js'
import { startStack, type Stack } from '../test/support/stack.js'
import { waitFor } from '../test/support/wait-for.js'

const { values } = parseArgs({
  options: {
    predictions: { type: 'string', default: '2000' },
    explanations: { type: 'string', default: '600' },
    rounds: { type: 'string', default: '3' },
  },
})
/** Requests under way at once: the workers must never wait for the next one. */
const lanes = 16

const models = makeModelsFolder({ withSamples: true })

/** A stack with so many workers, each with one child, each on a core of its own. */
const start = async (workers: number): Promise<Stack> => {
  const env = { MODELS_DIR: models, WORKER_CONCURRENCY: '1' }
  const stack = await startStack({ broker: 'redis', durable: true, logs: 'inherit', workers, env })
  for (const [core, worker] of stack.workers.entries()) {
    for (const pid of processesFrom(worker.pid)) execFileSync('taskset', ['-acp', String(core), String(pid)])
  }
  return stack
}

interface Work {
  readonly name: string
  readonly queue: string
  readonly count: number
  /** The request for a person. */
  readonly request: (userId: number) => Readonly<Record<string, unknown>>
}

const works: readonly Work[] = [
  {
    name: 'slow model',
    queue: 'predictions',
    count: Number(values.predictions),
    request: (userId) => ({ user_id: userId, model: 'slow', health_metrics: { mmse_score: 0.03 } }),
  },
  {
    name: 'explanations by sampling',
    queue: 'explanations',
    count: Number(values.explanations),
    request: (userId) => ({
      user_id: userId,
      model: 'sample-network',
      explain: true,
      health_metrics: { mmse_score: 10 + (userId % 21), age: 55 + (userId % 40) },
    }),
  },
]

/** Tasks a second, from the first POST to the last result. */
const measure = async (stack: Stack, { name, queue, count, request }: Work): Promise<number> => {
  const done = () =>
    queryNumber(
      stack.databaseUrl,
      `SELECT count(*)::int AS number FROM tasks WHERE queue = $1 AND state = 'succeeded'`,
      [queue],
    )
  const expected = (await done()) + count
  const startedAt = performance.now()
  let next = 1
  const lane = async () => {
    while (next <= count) {
      const { status, text } = await stack.post('/v1/predictions', request(next++))
      if (status !== 202) throw new Error(`A prediction got ${status}: ${text}`)
    }
  }
  await Promise.all(Array.from({ length: lanes }, lane))
  await waitFor(async () => (await done()) >= expected, { what: name, timeoutMs: 300_000, intervalMs: 50 })
  return (count * 1000) / (performance.now() - startedAt)
}

const stacks: Stack[] = []
try {
  stacks.push(await start(1), await start(2))
  for (const work of works) {
    const rates = stacks.map((): number[] => [])
    // The first round is not counted.
    for (let round = 0; round <= Number(values.rounds); round += 1) {
      for (const [index, stack] of stacks.entries()) {
        const perSecond = await measure(stack, work)
        if (round > 0) rates[index]?.push(perSecond)
      }
    }
    // Of the best rounds: what else runs on the machine only takes away.
    const [one = Number.NaN, two = Number.NaN] = rates.map((each) => Math.max(...each))
    process.stdout.write(
      `${JSON.stringify({ of: work.name, count: work.count, one, two, times: Number((two / one).toFixed(2)), rates })}\n`,
    )
  }
} finally {
  for (const stack of stacks) await stack.stop()
  rmSync(models, { recursive: true })
}
