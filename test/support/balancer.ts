import { once } from 'node:events'
import { Agent, createServer, request, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { waitFor } from './wait-for.js'

/** A probe without a response for this long has failed, in milliseconds. */
const probeMs = 1_000

/**
 * Sends each request to the next api that was ready when last polled, over connections that it keeps, and repeats none:
 * as a Service of Kubernetes or a plain load balancer does.
 */
export class Balancer {
  private readonly agent = new Agent({ keepAlive: true })
  private readonly targets = new Set<string>()
  private ready: readonly string[] = []
  private turn = 0
  private readonly failures: string[] = []
  private readonly timer: NodeJS.Timeout

  private constructor(
    private readonly server: Server,
    pollMs: number,
  ) {
    server.on('request', (incoming: IncomingMessage, outgoing: ServerResponse) => this.forward(incoming, outgoing))
    this.timer = setInterval(() => void this.poll(), pollMs)
  }

  /** Listens on a free port of 127.0.0.1. It polls each second unless told otherwise. */
  static async start(pollMs = 1_000): Promise<Balancer> {
    // It never closes a connection that its caller may just be using.
    const server = createServer({ keepAliveTimeout: 0 }).listen(0, '127.0.0.1')
    await once(server, 'listening')
    return new Balancer(server, pollMs)
  }

  get url(): string {
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}`
  }

  /** Why requests had no response of an api. */
  get errors(): readonly string[] {
    return this.failures
  }

  /** Adds an api; resolves when a poll has found it ready. */
  async add(url: string): Promise<void> {
    this.targets.add(url)
    await waitFor(() => this.ready.includes(url), { what: `${url} to be ready`, timeoutMs: 60_000 })
  }

  /** Polls an api no more, once it is gone. */
  remove(url: string): void {
    this.targets.delete(url)
    this.ready = this.ready.filter((each) => each !== url)
  }

  async stop(): Promise<void> {
    clearInterval(this.timer)
    this.agent.destroy()
    this.server.closeAllConnections()
    this.server.close()
    await once(this.server, 'close')
  }

  private async poll(): Promise<void> {
    const probes = [...this.targets].map(async (url) => ((await isReady(url)) ? [url] : []))
    const found = (await Promise.all(probes)).flat()
    this.ready = found.filter((url) => this.targets.has(url))
  }

  private forward(incoming: IncomingMessage, outgoing: ServerResponse): void {
    const target = this.ready[(this.turn += 1) % this.ready.length]
    if (target === undefined) return this.fail(outgoing, 'no api is ready')
    const { method, url = '', headers } = incoming
    const call = request(`${target}${url}`, { method, headers, agent: this.agent })
    call.on('response', (response) => {
      const { connection: _, ...kept } = response.headers
      outgoing.writeHead(response.statusCode ?? 502, kept)
      response.pipe(outgoing)
    })
    call.on('error', (error) => this.fail(outgoing, `${target}: ${error.message}`))
    incoming.pipe(call)
  }

  private fail(outgoing: ServerResponse, reason: string): void {
    this.failures.push(reason)
    if (outgoing.headersSent) outgoing.destroy()
    else outgoing.writeHead(502).end(reason)
  }
}

const isReady = (url: string): Promise<boolean> =>
  fetch(`${url}/readyz`, { signal: AbortSignal.timeout(probeMs) }).then(
    ({ ok }) => ok,
    () => false,
  )
