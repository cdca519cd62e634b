import { createSocket, type Socket } from 'node:dgram'
import type { LookupAddress } from 'node:dns'
import { once } from 'node:events'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { HostResolver } from './host-resolver.js'

/** How long the resolver waits for a first answer, in milliseconds. */
const slowMs = 500

/** The name in a question of DNS, and where the question ends. */
const readQuestion = (message: Buffer) => {
  const labels: string[] = []
  let at = 12
  for (let length = message[at] ?? 0; length > 0; length = message[at] ?? 0) {
    labels.push(message.toString('latin1', at + 1, at + 1 + length))
    at += 1 + length
  }
  return { name: labels.join('.'), type: message.readUInt16BE(at + 1), end: at + 5 }
}

/** A name server that knows `fast` (192.0.2.7, no IPv6), never answers for `slow`, and knows nothing else. */
const startNameServer = async (asked: string[]): Promise<Socket> => {
  const server = createSocket('udp4')
  server.on('message', (message, from) => {
    const { name, type, end } = readQuestion(message)
    asked.push(name)
    if (name.startsWith('slow')) return
    const isKnown = name.startsWith('fast')
    const answers = isKnown && type === 1 ? 1 : 0
    const header = Buffer.from(message.subarray(0, 12))
    header.writeUInt16BE(isKnown ? 0x8180 : 0x8183, 2)
    header.writeUInt16BE(answers, 6)
    header.writeUInt32BE(0, 8)
    const record = Buffer.from([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 192, 0, 2, 7])
    server.send(
      Buffer.concat([header, message.subarray(12, end), ...(answers ? [record] : [])]),
      from.port,
      from.address,
    )
  })
  server.bind(0, '127.0.0.1')
  await once(server, 'listening')
  return server
}

describe('B9: a slow name', () => {
  const asked: string[] = []
  let server: Socket
  let resolver: HostResolver
  beforeAll(async () => {
    server = await startNameServer(asked)
    resolver = new HostResolver([`127.0.0.1:${server.address().port}`], slowMs)
  })
  afterAll(() => server.close())

  const resolve = (name: string) =>
    new Promise<LookupAddress[]>((succeed, fail) => {
      resolver.resolve(name, { all: true }, (error, addresses) => (error ? fail(error) : succeed(addresses)))
    })

  it('delays no other, is asked for once at a time, and ends', async () => {
    const slow = Array.from({ length: 50 }, (_, index) =>
      resolve(`slow${index % 10}.example`).catch((error: NodeJS.ErrnoException) => error.code),
    )
    // Before the first of the slow ones ends.
    expect(await Promise.race([...slow, resolve('fast.example')])).toEqual([{ address: '192.0.2.7', family: 4 }])
    expect(new Set(await Promise.all(slow))).toEqual(new Set(['ETIMEOUT']))
    // Two addresses, two tries.
    expect(asked.filter((name) => name === 'slow0.example').length).toBeLessThanOrEqual(4)
  })

  it('is not looked for where the hosts file has it', async () => {
    expect((await resolve('localhost')).map(({ address }) => address)).toContain('127.0.0.1')
    expect(asked).not.toContain('localhost')
  })

  it('that nobody knows has no address', async () => {
    await expect(resolve('nothing.invalid')).rejects.toMatchObject({ syscall: 'getaddrinfo' })
  })
})
