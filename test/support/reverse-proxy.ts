import { once } from 'node:events'
import { createServer, request } from 'node:http'
import type { AddressInfo } from 'node:net'

/** A reverse proxy that serves an API below a path prefix, which it removes, as nginx or Traefik does. */
export interface ReverseProxy {
  /** With the prefix. */
  readonly url: string
  stop(): Promise<void>
}

/** Starts the proxy on a free port of 127.0.0.1; it adds `headers` to what it passes on. */
export const startReverseProxy = async (
  target: string,
  prefix: string,
  headers: Readonly<Record<string, string>> = {},
): Promise<ReverseProxy> => {
  const server = createServer((incoming, outgoing) => {
    const path = incoming.url ?? ''
    if (!path.startsWith(`${prefix}/`)) return void outgoing.writeHead(404).end('not behind this prefix')
    const passedOn = request(
      target + path.slice(prefix.length),
      { method: incoming.method, headers: { ...incoming.headers, ...headers } },
      (response) => {
        outgoing.writeHead(response.statusCode ?? 502, response.headers)
        response.pipe(outgoing)
      },
    )
    passedOn.on('error', () => outgoing.destroy())
    incoming.pipe(passedOn)
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}${prefix}`,
    stop: async () => {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
}
