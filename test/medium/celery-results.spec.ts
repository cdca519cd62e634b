import { deflateSync } from 'node:zlib'
import { CeleryConnections, CeleryResults, celeryError, storedException } from '#libs/celery'
import { describe, expect, it } from 'vitest'
import { CeleryRedis, failed, plainCall, succeeded } from '../support/celery-redis.js'
import { hasRedis, startRedis } from '../support/redis-server.js'
import { useCeleryRedis } from '../support/use-celery-redis.js'
import { waitFor } from '../support/wait-for.js'

const time = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}\+00:00$/
const key = 'celery-task-meta-my-own-id'

describe.runIf(hasRedis())('results of Celery', () => {
  const redis = useCeleryRedis()

  const call = plainCall('my-own-id')
  const done = [undefined]

  it('are stored with their time to live and published as the same text', async () => {
    const subscriber = redis.backend.duplicate()
    await subscriber.subscribe(key)
    const heard: string[] = []
    subscriber.on('message', (_channel, text: string) => heard.push(text))
    const members = { group: 'g', parentId: 'p' }
    expect(await redis.results(100).finish([succeeded({ ...call, ...members }, { ok: true })])).toEqual(done)
    await waitFor(() => heard.length > 0, { what: 'the published result' })
    subscriber.disconnect()
    const text = await redis.backend.get(key)
    expect(heard).toEqual([text])
    expect(Object.entries(JSON.parse(text ?? '') as object)).toEqual([
      ['status', 'SUCCESS'],
      ['result', { ok: true }],
      ['traceback', null],
      ['children', []],
      ['date_done', expect.stringMatching(time)],
      ['group_id', 'g'],
      ['parent_id', 'p'],
      ['task_id', 'my-own-id'],
    ])
    expect(await redis.backend.ttl(key)).toBeGreaterThan(98)
  })

  it('that never expire have no time to live', async () => {
    await redis.results(0).finish([succeeded(call, 1)])
    expect(await redis.backend.ttl(key)).toBe(-1)
  })

  it('hold the exception of a failure and the reason of a revocation', async () => {
    const exception = celeryError('TaskRevokedError', 'expired')
    const revoked = { request: plainCall('late'), outcome: { state: 'REVOKED' as const, exception } }
    expect(await redis.results().finish([failed(call), revoked])).toEqual([undefined, undefined])
    expect(await redis.meta('my-own-id')).toMatchObject({
      status: 'FAILURE',
      result: { exc_type: 'ValueError', exc_message: ['boom'], exc_module: 'builtins' },
      traceback: 'ValueError: boom',
      date_done: expect.stringMatching(time),
    })
    expect(await redis.meta('late')).toMatchObject({
      status: 'REVOKED',
      result: { exc_type: 'TaskRevokedError', exc_message: ['expired'], exc_module: 'celery.exceptions' },
      traceback: null,
    })
  })

  it('keep numbers that JSON does not have', async () => {
    await redis.results().finish([succeeded(call, [Number.NaN, 2n ** 60n, -Infinity])])
    expect(await redis.backend.get(key)).toContain('"result": [NaN, 1152921504606846976, -Infinity]')
  })

  it('are preceded by states without an end', async () => {
    await redis.results().storeState(call, 'STARTED', { pid: 7, hostname: 'memoryguard@host' })
    const started = { status: 'STARTED', result: { pid: 7, hostname: 'memoryguard@host' }, date_done: null }
    expect(await redis.meta('my-own-id')).toMatchObject(started)
    const error = storedException(celeryError('TimeoutError', 'later'))
    await redis.results().storeState(call, 'RETRY', error)
    expect(await redis.meta('my-own-id')).toMatchObject({ status: 'RETRY', result: error })
  })

  it('leave no key when the caller ignores them', async () => {
    const ignored = { ...call, ignoreResult: true }
    await redis.results().storeState(ignored, 'STARTED', {})
    expect(await redis.results().finish([succeeded(ignored, 1), failed(ignored)])).toEqual([undefined, undefined])
    expect(await redis.backend.keys('*')).toEqual([])
  })

  const compressed = (text: string) =>
    Buffer.concat([Buffer.from('\0celery-compressed\0application/x-gzip\0'), deflateSync(text)])

  it.each([
    ['as Celery writes it', '{"status": "SUCCESS", "result": 1}'],
    ['without spaces', '{"status":"SUCCESS","result":1}'],
    ['in another order', '{"result": 1, "status": "SUCCESS"}'],
    ['compressed', compressed('{"status": "SUCCESS", "result": 1}')],
  ])('do not replace a SUCCESS %s', async (_name, stored) => {
    await redis.backend.set(key, stored)
    await redis.results().storeState(call, 'STARTED', {})
    expect(await redis.results().finish([failed(call)])).toEqual(done)
    expect(await redis.backend.getBuffer(key)).toEqual(Buffer.from(stored))
  })

  it.each([
    '{"status": "STARTED", "result": "SUCCESS"}',
    '{"result": 1}',
    'no JSON',
    compressed('{"status": "FAILURE"}'),
    compressed('['),
  ])('replace %s', async (stored) => {
    await redis.backend.set(key, stored)
    expect(await redis.results().finish([succeeded(call, 2)])).toEqual(done)
    expect(await redis.meta('my-own-id')).toMatchObject({ status: 'SUCCESS', result: 2 })
  })

  it.each(['FAILURE', 'REVOKED'])('do not say that a task has started whose %s is there', async (status) => {
    const stored = JSON.stringify({ status, result: null })
    await redis.backend.set(key, stored)
    await redis.results().storeState(call, 'STARTED', {})
    expect(await redis.backend.get(key)).toBe(stored)
  })

  it('stand under the prefix of keys, and are published there', async () => {
    const prefixed = new CeleryRedis(redis.server, '?global_keyprefix=clinic_')
    await prefixed.results().finish([succeeded({ ...call, callbacks: [{ task: 'reports.send' }] }, 1)])
    expect(await redis.backend.keys('*')).toEqual([`clinic_${key}`])
    expect((await redis.broker.keys('*')).sort()).toEqual([
      'clinic_memoryguard.followed.my-own-id.next',
      'clinic_reports',
    ])
    prefixed.close()
  })

  it('that cannot be stored are named, and are stored when they are finished again', async () => {
    const other = await startRedis()
    const urls = {
      brokerUrl: `redis://127.0.0.1:${redis.server.port}/1`,
      resultBackend: `redis://127.0.0.1:${other.port}/2`,
    }
    const connections = new CeleryConnections(urls)
    const results = new CeleryResults(connections, { expiresSeconds: 60 })
    await results.storeState(call, 'STARTED', {})
    await other.kill()
    const ended = [succeeded(call, 1), succeeded({ ...call, id: 'ignored', ignoreResult: true }, 2)]
    expect(await results.finish(ended)).toEqual([expect.any(Error), undefined])
    await other.restart()
    await waitFor(async () => (await results.finish(ended)).every((error) => error === undefined), { what: 'results' })
    expect(await connections.backend.get(key)).toContain('"SUCCESS"')
    connections.close()
    await other.stop()
  })
})
