import { once } from 'node:events'
import { createServer, type RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, describe, expect, it } from 'vitest'
import { followEvents, readBlocks } from './follow-events.js'
import { RestClient } from './rest-client.js'

let close: () => void = () => undefined
afterEach(() => close())

const serve = async (listener: RequestListener): Promise<RestClient> => {
  const server = createServer(listener).listen(0, '127.0.0.1')
  close = () => {
    server.closeAllConnections()
    server.close()
  }
  await once(server, 'listening')
  return new RestClient(`http://127.0.0.1:${(server.address() as AddressInfo).port}`, 'mg_key')
}

describe('following events', () => {
  it('goes on after a break where it was, and ends with the last', async () => {
    const asked: unknown[] = []
    const client = await serve((request, response) => {
      asked.push(request.headers['last-event-id'])
      if (asked.length === 2) {
        // It is just starting.
        response.writeHead(503).end('{}')
        return
      }
      response.writeHead(200, { 'content-type': 'text/event-stream' })
      // The first connection breaks off in the midst of an event.
      if (asked.length === 1) {
        response.write('retry: 1\nid: 0\n\nid: 1\nevent: a\ndata: {"n":1}\n\nid: 2\nevent: b\nda')
        setImmediate(() => response.destroy())
      } else response.end('id: 2\nevent: b\ndata: {"n":2}\n\n: heartbeat\n\n')
    })
    const seen: unknown[] = []
    for await (const followed of followEvents(client, '/v1/events', ({ event }) => event === 'b')) seen.push(followed)
    expect(seen).toEqual([
      { event: 'a', data: { n: 1 } },
      { event: 'b', data: { n: 2 } },
    ])
    expect(asked).toEqual([undefined, '1', '1'])
  })

  it('says why it is refused', async () => {
    const client = await serve((_, response) => response.writeHead(403).end('{"title":"No","detail":"not you"}'))
    await expect(followEvents(client, '/v1/events').next()).rejects.toThrow('No: not you')
  })

  it('reads blocks that come in pieces, inside of a letter too', async () => {
    const bytes = Buffer.from('id: 1\ndata: "é"\n\n:x\n\n')
    async function* pieces() {
      for (const byte of bytes) yield Uint8Array.of(byte)
    }
    const blocks: unknown[] = []
    for await (const block of readBlocks(pieces())) blocks.push(block)
    expect(blocks).toEqual([{ id: '1', data: '"é"' }, { '': 'x' }])
  })
})
