import { once } from 'node:events'
import { createServer, type RequestListener, type Server } from 'node:http'
import type { AddressInfo, LookupFunction } from 'node:net'
import { afterEach, describe, expect, it } from 'vitest'
import { checkedLookup } from './checked-lookup.js'
import { HostResolver } from './host-resolver.js'
import { postMessage } from './post-message.js'

const resolver = new HostResolver()
const servers: Server[] = []
afterEach(() => {
  for (const server of servers.splice(0)) {
    server.closeAllConnections()
    server.close()
  }
})

const serve = async (listener: RequestListener): Promise<string> => {
  const server = createServer(listener)
  servers.push(server)
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

const post = (url: string, more: { timeoutMs?: number; lookup?: LookupFunction } = {}) =>
  postMessage({
    url,
    headers: { 'webhook-id': 'm' },
    body: '{"é":1}',
    timeoutMs: more.timeoutMs ?? 5_000,
    lookup: more.lookup ?? checkedLookup(resolver, true),
    mayBePrivate: more.lookup === undefined,
    signal: new AbortController().signal,
  })

describe('posting a message', () => {
  it('sends the whole body and returns the status', async () => {
    let seen = ''
    const url = await serve((request, response) => {
      request.setEncoding('utf8').on('data', (part: string) => {
        seen += part
      })
      request.on('end', () => {
        seen += request.headers['content-type'] ?? ''
        response.writeHead(202).end('thank you')
      })
    })
    expect(await post(url)).toBe(202)
    expect(seen).toBe('{"é":1}application/json')
  })

  it('follows no redirect', async () => {
    let visits = 0
    const url = await serve((_, response) => {
      visits += 1
      response.writeHead(302, { location: '/elsewhere' }).end()
    })
    expect([await post(url), visits]).toEqual([302, 1])
  })

  it('reads no endless response', async () => {
    const url = await serve((_, response) => {
      const more = () => {
        while (response.write(Buffer.alloc(16_384)));
      }
      response.writeHead(200)
      response.on('drain', more)
      more()
    })
    expect(await post(url)).toBe(200)
  })

  it('waits no longer than it may, also for the rest of a response', async () => {
    const silent = await serve(() => undefined)
    await expect(post(silent, { timeoutMs: 50 })).rejects.toMatchObject({ name: 'TimeoutError' })
    const slow = await serve((_, response) => void response.writeHead(200).write('x'))
    await expect(post(slow, { timeoutMs: 100 })).rejects.toMatchObject({ name: 'TimeoutError' })
  })

  it('takes an offer to speak another protocol for no response', async () => {
    const url = await serve((request) => {
      request.socket.end('HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: other\r\n\r\n')
    })
    await expect(post(url)).rejects.toThrow('without a response')
  })

  it.each([
    'http://1.1.1.1/',
    'https://127.0.0.1/',
    'https://[::1]/',
    'https://[::ffff:7f00:1]/',
    'https://2130706433/',
  ])('refuses %s', async (url) => {
    await expect(post(url, { lookup: checkedLookup(resolver, false) })).rejects.toMatchObject({
      name: 'AddressRefusedError',
    })
  })

  it('refuses a name at the moment of the connection, whatever it resolved to before', async () => {
    let isRebound = false
    const asked: boolean[] = []
    const find = async () => {
      asked.push(isRebound)
      if (!isRebound) throw Object.assign(new Error('no network'), { code: 'ENOTFOUND' })
      return [{ address: '127.0.0.1', family: 4 }]
    }
    const lookup = checkedLookup({ find }, false)
    await expect(post('https://rebinding.test/', { lookup })).rejects.toMatchObject({ code: 'ENOTFOUND' })
    isRebound = true
    await expect(post('https://rebinding.test/', { lookup })).rejects.toMatchObject({ name: 'AddressRefusedError' })
    expect(asked).toEqual([false, true])
  })
})
