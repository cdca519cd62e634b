import { once } from 'node:events'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { connect, type AddressInfo, type Socket } from 'node:net'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { Connections } from './connections.js'

describe('requests that come over one connection', () => {
  let server: Server
  let connections: Connections
  let socket: Socket
  let received: string
  const handled: (readonly [IncomingMessage, ServerResponse])[] = []

  beforeEach(async () => {
    handled.length = 0
    received = ''
    server = createServer((request, response) => handled.push([request, response]))
    connections = new Connections(server, 3)
    await once(server.listen(0, '127.0.0.1'), 'listening')
    socket = connect((server.address() as AddressInfo).port, '127.0.0.1').on('error', () => undefined)
    socket.on('data', (data) => (received += String(data)))
  })
  afterEach(() => {
    socket.destroy()
    server.close()
    server.closeAllConnections()
  })

  const send = (count: number, from = 1): void => {
    const requests = Array.from({ length: count }, (_, index) => `GET /${from + index} HTTP/1.1\r\nHost: x\r\n\r\n`)
    socket.write(requests.join(''))
  }
  const urls = () => handled.map(([{ url }]) => url)

  it('A2: are handled in turn, each when the response before has left', async () => {
    send(3)
    await expect.poll(urls).toEqual(['/1'])
    handled[0]?.[1].end('one')
    await expect.poll(urls).toEqual(['/1', '/2'])
    send(1, 4)
    handled[1]?.[1].end('two')
    await expect.poll(urls).toEqual(['/1', '/2', '/3'])
    handled[2]?.[1].end('three')
    await expect.poll(urls).toEqual(['/1', '/2', '/3', '/4'])
    handled[3]?.[1].end('four')
    await expect.poll(() => received).toMatch(/one[^]*two[^]*three[^]*four/)
    send(1, 5)
    await expect.poll(urls).toHaveLength(5)
  })

  it('A2: wait for who does not read the response', async () => {
    socket.pause()
    send(2)
    await expect.poll(urls).toHaveLength(1)
    const [, response] = handled[0] ?? []
    const left = once(response ?? server, 'finish')
    response?.end('x'.repeat(64 * 1_048_576))
    // Another connection has its turn meanwhile.
    const other = connect((server.address() as AddressInfo).port, '127.0.0.1')
    other.write('GET /other HTTP/1.1\r\nHost: x\r\n\r\n')
    await expect.poll(urls).toEqual(['/1', '/other'])
    other.destroy()
    socket.resume()
    await left
    await expect.poll(urls).toEqual(['/1', '/other', '/2'])
  })

  it('A2: end the connection if too many wait, and are not handled behind its end', async () => {
    send(12)
    await once(socket, 'close')
    await expect.poll(() => handled[0]?.[1].destroyed || handled[0]?.[1].closed).toBe(true)
    expect(urls()).toEqual(['/1'])
  })

  it('A2: keep their place while a request with a valid key is under way', async () => {
    send(1)
    await expect.poll(urls).toEqual(['/1'])
    const [request, response] = handled[0] ?? []
    if (!request || !response) throw new Error('no request')
    connections.keep(request)
    const { port } = server.address() as AddressInfo
    const others = [1, 2, 3].map(() => connect(port, '127.0.0.1').on('error', () => undefined))
    // The first of the others makes room for the third.
    await once(others[0] ?? socket, 'close')
    expect(socket.closed).toBe(false)
    response.end('one')
    await expect.poll(() => received).toContain('one')
    const last = connect(port, '127.0.0.1').on('error', () => undefined)
    await once(others[1] ?? socket, 'close')
    for (const other of [...others, last]) other.destroy()
  })
})
