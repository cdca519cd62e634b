import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { startNameServer, type NameServer } from '../../../../test/support/name-server.js'
import { HostResolver } from './host-resolver.js'

/** How long the resolver waits for a first response, in milliseconds. */
const slowMs = 500

describe('B9: a slow name', () => {
  let server: NameServer
  let resolver: HostResolver
  beforeAll(async () => {
    server = await startNameServer()
    resolver = new HostResolver([server.address], slowMs)
  })
  afterAll(() => server.close())

  const resolve = (name: string) => resolver.find(name)

  it('delays no other, is asked for once at a time, and ends', async () => {
    const slow = Array.from({ length: 50 }, (_, index) =>
      resolve(`slow${index % 10}.example`).catch((error: NodeJS.ErrnoException) => error.code),
    )
    // Before the first of the slow ones ends.
    expect(await Promise.race([...slow, resolve('fast.example')])).toEqual([{ address: '192.0.2.7', family: 4 }])
    expect(new Set(await Promise.all(slow))).toEqual(new Set(['ETIMEOUT']))
    // Two addresses, two tries.
    expect(server.asked.filter((name) => name === 'slow0.example').length).toBeLessThanOrEqual(4)
  })

  it('is not resolved where the hosts file has it', async () => {
    expect((await resolve('localhost')).map(({ address }) => address)).toContain('127.0.0.1')
    expect(server.asked).not.toContain('localhost')
  })

  it('that nobody knows has no address', async () => {
    await expect(resolve('nothing.invalid')).rejects.toMatchObject({ syscall: 'getaddrinfo' })
  })
})
