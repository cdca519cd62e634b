import { once } from 'node:events'
import { connect, type AddressInfo, type Socket } from 'node:net'
import { MemoryGuardError } from '#libs/platform'
import { fastify, type FastifyInstance } from 'fastify'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { BodyMemory } from './body-memory.js'

const mib = 1_048_576

describe('the memory of bodies under way', () => {
  let app: FastifyInstance
  let port: number
  const sockets: Socket[] = []

  beforeEach(async () => {
    app = fastify({ bodyLimit: 8 * mib })
    const memory = new BodyMemory(16 * mib, 2_000)
    app.addHook('onRequest', (request, reply, done) => {
      const key = request.headers.authorization
      if (key !== undefined) memory.admit(request, reply, key)
      done()
    })
    app.setErrorHandler((error, _request, reply) =>
      reply.status(400).send(error instanceof MemoryGuardError ? error.code : String(error)),
    )
    app.get('/', async () => 'read')
    app.post('/', async () => 'stored')
    await app.listen({ port: 0, host: '127.0.0.1' })
    port = (app.server.address() as AddressInfo).port
  })
  afterEach(async () => {
    for (const socket of sockets.splice(0)) socket.destroy()
    await app.close()
  })

  /** Sends a head that announces a JSON body, and the first byte of it. */
  const begin = (method: string, key: string | undefined, length: number): Socket => {
    const socket = connect(port, '127.0.0.1').on('error', () => undefined)
    sockets.push(socket)
    const authorization = key === undefined ? '' : `Authorization: ${key}\r\n`
    socket.write(
      `${method} / HTTP/1.1\r\nHost: x\r\n${authorization}Content-Type: application/json\r\nContent-Length: ${length}\r\n\r\n"`,
    )
    return socket
  }
  const firstResponse = async (socket: Socket): Promise<string> => String(((await once(socket, 'data')) as [Buffer])[0])

  /** Sends a whole body of 7 MiB. */
  const send = async (key: string): Promise<string> => {
    const response = await fetch(`http://127.0.0.1:${port}/`, {
      method: 'POST',
      headers: { authorization: key, 'content-type': 'application/json' },
      body: JSON.stringify('x'.repeat(7 * mib)),
    })
    return response.text()
  }

  it('A2: is not reserved for what is not read, and not for callers without a key', async () => {
    const begun = [
      ...Array.from({ length: 6 }, () => begin('GET', undefined, 4 * mib)),
      ...Array.from({ length: 6 }, () => begin('GET', 'one', 4 * mib)),
    ]
    for (const socket of begun) expect(await firstResponse(socket)).toMatch(/^HTTP\/1\.1 200 /)
    for (let index = 0; index < 6; index += 1) begin('POST', undefined, 4 * mib)
    expect(await send('one')).toBe('stored')
  })

  it('A2: comes back with the response, though the body has not come', async () => {
    for (let index = 0; index < 4; index += 1) {
      expect(await firstResponse(begin('POST', 'one', 9 * mib))).toContain('FST_ERR_CTP_BODY_TOO_LARGE')
    }
    expect(await send('one')).toBe('stored')
  })

  it('A2: is shared among keys, and comes back from who stands still', async () => {
    const slow = [begin('POST', 'one', 4 * mib), begin('POST', 'one', 4 * mib)]
    const closed = slow.map((socket) => once(socket, 'close'))
    const ends = slow.map(firstResponse)
    // They hold their memory when a third gets none.
    expect(await firstResponse(begin('POST', 'one', 4 * mib))).toContain('RATE_LIMITED')
    expect(await send('two')).toBe('stored')
    for (const end of ends) expect(await end).toMatch(/^HTTP\/1\.1 408 /)
    await Promise.all(closed)
    expect(await send('one')).toBe('stored')
  })
})
