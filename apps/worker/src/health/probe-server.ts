import { once } from 'node:events'
import { createServer, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { explainListen, MemoryGuardError } from '#libs/platform'
import type { WorkerMetrics } from './worker-metrics.js'

/** What the probes ask. None of them waits for anything but the readiness check. */
export interface ProbeSources {
  readonly isStarted: () => boolean
  /** Whether the worker could do its job now, and the response that says so. */
  readonly readiness: () => Promise<{ readonly isReady: boolean; readonly body: object }>
  readonly metrics: WorkerMetrics
}

const answer = (response: ServerResponse, status: number, body: unknown): void => {
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body))
}

/**
 * Probes and metrics of a worker on its own port. `/livez` answers as long as the event loop turns and asks no
 * dependency, so that an outage is no reason to restart.
 */
export class ProbeServer {
  private readonly server: Server

  constructor(private readonly sources: ProbeSources) {
    this.server = createServer((request, response) => void this.handle(request.url ?? '/', response))
  }

  /** @returns the port it listens on. @throws MemoryGuardError CONFIG_INVALID if it is taken. */
  async listen(host: string, port: number): Promise<number> {
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
    const address: AddressInfo | string | null = this.server.address()
    return typeof address === 'object' && address ? address.port : port
  }

  async close(): Promise<void> {
    this.server.closeAllConnections()
    await new Promise<void>((resolve) => this.server.close(() => resolve()))
  }

  private async handle(url: string, response: ServerResponse): Promise<void> {
    switch (new URL(url, 'http://worker').pathname) {
      case '/livez':
        return answer(response, 200, { status: 'ok' })
      case '/startupz':
        return answer(response, this.sources.isStarted() ? 200 : 503, { started: this.sources.isStarted() })
      case '/readyz': {
        const { isReady, body } = await this.sources.readiness()
        return answer(response, isReady ? 200 : 503, body)
      }
      case '/metrics': {
        const { registry } = this.sources.metrics
        response.writeHead(200, { 'content-type': registry.contentType }).end(await registry.metrics())
        return
      }
      default:
        return answer(response, 404, { detail: 'There are /livez, /readyz, /startupz and /metrics.' })
    }
  }
}
