/**
 * Latency with one request in flight, from POST to stored result, and of POST alone. The database notifies when a result is
 * committed; asking it again and again would add the pause between two questions, and take the processor from what is
 * measured.
 *
 *   npm run bench:latency -- [--broker redis|postgres] [--requests 1000] [--warmup 2000]
 */
import { Agent, request } from 'node:http'
import { parseArgs } from 'node:util'
import pg from 'pg'
import { finishedChannel } from '#libs/database'
import { startStack, type BrokerKind } from '../test/support/stack.js'

const { values } = parseArgs({
  options: {
    broker: { type: 'string', default: 'redis' },
    requests: { type: 'string', default: '1000' },
    warmup: { type: 'string', default: '2000' },
  },
})
/** Requests until the compilers of the processes have come to rest. */
const warmUp = Number(values.warmup)

const broker = values.broker as BrokerKind
const stack = await startStack({ broker, durable: true, logs: 'inherit' })
const database = new pg.Client(stack.databaseUrl)
await database.connect()
await database.query(`LISTEN ${finishedChannel}`)
const finished = new Set<string>()
let onFinished = () => {}
database.on('notification', ({ payload }) => {
  for (const id of payload?.split(',') ?? []) finished.add(id)
  onFinished()
})
const agent = new Agent({ keepAlive: true, maxSockets: 1 })

const post = (index: number): Promise<{ id: number; task_id: string }> =>
  new Promise((resolve, reject) => {
    const call = request(`${stack.url}/v1/predictions`, {
      method: 'POST',
      agent,
      headers: { authorization: `Bearer ${stack.key}`, 'content-type': 'application/json' },
    })
    call.on('error', reject)
    call.on('response', (response) => {
      let text = ''
      response.setEncoding('utf8').on('data', (chunk: string) => (text += chunk))
      response.on('end', () => resolve(JSON.parse(text) as { id: number; task_id: string }))
    })
    call.end(JSON.stringify({ user_id: index + 1, health_metrics: { mmse_score: 10 + (index % 21), age: 72 } }))
  })

const untilFinished = async (taskId: string): Promise<void> => {
  while (!finished.has(taskId)) await new Promise<void>((resolve) => (onFinished = resolve))
}

const isStored = async (id: number): Promise<boolean> => {
  const { rows } = await database.query('SELECT risk_score IS NOT NULL AS stored FROM predictions WHERE id = $1', [id])
  return rows[0].stored
}

const percentile = (numbers: readonly number[], share: number) =>
  Number(numbers.toSorted((a, b) => a - b)[Math.floor(numbers.length * share)]?.toFixed(2))

try {
  const done: number[] = []
  const accepted: number[] = []
  for (let index = 0; index < Number(values.requests) + warmUp; index += 1) {
    const startedAt = performance.now()
    const { id, task_id: taskId } = await post(index)
    const postedAt = performance.now()
    await untilFinished(taskId)
    const finishedAt = performance.now()
    if (!(await isStored(id))) throw new Error(`Prediction ${id} is finished without a result`)
    if (index < warmUp) continue
    done.push(finishedAt - startedAt)
    accepted.push(postedAt - startedAt)
  }
  const of = (numbers: readonly number[]) => ({
    p50Ms: percentile(numbers, 0.5),
    p95Ms: percentile(numbers, 0.95),
    p99Ms: percentile(numbers, 0.99),
  })
  process.stdout.write(`${JSON.stringify({ broker, toStored: of(done), toAccepted: of(accepted) })}\n`)
} finally {
  agent.destroy()
  await database.end()
  await stack.stop()
}
