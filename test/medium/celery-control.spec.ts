import { CeleryConnections, CeleryControl, LogicalClock } from '#libs/celery'
import { createLogger } from '#libs/platform'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { openCeleryMailbox } from '../support/celery-mailbox.js'
import { hasRedis, startRedis, type RedisServer } from '../support/redis-server.js'
import { startTcpProxy } from '../support/tcp-proxy.js'
import { waitFor } from '../support/wait-for.js'

const name = 'mg@host'

interface OpenOptions {
  readonly port?: number
  readonly query?: string
  readonly keyPrefix?: string
  /** What it replies to a worker that starts. */
  readonly revoked?: unknown
}

describe.runIf(hasRedis())('the mailbox of a worker for Celery commands', () => {
  let redis: RedisServer
  const ends: (() => unknown)[] = []
  let workers = 0
  beforeAll(async () => {
    redis = await startRedis()
  })
  afterAll(() => redis.stop())
  afterEach(async () => {
    for (const end of ends.splice(0).reverse()) await end()
    workers = 0
  })

  /** A worker that replies with the command it got, and a caller. */
  const open = async ({ port = redis.port, query = '', keyPrefix = '', revoked }: OpenOptions = {}) => {
    const url = (to: number) => `redis://127.0.0.1:${to}/1`
    const brokerUrl = url(port) + query
    const connections = new CeleryConnections({ brokerUrl, resultBackend: brokerUrl })
    const clock = new LogicalClock()
    const learned: string[] = []
    const handle = async (method: string, given: object) =>
      method === 'hello' ? { revoked, clock: 500 } : { method, given }
    const learnRevoked = async (ids: readonly string[]) => learned.push(...ids)
    const options = { name, clock, handle, learnRevoked }
    const control = new CeleryControl(connections, options, createLogger('worker', 'silent'))
    control.start()
    const mailbox = await openCeleryMailbox(url(redis.port), keyPrefix)
    ends.push(
      async () => {
        await mailbox.redis.flushdb()
        mailbox.close()
      },
      () => connections.close(),
      () => control.stop(),
    )
    workers += 1
    await waitFor(async () => (await mailbox.send('ready')) === workers, { what: 'the worker to subscribe' })
    return { mailbox, clock, learned }
  }

  it('replies to the queue that the caller has bound, with its ticket', async () => {
    const { mailbox, clock } = await open()
    const reply = await mailbox.ask('ping', { arguments: { x: [1] }, clock: 1_000 })
    expect(reply?.body).toEqual({ [name]: { method: 'ping', given: { x: [1] } } })
    expect(reply?.headers).toEqual({ ticket: expect.stringMatching(/^[\da-f-]{36}$/), clock: expect.any(Number) })
    expect(reply?.headers['clock']).toBeGreaterThan(1_001)
    expect(clock.value).toBeGreaterThanOrEqual(Number(reply?.headers['clock']))
    expect(reply?.properties).toMatchObject({ delivery_mode: 1, delivery_info: { exchange: 'reply.celery.pidbox' } })
  })

  it('learns from the others what is revoked, when it starts', async () => {
    await open({ revoked: ['a', 'b'] })
    await open({ revoked: { b: [24491.6, 'b'], c: [24491.7, 'c'] } })
    const { learned, clock, mailbox } = await open({ revoked: null })
    await waitFor(() => learned.length > 0, { what: 'the replies of the others' })
    expect(learned.sort()).toEqual(['a', 'b', 'c'])
    expect(clock.value).toBeGreaterThan(500)
    const isTidy = async () => (await mailbox.redis.keys('*.reply.celery.pidbox')).length === 1
    await waitFor(isTidy, { what: 'only the table of bindings to be left' })
  })

  it('lets replies expire that nobody fetches, and sends none where nothing is bound', async () => {
    const { mailbox } = await open()
    expect(await mailbox.ask('ping', { routingKey: 'nobody' })).toBeUndefined()
    expect(await mailbox.redis.keys('nobody*')).toEqual([])
    await mailbox.redis.sadd(
      '_kombu.binding.reply.celery.pidbox',
      'gone\u0006\u0016\u0006\u0016gone.reply.celery.pidbox',
    )
    await mailbox.ask('ping', { routingKey: 'gone' })
    const left = await mailbox.redis.pttl('gone.reply.celery.pidbox')
    expect(left).toBeGreaterThan(50_000)
    expect(left).toBeLessThanOrEqual(60_000)
    await mailbox.redis.del('gone.reply.celery.pidbox')
  })

  it('obeys destination, glob and pcre', async () => {
    const { mailbox } = await open()
    const isAsked = async (more: object) => (await mailbox.ask('ping', more)) !== undefined
    expect(await isAsked({ destination: ['other@host', name] })).toBe(true)
    expect(await isAsked({ destination: ['other@host'] })).toBe(false)
    expect(await isAsked({ pattern: 'm?@*', matcher: 'glob' })).toBe(true)
    expect(await isAsked({ pattern: 'n*', matcher: 'glob' })).toBe(false)
    expect(await isAsked({ pattern: '(mg|py)@', matcher: 'pcre' })).toBe(true)
    expect(await isAsked({ pattern: '(', matcher: 'pcre' })).toBe(false)
    expect(await isAsked({})).toBe(true)
  })

  it('works with a global_keyprefix', async () => {
    const { mailbox } = await open({ query: '?global_keyprefix=hospital[1]*', keyPrefix: 'hospital[1]*' })
    expect((await mailbox.ask('ping'))?.body).toEqual({ [name]: { method: 'ping', given: {} } })
  })

  it('survives what is no command', async () => {
    const { mailbox } = await open()
    for (const raw of ['', 'x', '{}', '{"body":"bm8="}', JSON.stringify({ body: btoa('[1]') })])
      await mailbox.publish(raw)
    await mailbox.redis.publish('/1.celeryev/worker.heartbeat', 'x')
    expect(await mailbox.ask('ping')).toBeDefined()
  })

  it('keeps its clock ahead of the clocks of other workers', async () => {
    const { mailbox, clock } = await open()
    const body = Buffer.from(JSON.stringify({ type: 'worker-heartbeat', clock: 1_000 })).toString('base64')
    const raw = JSON.stringify({ body, properties: { body_encoding: 'base64' } })
    await mailbox.redis.publish('/1.celeryev/worker.heartbeat', raw)
    await waitFor(() => clock.value > 1_000, { what: 'the clock to advance' })
  })

  it('receives commands again after Redis was gone', async () => {
    const { mailbox } = await open()
    await redis.kill()
    await redis.restart()
    await waitFor(() => mailbox.ask('ping'), { what: 'a reply after the restart' })
  })

  it('connects again when its connection leads nowhere', async () => {
    const proxy = await startTcpProxy(redis.port)
    ends.push(() => proxy.close())
    const { mailbox } = await open({ port: proxy.port })
    proxy.silence()
    await waitFor(() => mailbox.ask('ping'), { what: 'a reply over a new connection' })
  })
})
