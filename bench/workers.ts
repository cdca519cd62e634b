/**
 * How the rate grows with workers: explanations by sampling, which a worker's child computes nearly alone, by one worker
 * that is pinned to one core and by two on a core each, in turns. Whatever else runs shares these cores.
 *
 *   npm run bench:workers -- [--explanations 300] [--rounds 3]
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
    explanations: { type: 'string', default: '300' },
    rounds: { type: 'string', default: '3' },
  },
})
const explanations = Number(values.explanations)
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

const post = async (stack: Stack, userId: number): Promise<void> => {
  const metrics = { mmse_score: 10 + (userId % 21), age: 55 + (userId % 40) }
  const request = { user_id: userId, model: 'sample-network', explain: true, health_metrics: metrics }
  const { status, text } = await stack.post('/v1/predictions', request)
  if (status !== 202) throw new Error(`A prediction got ${status}: ${text}`)
}

/** Explanations a second, from the first POST to the last result. */
const measure = async (stack: Stack): Promise<number> => {
  const done = () =>
    queryNumber(
      stack.databaseUrl,
      `SELECT count(*)::int AS number FROM tasks WHERE queue = 'explanations' AND state = 'succeeded'`,
    )
  const expected = (await done()) + explanations
  const startedAt = performance.now()
  let next = 1
  const lane = async () => {
    while (next <= explanations) await post(stack, next++)
  }
  await Promise.all(Array.from({ length: lanes }, lane))
  await waitFor(async () => (await done()) >= expected, {
    what: 'every explanation',
    timeoutMs: 300_000,
    intervalMs: 50,
  })
  return (explanations * 1000) / (performance.now() - startedAt)
}

const stacks: Stack[] = []
try {
  stacks.push(await start(1), await start(2))
  const rates = stacks.map((): number[] => [])
  // The first round is not counted.
  for (let round = 0; round <= Number(values.rounds); round += 1) {
    for (const [index, stack] of stacks.entries()) {
      const perSecond = await measure(stack)
      if (round > 0) rates[index]?.push(perSecond)
    }
  }
  // Of the best rounds: what else runs on the machine only takes away.
  const [one = Number.NaN, two = Number.NaN] = rates.map((each) => Math.max(...each))
  process.stdout.write(`${JSON.stringify({ explanations, one, two, times: Number((two / one).toFixed(2)), rates })}\n`)
} finally {
  for (const stack of stacks) await stack.stop()
  rmSync(models, { recursive: true })
}
