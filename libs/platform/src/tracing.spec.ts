import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { createLogger } from './logging/index.js'
import { Tracing } from './tracing.js'

describe('traces', () => {
  let collector: Server
  let status = 200
  const lines: { readonly msg: string; readonly level: string }[] = []
  const log = createLogger('test', 'info', { write: (line) => void lines.push(JSON.parse(line)) })
  let requests = 0
  /** Sends a full batch of spans. */
  const send = (tracing: Tracing) => {
    for (let span = 0; span < 512; span++) tracing.begin({ name: 'a', kind: 'internal' })?.end()
  }

  beforeEach(async () => {
    lines.length = 0
    collector = createServer((request, response) => {
      requests += 1
      request.resume()
      response.writeHead(status).end()
    })
    await new Promise<void>((resolve) => collector.listen(0, '127.0.0.1', resolve))
  })
  afterEach(() => new Promise((resolve) => collector.close(resolve)))

  it('that a collector refuses are said to be lost, once until it takes them again', async () => {
    const { port } = collector.address() as AddressInfo
    const settings = { endpoint: `http://127.0.0.1:${port}`, headers: {}, sampleRatio: 1, serviceName: 'test' }
    const tracing = new Tracing(settings, log)
    await tracing.start('api')
    for (const [answer, seen] of [
      [400, 1],
      [401, 1],
      [200, 2],
      [200, 2],
      [400, 3],
    ] as const) {
      status = answer
      const before = requests
      send(tracing)
      await vi.waitFor(() => expect([requests, lines.length]).toEqual([before + 1, seen]), 10_000)
    }
    await tracing.stop()
    expect(lines.map(({ level, msg }) => [level, msg.slice(0, 20)])).toEqual([
      ['warn', 'traces not delivered'],
      ['info', 'traces are delivered'],
      ['warn', 'traces not delivered'],
    ])
  })
})
