import { hostname } from 'node:os'
import { CeleryConnections, CeleryEvents, LogicalClock } from '#libs/celery'
import { createLogger, productVersion } from '#libs/platform'
import { Redis } from 'ioredis'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { hasRedis, startRedis, type RedisServer } from '../support/redis-server.js'
import { waitFor } from '../support/wait-for.js'

const name = `mg@${hostname()}`

interface Received {
  readonly channel: string
  readonly headers: unknown
  readonly body: Readonly<Record<string, unknown>> | readonly Readonly<Record<string, unknown>>[]
}

describe.runIf(hasRedis())('events of a worker for those who watch Celery', () => {
  let redis: RedisServer
  const ends: (() => unknown)[] = []
  beforeAll(async () => {
    redis = await startRedis()
  })
  afterAll(() => redis.stop())
  afterEach(async () => {
    for (const end of ends.splice(0).reverse()) await end()
  })

  const open = async (sendsTasks = false) => {
    const url = `redis://127.0.0.1:${redis.port}/1`
    const received: Received[] = []
    const watcher = new Redis(url, { retryStrategy: () => 20 })
    watcher.on('error', () => undefined)
    watcher.on('pmessage', (_pattern, channel, text) => {
      const { body, headers } = JSON.parse(text) as { body: string; headers: unknown }
      received.push({ channel, headers, body: JSON.parse(Buffer.from(body, 'base64').toString()) as Received['body'] })
    })
    await watcher.psubscribe('/1.celeryev/*')
    const connections = new CeleryConnections({ brokerUrl: url, resultBackend: url })
    const options = { name, clock: new LogicalClock(), sendsTasks, read: () => ({ active: 2, processed: 7 }) }
    const events = new CeleryEvents(connections, options, createLogger('worker', 'silent'))
    ends.push(
      () => watcher.disconnect(),
      () => connections.close(),
    )
    const isReceived = (channel: string) =>
      waitFor(() => received.find((event) => event.channel === `/1.celeryev/${channel}`), { what: channel })
    const tasks = () => received.flatMap(({ body }) => (Array.isArray(body) ? body : []))
    return { events, received, isReceived, tasks }
  }

  it('announce it, beat every two seconds, and take leave', async () => {
    const { events, received, isReceived } = await open()
    events.start()
    const { body, headers } = await isReceived('worker.online')
    expect(headers).toEqual({ hostname: name })
    expect(body).toEqual({
      type: 'worker-online',
      hostname: name,
      utcoffset: Math.floor(new Date().getTimezoneOffset() / 60),
      pid: process.pid,
      clock: 1,
      timestamp: expect.closeTo(Date.now() / 1000, -1),
      freq: 2,
      active: 2,
      processed: 7,
      loadavg: [expect.any(Number), expect.any(Number), expect.any(Number)],
      sw_ident: 'memoryguard',
      sw_ver: productVersion,
      sw_sys: 'Linux',
    })
    await isReceived('worker.heartbeat')
    await events.stop()
    await isReceived('worker.offline')
    expect(received.map(({ channel }) => channel.split('.')[2])).toEqual(['online', 'heartbeat', 'offline'])
    const clocks = received.map((event) => ('clock' in event.body ? event.body.clock : undefined))
    expect(clocks).toEqual([1, 2, 3])
  })

  it('tell of tasks only while somebody wants it, together, and never with arguments or results', async () => {
    const { events, tasks } = await open()
    events.task('early', { type: 'task-started' })
    expect([events.sendTasks(true), events.sendTasks(true)]).toEqual([true, false])
    const eta = new Date('2026-01-01T10:00:00Z')
    events.task('t', { type: 'task-received', task: 'ml.health_check', rootId: 'r', parentId: null, retries: 1, eta })
    events.task('t', { type: 'task-started' })
    events.task('t', { type: 'task-retried', exception: "OSError('x')" })
    events.task('t', { type: 'task-succeeded', runtimeSeconds: 0.5 })
    events.task('u', { type: 'task-failed', exception: "OSError('x')", traceback: 'Traceback' })
    events.task('v', { type: 'task-revoked', terminated: true, expired: false })
    events.task('w', { type: 'task-rejected' })
    await waitFor(() => tasks().length === 7, { what: 'the events of tasks' })
    const common = { hostname: name, pid: process.pid, timestamp: expect.any(Number), utcoffset: expect.any(Number) }
    expect(tasks()).toEqual(
      [
        {
          type: 'task-received',
          uuid: 't',
          name: 'ml.health_check',
          args: '(...)',
          kwargs: '{...}',
          root_id: 'r',
          parent_id: null,
          retries: 1,
          eta: '2026-01-01T10:00:00.000+00:00',
          expires: null,
        },
        { type: 'task-started', uuid: 't' },
        { type: 'task-retried', uuid: 't', exception: "OSError('x')", traceback: '' },
        { type: 'task-succeeded', uuid: 't', result: '{...}', runtime: 0.5 },
        { type: 'task-failed', uuid: 'u', exception: "OSError('x')", traceback: 'Traceback' },
        { type: 'task-revoked', uuid: 'v', terminated: true, signum: 'SIGTERM', expired: false },
        { type: 'task-rejected', uuid: 'w', requeue: false },
      ].map((event, index) => ({ ...common, clock: index + 1, ...event })),
    )
    events.sendTasks(false)
    events.task('late', { type: 'task-started' })
    await events.stop()
    expect(tasks()).toHaveLength(7)
  })

  it('wait while Redis is gone, as many as fit, and are sent when it is back', async () => {
    const { events, tasks } = await open(true)
    events.start()
    events.task('first', { type: 'task-started' })
    await waitFor(() => tasks().length === 1, { what: 'an event before' })
    await redis.kill()
    for (let count = 0; count < 1_500; count += 1) events.task(`t${count}`, { type: 'task-started' })
    await redis.restart()
    await waitFor(() => tasks().some(({ uuid }) => uuid === 't1499'), { what: 'the events of the time between' })
    expect(tasks().length).toBeLessThanOrEqual(1_100)
    await events.stop()
  })
})
