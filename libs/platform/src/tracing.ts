import type { Attributes, Context, SpanContext, SpanKind, Tracer } from '@opentelemetry/api'
import type { BasicTracerProvider, SpanExporter } from '@opentelemetry/sdk-trace-base'
import type { Config } from './config/load-config.js'
import type { LifecycleStep } from './lifecycle.js'
import type { Logger } from './logging/index.js'
import { reasonOf } from './reason-of.js'
import { withinTime } from './time-limit.js'
import { productVersion } from './version.js'

/** Longest time that the last spans may take to leave when the process ends, in milliseconds. */
const flushMs = 2_000

/** A span that is to begin. */
export interface NewSpan {
  readonly name: string
  readonly kind: 'server' | 'client' | 'producer' | 'consumer' | 'internal'
  /** W3C `traceparent` of the span above; without one, or with one that cannot be read, a trace of its own begins. */
  readonly parent?: string | undefined
  /** `traceparent`s of spans that it goes back to without being below them. */
  readonly links?: readonly string[]
  /** Start in milliseconds since the epoch; default: now. */
  readonly startMs?: number
  readonly attributes?: Readonly<Record<string, string | number | boolean>>
}

/** A span that has begun, of a trace that is recorded. */
export interface OpenSpan {
  readonly traceparent: string
  /** `error` says that it failed, and how: a code, never words that may hold an input. */
  end(end?: { readonly endMs?: number; readonly error?: string; readonly attributes?: Attributes }): void
}

/**
 * Traces by OpenTelemetry, if an endpoint is configured. Otherwise nothing of it is loaded, and nothing begins.
 * A trace is recorded if its caller's is, or else one in so many.
 */
export class Tracing {
  private provider: BasicTracerProvider | undefined
  private tracer: Tracer | undefined
  private api: typeof import('@opentelemetry/api') | undefined

  private isDelivered = true

  constructor(
    private readonly settings: Config['tracing'],
    private readonly log: Logger,
  ) {}

  /** Whether traces are recorded at all. */
  get isOn(): boolean {
    return this.settings.endpoint !== undefined
  }

  /** Loads what it takes to record traces of a service such as `api`. */
  async start(service: string): Promise<void> {
    const { endpoint, headers, serviceName } = this.settings
    if (endpoint === undefined) return
    const [api, sdk, { OTLPTraceExporter }, { resourceFromAttributes }] = await Promise.all([
      import('@opentelemetry/api'),
      import('@opentelemetry/sdk-trace-base'),
      import('@opentelemetry/exporter-trace-otlp-http'),
      import('@opentelemetry/resources'),
    ])
    const exporter = this.watch(new OTLPTraceExporter({ url: `${endpoint}/v1/traces`, headers: { ...headers } }))
    this.provider = new sdk.BasicTracerProvider({
      // What is not recorded never gets there: an identifier for each span of it would cost more than the rest.
      sampler: new sdk.AlwaysOnSampler(),
      resource: resourceFromAttributes({
        'service.name': `${serviceName}-${service}`,
        'service.version': productVersion,
      }),
      spanProcessors: [new sdk.BatchSpanProcessor(exporter)],
    })
    this.tracer = this.provider.getTracer('memoryguard', productVersion)
    this.api = api
  }

  /** Begins a span; undefined if its trace is not recorded. */
  begin({ name, kind, parent, links = [], startMs, attributes }: NewSpan): OpenSpan | undefined {
    const { api, tracer } = this
    if (!api || !tracer) return undefined
    const above = parent === undefined ? undefined : parseTraceparent(parent)
    const linked = links.map(parseTraceparent).filter((link) => link !== undefined)
    if (!this.isRecorded(above, linked)) return undefined
    const context: Context = above ? api.trace.setSpanContext(api.ROOT_CONTEXT, above) : api.ROOT_CONTEXT
    const span = tracer.startSpan(
      name,
      {
        kind: api.SpanKind[kind.toUpperCase() as keyof typeof SpanKind],
        links: linked.map((context) => ({ context })),
        ...(startMs !== undefined && { startTime: startMs }),
        ...(attributes && { attributes }),
      },
      context,
    )
    const { traceId, spanId } = span.spanContext()
    return {
      traceparent: `00-${traceId}-${spanId}-01`,
      end: ({ endMs, error, attributes: last } = {}) => {
        if (last) span.setAttributes(last)
        if (error !== undefined) span.setStatus({ code: api.SpanStatusCode.ERROR, message: error })
        span.end(endMs)
      },
    }
  }

  /** As the trace above it; what goes back to a recorded span is recorded too; of other traces one in so many. */
  private isRecorded(above: SpanContext | undefined, linked: readonly SpanContext[]): boolean {
    if (above) return above.traceFlags === 1
    return linked.some(({ traceFlags }) => traceFlags === 1) || Math.random() < this.settings.sampleRatio
  }

  /** Has the log say when the collector begins and ceases to refuse spans: each batch would be too often. */
  private watch(exporter: SpanExporter): SpanExporter {
    return {
      export: (spans, done) =>
        exporter.export(spans, (result) => {
          const { error } = result
          const isDelivered = error === undefined
          if (isDelivered && !this.isDelivered) this.log.info('traces are delivered again')
          if (!isDelivered && this.isDelivered) {
            this.log.warn(
              { reason: reasonOf(error) },
              'traces not delivered to OTEL_EXPORTER_OTLP_ENDPOINT; they are lost',
            )
          }
          this.isDelivered = isDelivered
          done(result)
        }),
      shutdown: () => exporter.shutdown(),
      forceFlush: () => exporter.forceFlush?.() ?? Promise.resolve(),
    }
  }

  /** Sends what is left. */
  async stop(): Promise<void> {
    if (this.provider) await withinTime(this.provider.shutdown(), flushMs, undefined)
  }
}

/** The context of a W3C `traceparent`; undefined for anything else. */
export const parseTraceparent = (text: string): SpanContext | undefined => {
  const [, traceId = '', spanId = '', flags = ''] =
    /^00-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})$/.exec(text) ?? []
  return traceId === '' ? undefined : { traceId, spanId, traceFlags: Number.parseInt(flags, 16) & 1, isRemote: true }
}

/** Loads tracing before anything that is traced starts, and sends the last spans when all of it has stopped. */
export const tracingStep = (tracing: Tracing, service: string): LifecycleStep => ({
  name: 'tracing',
  start: () => tracing.start(service),
  stop: () => tracing.stop(),
})
