import { once } from 'node:events'
import { connect, type AddressInfo } from 'node:net'
import { fastify, type FastifyInstance } from 'fastify'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { allowUpload, slowBodyOptions } from './slow-bodies.js'

describe('a request that does not arrive', () => {
  let app: FastifyInstance
  let port: number

  beforeEach(async () => {
    app = fastify(slowBodyOptions(300))
    app.addContentTypeParser('text/csv', (request, body, done) => {
      allowUpload(request, 2_000)
      done(null, body)
    })
    app.post('/', async ({ raw }) => {
      if (!raw.complete) await once(raw.resume(), 'close')
      return { isWhole: raw.complete }
    })
    await app.listen({ port: 0, host: '127.0.0.1' })
    port = (app.server.address() as AddressInfo).port
  })
  afterEach(() => app.close())

  /** Sends the head and then a byte every 20 ms, `count` times. Resolves with the response when the connection ends. */
  const trickle = async (type: string, count: number, length = count): Promise<string> => {
    const socket = connect(port, '127.0.0.1')
    let response = ''
    socket.on('data', (data) => (response += String(data)))
    socket.on('error', () => undefined)
    socket.write(
      `POST / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: ${type}\r\nContent-Length: ${length}\r\n\r\n`,
    )
    let sent = 0
    const timer = setInterval(() => {
      if (sent < count) socket.write('1')
      sent += 1
    }, 20)
    // It may end with a reset, which `once` would take for a failure.
    await new Promise((resolve) => socket.once('close', resolve))
    clearInterval(timer)
    return response
  }

  it('is ended in time with a problem, though it goes on byte by byte', async () => {
    const response = await trickle('application/json', 1_000_000)
    expect(response).toMatch(/^HTTP\/1\.1 408 Request Timeout\r\n/)
    expect(response).toContain('content-type: application/problem+json')
    expect(JSON.parse(response.split('\r\n\r\n')[1] ?? '')).toMatchObject({ status: 408, errors: [] })
  })

  it('has longer for an upload, and not for ever', async () => {
    expect(await trickle('text/csv', 30)).toMatch(/^HTTP\/1\.1 200 OK[^]*"isWhole":true/)
    expect(await trickle('text/csv', 1_000_000)).toBe('')
  })

  it('is refused with a problem if it is no HTTP', async () => {
    const socket = connect(port, '127.0.0.1')
    socket.end('nonsense\r\n\r\n')
    const [response] = (await once(socket, 'data')) as [Buffer]
    expect(String(response)).toMatch(/^HTTP\/1\.1 400 Bad Request[^]*REQUEST_MALFORMED/)
  })
})
