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
import { measureLoad } from './support/measure-load.js'
import { startStack, type BrokerKind, type Stack } from '../test/support/stack.js'

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
    await measureLoad(stack, { requests: Number(values.warmup), connections, waitSeconds })
  }
  for (let run = 1; run <= Number(values.runs); run += 1) {
    for (const [index, stack] of stacks.entries()) {
      const requests = Number(values.requests)
      const figures = await measureLoad(stack, { requests, connections, waitSeconds })
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
