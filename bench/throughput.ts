/**
 * Throughput from POST to stored result: load generator, api, worker, broker and database on the same machine.
 *
 *   npm run bench:throughput -- [--broker redis|postgres] [--requests 20000] [--connections 128] [--runs 3] [--wait]
 *     [--tracing] [--against FOLDER]
 *
 * With `--wait` each request waits for its result (`Prefer: wait=20`), and p50 and p99 are times from POST to result.
 * With `--tracing` a tenth of the requests is traced, and sent to a collector in this process. With `--against` the
 * runs alternate with those of another built checkout, so that both meet the same noise of the machine.
 */
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { parseArgs } from 'node:util'
import { cpuSecondsOf } from './support/cpu-time.js'
import { runLoad } from './support/run-load.js'
import { queryNumber } from '../test/support/query.js'
import { startStack, type BrokerKind, type Stack } from '../test/support/stack.js'
import { waitFor } from '../test/support/wait-for.js'

const { values } = parseArgs({
  options: {
    broker: { type: 'string', default: 'redis' },
    requests: { type: 'string', default: '20000' },
    connections: { type: 'string', default: '128' },
    runs: { type: 'string', default: '3' },
    warmup: { type: 'string', default: '5000' },
    wait: { type: 'boolean', default: false },
    tracing: { type: 'boolean', default: false },
    against: { type: 'string' },
  },
})
const broker = values.broker as BrokerKind
const connections = Number(values.connections)
const waitSeconds = values.wait ? 20 : 0

/** CPU seconds by part. */
const readCpu = ({ api, workers, redis, postgresPid }: Stack): Readonly<Record<string, number>> => ({
  api: cpuSecondsOf(api.pid),
  worker: workers.reduce((total, { pid }) => total + cpuSecondsOf(pid), 0),
  ...(redis && { redis: cpuSecondsOf(redis.pid) }),
  postgres: cpuSecondsOf(postgresPid),
})

/** Sends predictions and waits until each has its stored result. */
const measure = async (stack: Stack, requests: number) => {
  const last = await queryNumber(stack.databaseUrl, 'SELECT coalesce(max(id), 0)::int AS number FROM predictions')
  const stored = 'SELECT count(*)::int AS number FROM predictions WHERE id > $1 AND risk_score IS NOT NULL'
  const before = readCpu(stack)
  const startedAt = performance.now()
  const load = await runLoad({ url: stack.url, key: stack.key, requests, connections, waitSeconds })
  const postedAt = performance.now()
  await waitFor(async () => (await queryNumber(stack.databaseUrl, stored, [last])) >= requests, {
    what: 'every result',
    timeoutMs: 120_000,
    intervalMs: 10,
  })
  const seconds = (performance.now() - startedAt) / 1000
  const cpuMicroseconds = Object.entries(readCpu(stack)).map(([part, total]) => {
    const used = total - (before[part] ?? 0)
    return [part, Math.round((used * 1e6) / requests)] as const
  })
  return {
    seconds: Number(seconds.toFixed(2)),
    tail: Number((seconds - (postedAt - startedAt) / 1000).toFixed(2)),
    perSecond: Math.round(requests / seconds),
    cpuMicroseconds: {
      ...Object.fromEntries(cpuMicroseconds),
      sum: cpuMicroseconds.reduce((sum, [, each]) => sum + each, 0),
    },
    load,
  }
}

let exports = 0
const collector = createServer((request, response) => {
  exports += 1
  request.resume().on('end', () => response.writeHead(200, { 'content-type': 'application/json' }).end('{}'))
})
await once(collector.listen(0, '127.0.0.1'), 'listening')
const { port: collectorPort } = collector.address() as AddressInfo
const env = values.tracing ? { OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${collectorPort}` } : {}

const stacks: Stack[] = []
try {
  for (const root of [undefined, ...(values.against === undefined ? [] : [values.against])]) {
    const stack = await startStack({ broker, durable: true, logs: 'inherit', env, ...(root !== undefined && { root }) })
    stacks.push(stack)
    await measure(stack, Number(values.warmup))
  }
  for (let run = 1; run <= Number(values.runs); run += 1) {
    for (const [index, stack] of stacks.entries()) {
      const requests = Number(values.requests)
      const figures = await measure(stack, requests)
      const of = index === 0 ? 'this' : values.against
      process.stdout.write(
        `${JSON.stringify({ of, broker, wait: values.wait, tracing: values.tracing, exports, run, requests, ...figures })}\n`,
      )
    }
  }
} finally {
  for (const stack of stacks) await stack.stop()
  collector.close()
}
