import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { connect, type Socket } from 'node:net'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { startStack, type Stack } from '../support/stack.js'
import { waitFor } from '../support/wait-for.js'

const half = Buffer.alloc(4 * 1_048_576, 'a')
/** A body that is large enough to be counted. */
const large = { items: [], pad: 'x'.repeat(100_000) }

describe('requests before their body is read', () => {
  let stack: Stack
  let port: number
  beforeAll(async () => {
    stack = await startStack({ broker: 'postgres', workers: 0, env: { HTTP_MAX_CONNECTIONS: '500' } })
    port = Number(new URL(stack.url).port)
  })
  afterAll(() => stack.stop())

  const open = (): Socket => {
    const socket = connect(port, '127.0.0.1')
    socket.on('error', () => undefined)
    return socket
  }

  /** Sends text, and bytes after it; resolves with everything received when the server ends the connection. */
  const send = async (head: readonly string[], body: Buffer | string = ''): Promise<string> => {
    const socket = open()
    let received = ''
    socket.on('data', (data) => (received += String(data)))
    socket.write(`${head.join('\r\n')}\r\n\r\n`)
    socket.write(body)
    // An error is the server's way to end it, too.
    await new Promise((resolve) => socket.once('close', resolve))
    return received
  }

  const post = (path: string, ...headers: string[]) => [
    `POST ${path} HTTP/1.1`,
    'Host: x',
    'Content-Type: application/json',
    ...headers,
  ]
  const residentKb = () => Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${stack.api.pid}/status`, 'utf8'))?.[1])

  it('A2: are refused without a key whatever stands in the body, and the connection of who goes on sending ends', async () => {
    for (const path of ['/v1/predictions', '/v1/batches', '/v1/tasks', '/v1/nothing']) {
      const response = await fetch(stack.url + path, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: '{bad',
      })
      expect([path, response.status]).toEqual([path, 401])
    }
    const response = await send(post('/v1/batches', `Content-Length: ${2 * half.length}`), half)
    expect(response).toMatch(/^HTTP\/1\.1 401 Unauthorized\r\n[^]*connection: close\r\n[^]*ACCESS_KEY_MISSING/)
  })

  it('A2: are not asked for their body before their key is known', async () => {
    const expecting = ['Expect: 100-continue', 'Content-Length: 2', 'Connection: close']
    expect(await send(post('/v1/predictions', ...expecting))).toMatch(/^HTTP\/1\.1 401 /)
    const known = await send(post('/v1/predictions', `Authorization: Bearer ${stack.key}`, ...expecting), '{}')
    expect(known).toMatch(/^HTTP\/1\.1 100 Continue\r\n\r\nHTTP\/1\.1 422 /)
  })

  it.runIf(process.platform === 'linux')('A2: take no memory without a key, however many are half sent', async () => {
    const sendHalves = () =>
      Promise.all(
        Array.from({ length: 300 }, () => send(post('/v1/batches', `Content-Length: ${2 * half.length}`), half)),
      )
    // The first requests of a process enlarge its heap, whatever they send.
    await sendHalves()
    const before = residentKb()
    const responses = await sendHalves()
    expect(responses.filter((response) => response.startsWith('HTTP/1.1 401 '))).toHaveLength(300)
    expect(residentKb() - before).toBeLessThan(50 * 1024)
  })

  it('A2: reserve no memory where no body is read, with a key or without', async () => {
    const json = ['Content-Type: application/json', `Content-Length: ${half.length}`]
    for (let count = 0; count < 60; count += 1) {
      const [path, ...more] = count % 2 ? ['/livez'] : ['/v1/predictions', `Authorization: Bearer ${stack.key}`]
      const socket = open()
      socket.write(`${[`GET ${path} HTTP/1.1`, 'Host: x', ...json, ...more].join('\r\n')}\r\n\r\n`)
      const [response] = (await once(socket, 'data')) as [Buffer]
      expect([path, String(response).slice(0, 12)]).toEqual([path, 'HTTP/1.1 200'])
      socket.destroy()
    }
    expect((await stack.request('POST', '/v1/batches', large)).status).toBe(422)
  })

  it('A2: share a bounded memory with a key, of which no key has more than half', async () => {
    const { body } = await stack.request('POST', '/v1/api-keys', { name: 'other', role: 'submitter' })
    const other = String(body['key'])
    const keys = [...Array<string>(30).fill(stack.key), ...Array<string>(30).fill(other)]
    const sockets = keys.map(open)
    const responses = keys.map(() => '')
    sockets.forEach((socket, index) => {
      socket.on('data', (data) => (responses[index] += String(data)))
      const head = post('/v1/batches', `Authorization: Bearer ${keys[index]}`, `Content-Length: ${2 * half.length}`)
      socket.write(`${head.join('\r\n')}\r\n\r\n`)
      socket.write(half)
    })
    // 48 MiB have room for six bodies of 8 MiB, three of each key.
    await waitFor(() => responses.filter((response) => response !== '').length >= 54, {
      what: 'the others to be rejected',
    })
    const rejected = responses.filter((response) => /^HTTP\/1\.1 429 [^]*\r\nretry-after: \d/i.test(response))
    expect(rejected).toHaveLength(54)
    // What stands still is ended, though its sender holds the connection.
    await waitFor(() => responses.filter((response) => response.startsWith('HTTP/1.1 408 ')).length === 6, {
      what: 'the slow ones to be ended',
      timeoutMs: 30_000,
    })
    expect((await stack.request('POST', '/v1/batches', large)).status).toBe(422)
    sockets.forEach((socket) => socket.destroy())
  })

  it('A2: come over a bounded number of connections', async () => {
    const sockets = Array.from({ length: 520 }, open)
    const isClosed = sockets.map(() => false)
    sockets.forEach((socket, index) => socket.once('close', () => (isClosed[index] = true)))
    await waitFor(() => isClosed.filter(Boolean).length >= 20, { what: 'those beyond the limit to be closed' })
    sockets.forEach((socket) => socket.destroy())
    await waitFor(async () => (await fetch(`${stack.url}/livez`)).ok, { what: 'room for others' })
  })

  it.runIf(process.platform === 'linux')(
    'A2: of one address leave room for others, and for who has a key',
    async () => {
      const streaming = await fetch(`${stack.url}/v1/events`, { headers: { authorization: `Bearer ${stack.key}` } })
      const reader = streaming.body?.getReader()
      await reader?.read()
      const sockets = Array.from({ length: 600 }, open)
      let closed = 0
      for (const socket of sockets) {
        socket.once('close', () => (closed += 1))
        socket.resume().write('GET /livez HTTP/1.1\r\nHost: x\r\n\r\n')
      }
      await waitFor(() => closed >= 100, { what: 'the longest waiting to be closed' })
      for (let count = 0; count < 20; count += 1) {
        const probe = connect({ port, host: '127.0.0.1', localAddress: '127.0.0.2' })
        probe.write('GET /livez HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n')
        expect(String(((await once(probe, 'data')) as [Buffer])[0])).toMatch(/^HTTP\/1\.1 200 /)
      }
      await stack.request('POST', '/v1/predictions', { user_id: 1, health_metrics: { age: 70 } })
      const { value } = (await reader?.read()) ?? {}
      expect(new TextDecoder().decode(value)).toContain('task.')
      await reader?.cancel()
      for (const socket of sockets) socket.destroy()
      await waitFor(async () => (await fetch(`${stack.url}/livez`)).ok, { what: 'room for others' })
    },
  )

  it.runIf(process.platform === 'linux')('A2: take no time and no memory for who does not read', async () => {
    await fetch(`${stack.url}/openapi.json`)
    const before = residentKb()
    const requests = 'GET /openapi.json HTTP/1.1\r\nHost: x\r\n\r\n'
    const sockets = Array.from({ length: 300 }, open)
    for (const socket of sockets) socket.pause().write(requests.repeat(8))
    const flood = open()
    flood.write(requests.repeat(30))
    await once(flood.resume(), 'close')
    const begun = performance.now()
    expect((await fetch(`${stack.url}/livez`)).status).toBe(200)
    expect(performance.now() - begun).toBeLessThan(2_000)
    expect(residentKb() - before).toBeLessThan(100 * 1024)
    for (const socket of sockets) socket.destroy()
  })
})
