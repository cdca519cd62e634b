import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { request as send } from 'node:http'
import type { AddressInfo } from 'node:net'
import { setTimeout as pause } from 'node:timers/promises'
import { createLogger } from '#libs/platform'
import { fastify, type FastifyInstance } from 'fastify'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { RequestWithPrincipal } from '../../apps/api/src/access/access.js'
import { streamCheckMs, type CredentialCache } from '../../apps/api/src/access/credential-cache.js'
import { EventStreams } from '../../apps/api/src/events/event-streams.js'
import { createCredentialCache } from '../support/credential-cache.js'
import { insertKey, query } from '../support/query.js'
import { createTestDatabase, type TestDatabase } from '../support/test-database.js'
import { waitFor } from '../support/wait-for.js'

/** Has no events. */
async function* silentEvents() {
  await new Promise<void>(() => undefined)
  yield { event: 'task.running', data: {} }
}

/** Never silent for as long as a heartbeat. */
async function* busyEvents() {
  for (let id = 0; ; id += 1) {
    await pause(10)
    yield { id: String(id), event: 'task.running', data: {} }
  }
}

describe('a stream of events', () => {
  let database: TestDatabase
  let keys: CredentialCache
  let streams: EventStreams
  const app: FastifyInstance = fastify()
  let opened = 0
  const late: boolean[] = []
  const start = () => {
    opened += 1
    return { events: busyEvents() }
  }
  beforeAll(async () => {
    database = await createTestDatabase({ env: { EVENTS_HEARTBEAT_SECONDS: '0.2' } })
    keys = createCredentialCache(database).cache
    const log = createLogger('test', 'silent')
    streams = new EventStreams(keys, database.config, log)
    // As the admission of requests leaves it.
    app.addHook('onRequest', (request: RequestWithPrincipal, _reply, done) => {
      request.principal = { id: randomUUID(), name: 'test', role: 'viewer', userId: null, method: 'key' }
      done()
    })
    app.get('/events', (request, reply) => streams.serve(request, reply, start))
    const silent = new EventStreams(keys, { ...database.config, events: { heartbeatSeconds: 600 } }, log)
    app.get('/silent', (request, reply) => silent.serve(request, reply, () => ({ events: silentEvents() })))
    app.get('/late', async (request, reply) => {
      late.push(false)
      await once(reply.raw, 'close')
      await streams.serve(request, reply, start)
      late.push(true)
    })
    await app.listen({ host: '127.0.0.1', port: 0 })
  })
  afterAll(async () => {
    streams.beforeApplicationShutdown()
    await app.close()
    await database.drop()
  })

  const ask = (path: string, key: string, scheme = 'Bearer ') => {
    const { port } = app.server.address() as AddressInfo
    return send({ host: '127.0.0.1', port, path, headers: { authorization: `${scheme}${key}` } }).end()
  }

  it('ends soon after its key was revoked, however busy it is', async () => {
    const key = await insertKey(database.url, { role: 'viewer' })
    const [response] = await once(ask('/events', key), 'response')
    let text = ''
    response.setEncoding('utf8').on('data', (part: string) => (text += part))
    const ended = once(response, 'end')
    await waitFor(() => text.includes('id: 40\n'), { what: 'events for longer than a heartbeat' })
    await query(database.url, 'UPDATE api_keys SET revoked_at = now()')
    keys.clear()
    await ended
  })

  it.each(['Bearer ', 'Bearer  ', 'bearer \t'])(
    'A9: ends within 5 s of its key being revoked elsewhere, however silent it is and after %j',
    async (scheme) => {
      const key = await insertKey(database.url, { role: 'viewer' })
      const client = ask('/silent', key, scheme)
      const [response] = await once(client, 'response')
      const ended = once(response.resume(), 'end')
      // Two checks of the key: the stream is let live while the key is valid.
      await pause(2 * streamCheckMs)
      expect(response.readableEnded).toBe(false)
      await query(database.url, 'UPDATE api_keys SET revoked_at = now()')
      await ended
    },
    5_000 + 2 * streamCheckMs,
  )

  it('is not opened for a client that is gone', async () => {
    const before = opened
    const client = ask('/late', 'any')
    client.on('error', () => undefined)
    await waitFor(() => late.length === 1, { what: 'the request' })
    client.destroy()
    await waitFor(() => late.length === 2, { what: 'the response' })
    expect(opened).toBe(before)
  })
})
