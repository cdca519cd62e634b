/**
 * Latency with one request in flight, from POST to stored result (asked of the database, as the replaced system's
 * bench does), and of POST alone.
 *
 *   npm run bench:latency -- [--broker redis|postgres] [--requests 300]
 */
import { Agent, request } from 'node:http'
import { setTimeout as pause } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import pg from 'pg'
import { startStack, type BrokerKind } from '../test/support/stack.js'

const { values } = parseArgs({
  options: { broker: { type: 'string', default: 'redis' }, requests: { type: 'string', default: '300' } },
})
const warmUp = 50

const broker = values.broker as BrokerKind
const stack = await startStack({ broker, durable: true, logs: 'inherit' })
const database = new pg.Client(stack.databaseUrl)
await database.connect()
const agent = new Agent({ keepAlive: true, maxSockets: 1 })

const post = (index: number): Promise<{ id: number }> =>
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
      response.on('end', () => resolve(JSON.parse(text) as { id: number }))
    })
    call.end(JSON.stringify({ user_id: index + 1, health_metrics: { mmse_score: 10 + (index % 21), age: 72 } }))
  })

const isStored = async (id: number): Promise<boolean> => {
  const { rows } = await database.query({
    name: 'is-stored',
    text: 'SELECT risk_score IS NOT NULL AS stored FROM predictions WHERE id = $1',
    values: [id],
  })
  return rows[0].stored
}

const percentile = (numbers: readonly number[], share: number) =>
  Number(numbers.toSorted((a, b) => a - b)[Math.floor(numbers.length * share)]?.toFixed(2))

try {
  const done: number[] = []
  const accepted: number[] = []
  for (let index = 0; index < Number(values.requests) + warmUp; index += 1) {
    const startedAt = performance.now()
    const { id } = await post(index)
    const postedAt = performance.now()
    while (!(await isStored(id))) await pause(1)
    if (index < warmUp) continue
    done.push(performance.now() - startedAt)
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
