import { once } from 'node:events'
import { createServer, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { Connections, SharedResult } from '#libs/health'
import { explainListen, MemoryGuardError } from '#libs/platform'
import type { WorkerMetrics } from './worker-metrics.js'

/** What the probes read. None of them waits for anything but the readiness check. */
export interface ProbeSources {
  /** Where the process stands between start and stop. */
  readonly state: () => 'starting' | 'ready' | 'draining'
  /** Whether the worker could do its job now, and the response that says so. */
  readonly readiness: () => Promise<{ readonly isReady: boolean; readonly body: object }>
  readonly metrics: WorkerMetrics
}

/** Maximum number of connections: probes and scrapers need a few. */
const maxConnections = 100

const respond = (response: ServerResponse, status: number, body: unknown): void => {
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body))
}

/**
 * Probes and metrics of a worker on its own port. `/livez` responds as long as the event loop turns and checks no
 * dependency, so that an outage is no reason to restart.
 */
export class ProbeServer {
  private readonly server: Server
  private readonly readiness: SharedResult<Awaited<ReturnType<ProbeSources['readiness']>>>
  private readonly text: SharedResult<string>
  private reportedState: string | undefined

  constructor(private readonly sources: ProbeSources) {
    this.readiness = new SharedResult(sources.readiness)
    this.text = new SharedResult(() => sources.metrics.registry.metrics())
    this.server = createServer((request, response) => {
      // No request may end the process.
      this.handle(request.url ?? '/', response).catch(() => respond(response, 500, { detail: 'Internal error.' }))
    })
    void new Connections(this.server, maxConnections)
  }

  /** The port it listens on; 0 before. */
  get port(): number {
    const address: AddressInfo | string | null = this.server.address()
    return typeof address === 'object' && address ? address.port : 0
  }

  /** @throws {MemoryGuardError} CONFIG_INVALID if the port is taken. */
  async listen(host: string, port: number): Promise<void> {
    try {
      await once(this.server.listen(port, host), 'listening')
    } catch (cause) {
      if (!(cause instanceof Error && 'code' in cause && cause.code === 'EADDRINUSE')) throw explainListen(cause, host)
      throw new MemoryGuardError(
        'CONFIG_INVALID',
        `${host}:${port} is in use. Choose another port for the probes with --health-port or WORKER_HEALTH_PORT; 0 takes a free one.`,
        { cause },
      )
    }
  }

  async close(): Promise<void> {
    this.server.closeAllConnections()
    await new Promise<void>((resolve) => this.server.close(() => resolve()))
  }

  private async handle(url: string, response: ServerResponse): Promise<void> {
    const started = this.sources.state() !== 'starting'
    switch (url.split(/[?#]/, 1)[0]) {
      case '/livez':
        return respond(response, 200, { status: 'ok' })
      case '/startupz':
        return respond(response, started ? 200 : 503, { started })
      case '/readyz': {
        // The end of the start, and a stop, are to be known at once.
        const state = this.sources.state()
        if (this.reportedState !== state) this.readiness.forget()
        this.reportedState = state
        const { isReady, body } = await this.readiness.get()
        return respond(response, isReady ? 200 : 503, body)
      }
      case '/metrics': {
        const { registry } = this.sources.metrics
        response.writeHead(200, { 'content-type': registry.contentType }).end(await this.text.get())
        return
      }
      default:
        return respond(response, 404, { detail: 'There are /livez, /readyz, /startupz and /metrics.' })
    }
  }
}
