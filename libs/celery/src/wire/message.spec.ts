import { gzipSync, deflateSync } from 'node:zlib'
import { describe, expect, it } from 'vitest'
import { encodeMessage } from './encode-message.js'
import { decodeMessage } from './message.js'

const origin = 'gen1@host'
const call = { id: 'my-own-id', task: 'ml.process_prediction', origin, queue: 'celery', priority: 3 }
const metrics = { mmse_score: 24, age: 72 }

interface Wrapped {
  body: string
  headers: Record<string, unknown>
  properties: Record<string, unknown>
}
/** A message as kombu writes it, with what a test changes of it. */
const changed = (change: (message: Wrapped) => void): string => {
  const message = JSON.parse(encodeMessage({ ...call, args: [1, 123, metrics], kwargs: {} })) as Wrapped
  change(message)
  return JSON.stringify(message)
}
const toBase64 = (value: unknown) =>
  Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)).toString('base64')
const decode = (raw: string) => decodeMessage(raw, 'celery')
const messageOf = (raw: string) => {
  const decoded = decode(raw)
  if ('reason' in decoded) throw new Error(decoded.reason)
  return decoded.message
}
const reasonOf = (raw: string) => {
  const decoded = decode(raw)
  return 'reason' in decoded ? decoded.reason : undefined
}

describe('a message of protocol 2', () => {
  it('has the call, its options and what follows from it', () => {
    const link = {
      task: 'ml.generate_explanation',
      args: [],
      kwargs: {},
      options: { task_id: 'next' },
      immutable: false,
    }
    const message = messageOf(
      encodeMessage({
        ...call,
        args: [1],
        kwargs: { user_id: 123 },
        eta: '2026-01-01T10:00:00.250000+00:00',
        expires: '2026-01-01T12:00:00',
        group: 'g',
        groupIndex: 2,
        retries: 1,
        timelimit: [30, 10],
        rootId: 'root',
        parentId: 'parent',
        ignoreResult: true,
        callbacks: [link],
        errbacks: [],
        chain: [link],
        chord: link,
      }),
    )
    expect(message).toMatchObject({
      id: 'my-own-id',
      task: 'ml.process_prediction',
      args: [1],
      kwargs: { user_id: 123 },
      eta: new Date('2026-01-01T10:00:00.250Z'),
      // A time without an offset is in UTC.
      expires: new Date('2026-01-01T12:00:00Z'),
      limits: { hardSeconds: 30, softSeconds: 10 },
      request: {
        group: 'g',
        groupIndex: 2,
        retries: 1,
        rootId: 'root',
        parentId: 'parent',
        ignoreResult: true,
        queue: 'celery',
        priority: 3,
        callbacks: [link],
        chain: [link],
        chord: link,
      },
    })
  })

  it.each(['application/x-gzip'])('is unpacked when it is %s', (compression) => {
    const body = deflateSync(JSON.stringify([[1, 123, metrics], {}, {}])).toString('base64')
    const raw = changed((message) => {
      message.body = body
      message.headers['compression'] = compression
    })
    expect(messageOf(raw).args).toEqual([1, 123, metrics])
  })

  it('may hold NaN and whole numbers of any length', () => {
    const raw = changed((message) => {
      message.body = toBase64('[[9007199254740993, NaN], {}, {}]')
    })
    expect(messageOf(raw).args).toEqual([9007199254740993n, Number.NaN])
  })
})

it('a message of protocol 1 has everything in its body', () => {
  const raw = changed((message) => {
    message.headers = {}
    message.body = toBase64({
      task: 'ml.update_forecasts',
      id: 'x',
      args: [7],
      kwargs: {},
      retries: 0,
      eta: null,
      taskset: 'g',
    })
  })
  expect(messageOf(raw)).toMatchObject({ id: 'x', task: 'ml.update_forecasts', args: [7], request: { group: 'g' } })
})

it.each<readonly [string, RegExp, (message: Wrapped & { 'content-type'?: string }) => void]>([
  ['pickle', /pickled; only JSON is read/, (message) => (message['content-type'] = 'application/x-python-serialize')],
  ['truncated JSON', /body is not JSON/, (message) => (message.body = toBase64('[[1, 123'))],
  ['a body that is no list', /must be a list/, (message) => (message.body = toBase64({ a: 1 }))],
  ['arguments that are no list', /positional arguments/, (message) => (message.body = toBase64([1, {}, {}]))],
  ['keywords that are no object', /keyword arguments/, (message) => (message.body = toBase64([[], [], {}]))],
  ['no id', /no id/, (message) => (message.headers['id'] = null)],
  ['a time that is none', /eta is not a time/, (message) => (message.headers['eta'] = 'tomorrow')],
  ['an unknown compression', /not known/, (message) => (message.headers['compression'] = 'application/x-bz2')],
  [
    'what is not compressed',
    /cannot be unpacked/,
    (message) => (message.headers['compression'] = 'application/x-gzip'),
  ],
  [
    "gzip's own format, which kombu does not write",
    /cannot be unpacked/,
    (message) => {
      message.headers['compression'] = 'application/x-gzip'
      message.body = gzipSync('[[],{},{}]').toString('base64')
    },
  ],
  [
    'arguments that are nested deeper than Python reads',
    /nested too deep/,
    (message) => (message.body = toBase64(`[[${'['.repeat(100_000)}${']'.repeat(100_000)}], {}, {}]`)),
  ],
  ['an id with half of a character', /half of a character/, (message) => (message.headers['id'] = '\ud800')],
  ['no task anywhere', /no id|no task/, (message) => Object.assign(message, { headers: {}, body: toBase64({}) })],
])('a message with %s has a reason', (_, words, change) => {
  expect(reasonOf(changed(change))).toMatch(words)
})

it('a message whose fields are of other kinds than kombu writes has none of them', () => {
  const odd = { toString: 1, valueOf: 1 }
  const raw = changed(({ headers, properties }) => {
    Object.assign(headers, { retries: odd, group_index: odd, stamped_headers: [odd, 'visit'], stamps: { visit: odd } })
    Object.assign(properties, { priority: odd })
  })
  expect(messageOf(raw).request).toMatchObject({ priority: 0, retries: 0, groupIndex: null, stampedHeaders: ['visit'] })
})

it('the length of a message is that of its text, however well it is packed', () => {
  const args = [1, 123, { x: 'x'.repeat(1e6) }]
  const raw = changed((message) => {
    message.headers['compression'] = 'application/x-gzip'
    message.body = deflateSync(JSON.stringify([args, {}, {}])).toString('base64')
  })
  expect(raw.length).toBeLessThan(10_000)
  expect(decode(raw).length).toBeGreaterThan(1e6)
})

it('what is no message of kombu has a reason and no heading', () => {
  for (const raw of ['', 'x', '[]', 'null', '{}', '{"body": 1}']) expect(reasonOf(raw)).toBeDefined()
  expect(decode('x').heading).toEqual({ id: undefined, task: undefined, queue: 'celery', deliveryTag: undefined })
})

it('a reason has the heading, so that the caller gets a failure', () => {
  const raw = changed((message) => (message.body = 'AAAA'))
  expect(decode(raw).heading).toMatchObject({ id: 'my-own-id', task: 'ml.process_prediction' })
})
