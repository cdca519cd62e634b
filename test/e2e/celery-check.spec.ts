import { createServer } from 'node:http'
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { fileURLToPath } from 'node:url'
import { CeleryConnections, CeleryControl, encodeMessage, LogicalClock } from '#libs/celery'
import { createLogger, findFreePort } from '#libs/platform'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { CeleryCaller } from '../support/celery-caller.js'
import { query } from '../support/query.js'
import { hasRedis, startRedis } from '../support/redis-server.js'
import { runCommand } from '../support/run-command.js'
import { startStack, type Stack } from '../support/stack.js'
import { waitFor } from '../support/wait-for.js'

const canary = 'canary-argument'

interface Checked {
  readonly contents: {
    readonly workers: readonly {
      readonly name: string
      readonly software: string
      readonly queues: readonly string[]
    }[]
    readonly queues: readonly { readonly name: string; readonly length: number; readonly tasks: object }[]
    readonly clients: readonly object[]
    readonly later: object
    readonly unacked: object
  }
  readonly database: Readonly<Record<string, unknown>>
  readonly faults: readonly string[]
  readonly notes: readonly string[]
}

const check = async (env: NodeJS.ProcessEnv, ...flags: readonly string[]) => {
  const { code, out, err } = await runCommand(['celery', 'check', ...flags], { PATH: process.env['PATH'], ...env })
  expect(out + err).not.toContain('canary')
  return { code, out, err }
}
const read = async (env: NodeJS.ProcessEnv): Promise<Checked & { readonly code: number | null }> => {
  const { code, out, err } = await check(env, '--json')
  expect(err).toBe('')
  return { code, ...(JSON.parse(out) as Checked) }
}

/** A message of protocol 2 with something that must not be shown. */
const message = (task: string, more: Partial<Parameters<typeof encodeMessage>[0]> = {}) =>
  encodeMessage({
    id: task,
    task,
    args: [canary],
    kwargs: { canary },
    origin: 'gen7@web1',
    queue: 'celery',
    priority: 0,
    ...more,
  })

type Envelope = Record<string, unknown> & { headers: Record<string, unknown>; properties: Record<string, unknown> }
const changed = (raw: string, change: (envelope: Envelope) => void): string => {
  const envelope = JSON.parse(raw) as Envelope
  change(envelope)
  return JSON.stringify(envelope)
}

describe.runIf(hasRedis())('memoryguard celery check, without a worker of ours', () => {
  let caller: CeleryCaller
  let env: NodeJS.ProcessEnv
  const ends: (() => unknown)[] = []
  beforeAll(async () => {
    caller = await CeleryCaller.start()
    env = { ...caller.env, MEMORYGUARD_HOME: '/nonexistent' }
  })
  afterAll(() => caller.stop())
  afterEach(async () => {
    for (const end of ends.splice(0).reverse()) await end()
    await caller.broker.flushall()
  })

  it('needs to know the broker', async () => {
    expect(await check({})).toMatchObject({
      code: 1,
      out: '',
      err: expect.stringMatching(/^CELERY_BROKER_URL is not set/),
    })
  })

  it('explains in one sentence why a Redis cannot be used', async () => {
    const secured = await startRedis(['--requirepass', 'right'])
    const web = createServer((_, response) => response.end('no'))
    await once(web.listen(0, '127.0.0.1'), 'listening')
    ends.push(
      () => secured.stop(),
      () => web.close(),
    )
    const { port } = web.address() as AddressInfo
    const at = (url: string) => check({ CELERY_BROKER_URL: url, CELERY_RESULT_BACKEND: `${caller.redis.url}/2` })
    for (const [url, sentence] of [
      [
        `redis://:canary@127.0.0.1:${secured.port}/1`,
        /^The broker of Celery does not know this user and password .*Correct them in CELERY_BROKER_URL\.$/m,
      ],
      [`${secured.url}/1`, /^The broker of Celery asks for a password .*CELERY_BROKER_URL/m],
      [
        `${caller.redis.url}/99`,
        /^The broker of Celery has no database 99 for us .*at the end of CELERY_BROKER_URL\.$/m,
      ],
      [`rediss://127.0.0.1:${caller.redis.port}/1`, /^The broker of Celery .*does not speak TLS/m],
      [
        `redis://127.0.0.1:${port}/1`,
        /^(An HTTP server|Something) responds at .* not Redis\. Correct host and port in CELERY_BROKER_URL\.$/m,
      ],
      ['redis://127.0.0.1:1/1', /^The broker of Celery at 127\.0\.0\.1:1 does not respond \(connect ECONNREFUSED/m],
    ] as const) {
      expect(await at(url)).toMatchObject({ code: 1, err: expect.stringMatching(sentence) })
    }
    const backend = await check({
      CELERY_BROKER_URL: `${caller.redis.url}/1`,
      CELERY_RESULT_BACKEND: `${secured.url}/2`,
    })
    expect(backend).toMatchObject({
      code: 1,
      err: expect.stringMatching(/^The result backend of Celery asks for a password .*CELERY_RESULT_BACKEND/m),
    })
  })

  it('checks the certificate of a Redis as the options of Celery say', async () => {
    const tlsPort = await findFreePort('127.0.0.1')
    const file = (name: string) => fileURLToPath(new URL(`../fixtures/tls/${name}`, import.meta.url))
    const certificate = ['--tls-cert-file', file('certificate.pem'), '--tls-key-file', file('key.pem')]
    const secure = await startRedis(['--tls-port', String(tlsPort), ...certificate, '--tls-auth-clients', 'no'])
    ends.push(() => secure.stop())
    const at = (options: string) =>
      check({
        CELERY_BROKER_URL: `rediss://127.0.0.1:${tlsPort}/1${options}`,
        CELERY_RESULT_BACKEND: `${secure.url}/2`,
      })
    expect(await at('?ssl_cert_reqs=none')).toMatchObject({ code: 0 })
    expect(await at('')).toMatchObject({
      code: 1,
      err: expect.stringMatching(/^The certificate of the broker of Celery at .* is not accepted/m),
    })
  })

  it('names the right that a user of Redis lacks', async () => {
    const { redis, broker } = caller
    // Users of Redis 7 have no channels unless they are given some.
    await broker.call(
      'ACL',
      'SETUSER',
      'celery',
      'on',
      '>secret',
      '~*',
      '+@all',
      '-@dangerous',
      '+info',
      'resetchannels',
    )
    const url = `redis://celery:secret@127.0.0.1:${redis.port}`
    const { code, err } = await check({ CELERY_BROKER_URL: `${url}/1`, CELERY_RESULT_BACKEND: `${url}/2` })
    expect(code).toBe(1)
    expect(err).toMatch(
      /^The user of CELERY_BROKER_URL may not run PUBLISH on its keys and channels .*ACL SETUSER name ~\* &\* /m,
    )
    await broker.call('ACL', 'SETUSER', 'celery', '&*')
    expect((await check({ CELERY_BROKER_URL: `${url}/1`, CELERY_RESULT_BACKEND: `${url}/2` })).code).toBe(0)
  })

  it('says what waits, what nobody can take or read, and from which clients it is', async () => {
    const later = new Date(Date.now() + 7_200_000).toISOString()
    const old = (raw: string) =>
      changed(raw, ({ headers }) => {
        for (const name of ['stamped_headers', 'stamps', 'replaced_task_nesting']) delete headers[name]
        headers['origin'] = 'gen8@web2'
      })
    const pickled = (raw: string) =>
      changed(raw, (envelope) => (envelope['content-type'] = 'application/x-python-serialize'))
    await caller.send(message('ml.process_prediction'))
    await caller.send(message('ml.process_prediction', { priority: 9 }), 'celery\u0006\u00169')
    await caller.send(old(message('patterns.detect')))
    await caller.send(pickled(message('ml.process_prediction')))
    // What others send to their own workers is theirs.
    await caller.send(pickled(message('patterns.learn')))
    await caller.send(
      changed(message('ml.health_check'), ({ headers }) => (headers['compression'] = 'application/x-lzma')),
    )
    await caller.send(message('ml.process_prediction', { eta: later, queue: 'high' }), 'high')
    await caller.send('7', 'not-of-celery')
    await caller.broker.sadd('_kombu.binding.reports', 'reports\u0006\u0016\u0006\u0016reports')
    await caller.broker.sadd('_kombu.binding.celeryev', '#\u0006\u0016\u0006\u0016celeryev.1')
    const held = message('ml.process_prediction', { eta: later })
    await caller.broker.hset('unacked', 'tag', `[${held}, "", "celery"]`)
    await caller.broker.zadd('unacked_index', Date.now() / 1000 - 60, 'tag')
    const dump = async () => (await caller.readAll()).split('\n').sort().join('\n')
    const before = await dump()

    const { code, contents, faults, notes } = await read(env)
    expect(code).toBe(1)
    const queues = new Map(contents.queues.map(({ name, ...queue }) => [name, queue]))
    expect([...queues.keys()]).toEqual([
      'batch',
      'celery',
      'explanations',
      'forecasts',
      'high',
      'predictions',
      'reports',
    ])
    expect(queues.get('celery')).toMatchObject({
      length: 6,
      read: 6,
      tasks: { 'ml.process_prediction': 2, 'patterns.detect': 1, 'patterns.learn': 1 },
    })
    expect(contents.clients).toEqual([
      { release: 'Celery 5.3 or newer', messages: 7, hosts: ['web1'] },
      { release: 'Celery 5.2 or older', messages: 1, hosts: ['web2'] },
    ])
    expect(contents.later).toMatchObject({ messages: 1 })
    expect(contents.unacked).toMatchObject({ messages: 1, by_memoryguard: 0, later: { messages: 1 } })
    expect(new Set(faults)).toEqual(
      new Set([
        "1 message in celery cannot be read: The body is pickled; only JSON is read: set task_serializer = 'json'.",
        '1 message in celery cannot be read: The body is compressed in a way that is not known; gzip and brotli are.',
        'ml.process_prediction waits in celery, and no worker that replies takes it. Start a worker with CELERY_BROKER_URL.',
        'ml.process_prediction waits in high, which no worker serves. Add high to CELERY_QUEUES of the workers.',
        'patterns.learn waits in celery, and no worker that replies takes it. Start a Celery worker that has it, or stop sending it.',
        'patterns.detect waits in celery, and no worker that replies takes it. Start a Celery worker that has it, or stop sending it.',
        expect.stringMatching(
          /^1 message \(the oldest taken \d+ s ago\) is held by Celery workers that do not reply\./,
        ),
      ]),
    )
    expect(notes).toEqual(['No MemoryGuard worker replies here. Start one with CELERY_BROKER_URL.'])
    expect((await dump()) === before).toBe(true)

    const text = await check(env)
    expect(text.code).toBe(1)
    const timeless = (line: string) => line.replace(/\d+ s ago/, '')
    expect(text.err.trim().split('\n').map(timeless)).toEqual([...faults, `Note: ${notes[0]}`].map(timeless))
    expect(text.out).toMatch(/^queues:\n(?: .*\n)* {2}celery:\n {4}messages: 6\n/m)
  })

  it('tells Celery workers from ours, and knows what they take', async () => {
    const connections = new CeleryConnections({
      brokerUrl: `${caller.redis.url}/1`,
      resultBackend: `${caller.redis.url}/2`,
    })
    const replies: Record<string, unknown> = {
      report: { ok: '\nsoftware -> celery:5.2.7 (dawn-chorus) kombu:5.2.4 py:3.11.2\n' },
      active_queues: [{ name: 'celery', exchange: { name: 'celery' } }],
      registered: ['ml.process_prediction', 'patterns.detect [rate_limit=10/m]'],
      conf: { broker_transport_options: { visibility_timeout: 30 }, task_acks_late: true, task_time_limit: 1800 },
    }
    const handle = async (method: string) => replies[method] ?? null
    const options = { name: 'celery@old', clock: new LogicalClock(), handle, learnRevoked: async () => undefined }
    const control = new CeleryControl(connections, options, createLogger('worker', 'silent'))
    control.start()
    ends.push(
      () => connections.close(),
      () => control.stop(),
    )
    const subscribers = async () => (await caller.broker.pubsub('NUMSUB', '/1.celery.pidbox'))[1]
    await waitFor(async () => (await subscribers()) === 1, { what: 'the Celery worker' })
    await caller.send(message('patterns.detect'))
    await caller.send(message('ml.process_prediction'))
    await waitFor(async () => (await caller.broker.keys('*pidbox*')).length === 0, { what: 'its greeting to end' })

    const { code, contents, faults, notes } = await read(env)
    expect([code, faults]).toEqual([0, []])
    expect(contents.workers).toMatchObject([
      {
        name: 'celery@old',
        software: 'celery 5.2.7',
        is_memoryguard: false,
        queues: ['celery'],
        visibility_timeout_seconds: 30,
      },
    ])
    expect(notes).toEqual([
      'No MemoryGuard worker replies here. Start one with CELERY_BROKER_URL.',
      'celery@old (celery 5.2.7) takes ml.* calls too: it computes them with the old code.',
      'celery@old hands out again after 30 s what it has not finished: its longer tasks run twice. Raise visibility_timeout above its time limit.',
      'patterns.detect in celery is taken by Celery workers alone: keep one of them until nobody sends it any more.',
    ])
    expect(await caller.broker.keys('*pidbox*')).toEqual([])
  })

  it('reads only the keys that begin with global_keyprefix', async () => {
    await caller.send(message('patterns.detect'))
    await caller.send(message('patterns.learn'), 'clinic:other')
    const { contents } = await read({ ...env, CELERY_BROKER_URL: `${caller.redis.url}/1?global_keyprefix=clinic:` })
    expect(contents.queues.filter(({ length }) => length > 0)).toMatchObject([
      { name: 'other', tasks: { 'patterns.learn': 1 } },
    ])
  })
})

describe.runIf(hasRedis())('memoryguard celery check, beside a worker of ours', () => {
  let caller: CeleryCaller
  let stack: Stack
  beforeAll(async () => {
    caller = await CeleryCaller.start()
    stack = await startStack({
      broker: 'postgres',
      logs: 'keep',
      env: { ...caller.env, CELERY_QUEUES: 'celery,high' },
    })
  })
  afterAll(async () => {
    await stack.stop()
    await caller.stop()
  })

  it('is content where all is well', async () => {
    const { code, contents, database, faults, notes } = await read(stack.env)
    expect([code, faults, notes]).toEqual([0, [], []])
    expect(contents.workers).toMatchObject([
      { name: 'worker1@test', software: 'memoryguard 0.1.0', is_memoryguard: true, queues: ['celery', 'high'] },
    ])
    expect(database).toMatchObject({ dead_letters: 0, results_not_published: 0 })
  })

  it('serves the queues of CELERY_QUEUES', async () => {
    expect(await caller.result(await caller.call('ml.health_check', [], { queue: 'high' }))).toMatchObject({
      status: 'SUCCESS',
    })
  })

  it('shows messages that could not be read, and results that are late', async () => {
    await caller.send(
      changed(message('ml.health_check', { id: 'unread' }), (envelope) => (envelope['content-type'] = 'text/plain')),
    )
    await caller.result('unread')
    await query(
      stack.databaseUrl,
      `INSERT INTO celery_calls (id, name, queue, gateway, failure, received_at, delivering_until)
       VALUES ('late', 'ml.health_check', 'celery', 'gone', '{}', now() - interval '90 s', now() + interval '1 hour')`,
    )
    const { code, database, faults } = await read(stack.env)
    expect(code).toBe(1)
    expect(database).toMatchObject({
      results_not_published: 1,
      dead_letters: 1,
      newest_dead_letters: [{ task: 'ml.health_check', queue: 'celery' }],
    })
    expect(faults).toEqual([
      expect.stringMatching(/^Messages of the last hour could not be read: The body is text\/plain/),
      expect.stringMatching(/^1 result is not published, the oldest for 9\d s\./),
    ])
  })

  it('a worker notes tasks of others that nobody takes, and stays ready', async () => {
    await caller.send(message('patterns.detect'))
    const [worker] = stack.workers
    const note =
      'Celery tasks that no worker takes wait in the queues: patterns.detect. Start a Celery worker that has them, or stop sending them.'
    const notes = async () => {
      const response = await fetch(`${worker?.healthUrl}/readyz`)
      const body = (await response.json()) as { readonly notes: readonly string[] }
      return response.status === 200 && body.notes.includes(note)
    }
    await waitFor(notes, { what: 'the note', timeoutMs: 40_000 })
    expect(
      stack
        .readLogs()
        .split('\n')
        .filter((line) => line.includes(note)),
    ).toHaveLength(1)
    expect(await caller.broker.llen('celery')).toBe(1)
  })
})
