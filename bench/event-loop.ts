/**
 * Delay of a worker's event loop while a model computes for ten seconds in its child, and of an idle worker beside it.
 * Exits with 1 if 99 of 100 measurements are not below 50 ms; the delay is measured by a timer of 10 ms.
 *
 *   npm run bench:event-loop -- [--broker redis|postgres]
 */
import { rmSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { makeModelsFolder } from '../test/support/models-folder.js'
import { startStack, type BrokerKind } from '../test/support/stack.js'
import { waitFor } from '../test/support/wait-for.js'

const { values } = parseArgs({ options: { broker: { type: 'string', default: 'postgres' } } })
const limitMs = 50
/** `mmse_score` of the model `slow` that takes ten seconds or more. */
const longWork = 42

const models = makeModelsFolder()
const stack = await startStack({
  broker: values.broker as BrokerKind,
  workers: 2,
  env: { MODELS_DIR: models, WORKER_CONCURRENCY: '1' },
})

/** 99th percentile of each worker's delay since the last reading, in milliseconds. */
const readLags = () =>
  Promise.all(
    stack.workers.map(async ({ healthUrl }) => {
      const text = await (await fetch(`${healthUrl}/metrics`)).text()
      const [, value] = /^nodejs_eventloop_lag_p99_seconds (\S+)$/m.exec(text) ?? []
      if (value === undefined) throw new Error('There is no metric of the event loop')
      return Number((1000 * Number(value)).toFixed(1))
    }),
  )

try {
  await readLags()
  const { body } = await stack.request('POST', '/v1/predictions', {
    user_id: 1,
    health_metrics: { mmse_score: longWork },
    model: 'slow',
  })
  const task = await waitFor(
    async () => {
      const response = await stack.request('GET', `/v1/tasks/${String(body['task_id'])}`)
      return response.body['state'] === 'succeeded' && response.body
    },
    { what: 'the slow task', timeoutMs: 120_000, intervalMs: 500 },
  )
  const lags = await readLags()
  const computing = task['worker'] === 'worker1@test' ? 0 : 1
  const computingP99Ms = lags[computing] ?? Number.POSITIVE_INFINITY
  process.stdout.write(`${JSON.stringify({ broker: values.broker, computingP99Ms, idleP99Ms: lags[1 - computing] })}\n`)
  if (computingP99Ms >= limitMs) process.exitCode = 1
} finally {
  await stack.stop()
  rmSync(models, { recursive: true })
}
