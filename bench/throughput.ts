/**
 * Throughput from POST to stored result: load generator, api, worker, broker and database on the same machine.
 *
 *   npm run bench:throughput -- [--broker redis|postgres] [--requests 20000] [--connections 128] [--runs 3] [--tracing]
 *
 * With `--tracing` a tenth of the requests is traced, and sent to a collector in this process.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import pg from 'pg'
import { cpuSecondsOf } from './support/cpu-time.js'
import { startStack, type BrokerKind } from '../test/support/stack.js'
import { waitFor } from '../test/support/wait-for.js'

const { values } = parseArgs({
  options: {
    broker: { type: 'string', default: 'redis' },
    requests: { type: 'string', default: '20000' },
    connections: { type: 'string', default: '128' },
    runs: { type: 'string', default: '3' },
    warmup: { type: 'string', default: '5000' },
    tracing: { type: 'boolean', default: false },
  },
})

const generator = fileURLToPath(new URL('./support/load-generator.js', import.meta.url))

/** CPU seconds by part; the generator's are this process's ended children. */
const cpuByPart = (): Record<string, number> => ({
  api: cpuSecondsOf(stack.api.pid),
  worker: stack.workers.reduce((total, { pid }) => total + cpuSecondsOf(pid), 0),
  ...(stack.redis && { redis: cpuSecondsOf(stack.redis.pid) }),
  postgres: cpuSecondsOf(stack.postgresPid),
})

const load = async (url: string, key: string, requests: number): Promise<string> => {
  const child = spawn(process.execPath, [generator, url, key, String(requests), values.connections], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  let line = ''
  child.stdout.setEncoding('utf8').on('data', (chunk: string) => (line += chunk))
  const [code] = (await once(child, 'close')) as [number]
  if (code !== 0) throw new Error(`The load generator ended with ${code}`)
  return line.trim()
}

const broker = values.broker as BrokerKind
let exports = 0
const collector = createServer((request, response) => {
  exports += 1
  request.resume().on('end', () => response.writeHead(200, { 'content-type': 'application/json' }).end('{}'))
})
await once(collector.listen(0, '127.0.0.1'), 'listening')
const { port: collectorPort } = collector.address() as AddressInfo
const env = values.tracing ? { OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${collectorPort}` } : {}
const stack = await startStack({ broker, durable: true, logs: 'inherit', env })
const database = new pg.Client(stack.databaseUrl)
await database.connect()
const countStored = async (): Promise<number> => {
  const { rows } = await database.query(`SELECT count(*)::int AS stored FROM predictions WHERE risk_score IS NOT NULL`)
  return rows[0].stored
}
try {
  let expected = Number(values.warmup)
  await load(stack.url, stack.key, expected)
  await waitFor(async () => (await countStored()) >= expected, { what: 'the warm-up', timeoutMs: 120_000 })
  for (let run = 1; run <= Number(values.runs); run += 1) {
    const requests = Number(values.requests)
    expected += requests
    const before = cpuByPart()
    const startedAt = performance.now()
    const accepted = await load(stack.url, stack.key, requests)
    const postedAt = performance.now()
    await waitFor(async () => (await countStored()) >= expected, {
      what: 'every result',
      timeoutMs: 120_000,
      intervalMs: 10,
    })
    const seconds = (performance.now() - startedAt) / 1000
    const tail = (performance.now() - postedAt) / 1000
    const after = cpuByPart()
    const cpuMicroseconds = Object.fromEntries(
      Object.entries(after).map(([part, total]) => [
        part,
        Math.round(((total - (before[part] ?? 0)) * 1e6) / requests),
      ]),
    )
    const rate = Math.round(requests / seconds)
    process.stdout.write(
      `${JSON.stringify({ broker, tracing: values.tracing, exports, run, requests, seconds: Number(seconds.toFixed(2)), tail: Number(tail.toFixed(2)), perSecond: rate, cpuMicroseconds, load: JSON.parse(accepted) })}\n`,
    )
  }
} finally {
  await database.end()
  await stack.stop()
  collector.close()
}
