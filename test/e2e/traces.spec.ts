import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { describeOnBothBrokers } from '../support/brokers.js'
import { startStack, type Stack } from '../support/stack.js'
import { waitFor } from '../support/wait-for.js'
import { startReceiver } from '../support/webhook-receiver.js'

/** A span as a collector receives it, by OTLP in JSON. */
interface Span {
  readonly traceId: string
  readonly spanId: string
  readonly parentSpanId?: string
  readonly name: string
  readonly kind: number
  readonly startTimeUnixNano: string
  readonly endTimeUnixNano: string
  readonly attributes: readonly { readonly key: string; readonly value: Readonly<Record<string, unknown>> }[]
  readonly links?: readonly { readonly traceId: string; readonly spanId: string }[]
  readonly service: string
}

interface Export {
  readonly resourceSpans: readonly {
    readonly resource: { readonly attributes: Span['attributes'] }
    readonly scopeSpans: readonly { readonly spans: readonly Omit<Span, 'service'>[] }[]
  }[]
}

const [server, client, producer, consumer, internal] = [2, 3, 4, 5, 1]
const callersTrace = '0af7651916cd43dd8448eb211c80319c'
const callersSpan = 'b7ad6b7169203331'
const metrics = { mmse_score: 24, age: 72 }

describeOnBothBrokers('traces', (broker) => {
  let stack: Stack
  let collector: Server
  const spans: Span[] = []
  const authorizations = new Set<string | undefined>()

  /** The spans of a trace, once as many have arrived. */
  const untilTrace = (traceId: string, count: number) =>
    waitFor(
      () => {
        const own = spans.filter((span) => span.traceId === traceId)
        return own.length >= count && own
      },
      { what: `${count} spans`, timeoutMs: 20_000 },
    )
  const traceIdOf = (headers: Headers) => headers.get('traceparent')?.split('-')[1] ?? 'none'

  beforeAll(async () => {
    collector = createServer((request, response) => {
      let text = ''
      authorizations.add(request.headers.authorization)
      request.setEncoding('utf8').on('data', (part: string) => (text += part))
      request.on('end', () => {
        for (const { resource, scopeSpans } of (JSON.parse(text) as Export).resourceSpans) {
          const service = String(resource.attributes.find(({ key }) => key === 'service.name')?.value['stringValue'])
          for (const scope of scopeSpans) spans.push(...scope.spans.map((span) => ({ ...span, service })))
        }
        response.writeHead(200, { 'content-type': 'application/json' }).end('{}')
      })
    })
    await once(collector.listen(0, '127.0.0.1'), 'listening')
    stack = await startStack({
      broker,
      env: {
        OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${(collector.address() as AddressInfo).port}/`,
        OTEL_EXPORTER_OTLP_HEADERS: 'authorization=Bearer%20collector',
        OTEL_TRACES_SAMPLER_ARG: '0',
        WEBHOOK_ALLOW_PRIVATE_ADDRESSES: 'true',
      },
    })
  })
  afterAll(async () => {
    await stack.stop()
    collector.close()
  })

  const submit = (flags: '00' | '01', trace = callersTrace) =>
    stack.post(
      '/v1/predictions',
      { user_id: 1, health_metrics: metrics },
      { prefer: 'wait=20', traceparent: `00-${trace}-${callersSpan}-${flags}` },
    )

  it('follow a prediction from the request of a traced caller to its stored result', async () => {
    const { status, headers, body } = await submit('01')
    expect(status).toBe(200)
    expect(traceIdOf(headers)).toBe(callersTrace)
    const trace = await untilTrace(callersTrace, 7)
    const find = (name: string, parent?: Span) =>
      trace.find((span) => span.name === name && (parent === undefined || span.parentSpanId === parent.spanId))
    const request = find('POST /v1/predictions')
    const process = find('process ml.process_prediction')
    expect(trace.map(({ name }) => name).toSorted()).toEqual(
      [
        'POST /v1/predictions',
        'store',
        'enqueue',
        'process ml.process_prediction',
        'claim',
        'compute',
        'store',
      ].toSorted(),
    )
    expect(request).toMatchObject({ kind: server, parentSpanId: callersSpan, service: 'memoryguard-api' })
    expect(find('store', request)).toMatchObject({ kind: internal, service: 'memoryguard-api' })
    expect(find('enqueue', request)).toMatchObject({ kind: producer })
    expect(process).toMatchObject({ kind: consumer, parentSpanId: request?.spanId, service: 'memoryguard-worker' })
    for (const step of ['claim', 'compute', 'store']) {
      const span = find(step, process)
      expect(span, step).toBeDefined()
      expect(BigInt(span?.startTimeUnixNano ?? 0)).toBeGreaterThanOrEqual(BigInt(process?.startTimeUnixNano ?? 0))
      expect(BigInt(span?.endTimeUnixNano ?? 0)).toBeLessThanOrEqual(BigInt(process?.endTimeUnixNano ?? 0))
    }
    const attributes = Object.fromEntries(
      process?.attributes.map(({ key, value }) => [key, Object.values(value)[0]]) ?? [],
    )
    expect(attributes).toMatchObject({
      'memoryguard.task.id': body['task_id'],
      'messaging.destination.name': 'predictions',
      'memoryguard.model': 'impairment-screen@1',
    })
    expect(authorizations).toEqual(new Set(['Bearer collector']))
    expect(await stack.readTask(body['task_id'])).toMatchObject({
      trace_id: callersTrace,
      model: 'impairment-screen@1',
    })
  })

  it('name no input, and nothing but routes, tasks, models and identifiers', () => {
    expect(JSON.stringify(spans)).not.toMatch(/mmse|health_metrics|user_id|mg_test/)
  })

  it('link the chunks of a batch to its request', async () => {
    const trace = '1af7651916cd43dd8448eb211c80319c'
    await stack.post(
      '/v1/batches',
      { items: [{ user_id: 1, health_metrics: metrics }] },
      { prefer: 'wait=20', traceparent: `00-${trace}-${callersSpan}-01` },
    )
    const [request] = (await untilTrace(trace, 3)).filter(({ kind }) => kind === server)
    const chunk = await waitFor(() => spans.find(({ links }) => links?.some((link) => link.traceId === trace)), {
      what: 'the linked chunk',
    })
    expect(chunk).toMatchObject({ name: 'process ml.batch_predictions', kind: consumer })
    expect(chunk.links).toEqual([expect.objectContaining({ spanId: request?.spanId })])
    expect(chunk.traceId).not.toBe(trace)
  })

  it('go on to the receiver of a webhook', async () => {
    const receiver = await startReceiver()
    const trace = '6af7651916cd43dd8448eb211c80319c'
    const events = ['task.succeeded']
    const { body: webhook } = await stack.post('/v1/webhooks', { url: `${receiver.url}/traced`, events })
    try {
      const { body } = await submit('01', trace)
      const message = await waitFor(() => receiver.messages[0], { what: 'the message' })
      const delivery = await waitFor(
        () => spans.find((span) => span.traceId === trace && span.name === 'deliver webhook'),
        { what: 'the span of the delivery', timeoutMs: 20_000 },
      )
      expect(message.headers['traceparent']).toBe(`00-${trace}-${delivery.spanId}-01`)
      const request = spans.find((span) => span.traceId === trace && span.kind === server)
      expect(delivery).toMatchObject({ kind: client, parentSpanId: request?.spanId, service: 'memoryguard-worker' })
      const attributes = Object.fromEntries(delivery.attributes.map(({ key, value }) => [key, Object.values(value)[0]]))
      expect(attributes).toMatchObject({
        'memoryguard.task.id': body['task_id'],
        'memoryguard.webhook.id': webhook['id'],
        'http.response.status_code': 204,
      })
      await submit('00', '7af7651916cd43dd8448eb211c80319c')
      const untraced = await waitFor(() => receiver.messages[1], { what: 'the second message' })
      expect(untraced.headers).not.toHaveProperty('traceparent')
    } finally {
      await stack.request('DELETE', `/v1/webhooks/${String(webhook['id'])}`)
      await receiver.close()
    }
  })

  it.each([
    [
      'by POST /v1/tasks',
      '/v1/tasks',
      { name: 'ml.process_prediction', args: { user_id: 1, health_metrics: metrics } },
    ],
    ['of a forecast', '/v1/users/1/forecasts', undefined],
  ])('follow a task %s', async (_, path, body) => {
    if (path.includes('forecasts'))
      await stack.post('/v1/users/1/health-metrics', { recorded_at: '2026-01-31T12:00:00Z', health_metrics: metrics })
    const trace = path === '/v1/tasks' ? '2af7651916cd43dd8448eb211c80319c' : '3af7651916cd43dd8448eb211c80319c'
    await stack.post(path, body, { prefer: 'wait=20', traceparent: `00-${trace}-${callersSpan}-01` })
    const names = (await untilTrace(trace, 7)).map(({ name }) => name)
    expect(names).toContain('claim')
  })

  it('are not recorded when the caller is not traced, or sends no trace that can be read', async () => {
    const before = spans.length
    const { headers } = await submit('00', '4af7651916cd43dd8448eb211c80319c')
    expect(headers.get('traceparent')).toBeNull()
    await stack.post(
      '/v1/predictions',
      { user_id: 1, health_metrics: metrics },
      { prefer: 'wait=20', traceparent: 'none' },
    )
    // A traced request after them: what it exports would have come with them.
    await submit('01', '5af7651916cd43dd8448eb211c80319c')
    await untilTrace('5af7651916cd43dd8448eb211c80319c', 7)
    expect(spans.slice(before).filter(({ traceId }) => !traceId.startsWith('5af7'))).toEqual([])
  })
})
