import { CeleryConnections, CeleryQueues, encodeMessage } from '#libs/celery'
import { createLogger } from '#libs/platform'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { OrphanedCalls } from '../../apps/worker/src/celery/orphaned-calls.js'
import { startRedis, type RedisServer } from '../support/redis-server.js'

const names = ['ml.process_prediction']

describe("messages in Celery's lists", () => {
  let server: RedisServer
  let connections: CeleryConnections
  let queues: CeleryQueues
  beforeAll(async () => {
    server = await startRedis()
    const url = `redis://127.0.0.1:${server.port}/1`
    connections = new CeleryConnections({ brokerUrl: url, resultBackend: url })
    queues = new CeleryQueues(connections)
  })
  afterEach(() => connections.broker.flushall())
  afterAll(async () => {
    connections.close()
    await server.stop()
  })

  const message = (id: string, task = names[0] ?? '', priority = 0) =>
    encodeMessage({ id, task, args: [[], {}], kwargs: {}, origin: 'test', queue: 'celery', priority })
  const send = (raw: string, list = 'celery') => connections.broker.lpush(list, raw)
  const idOf = (raw: string) => (JSON.parse(raw) as { headers: { id: string } }).headers.id
  const tagOf = (raw: string) => (JSON.parse(raw) as { properties: { delivery_tag: string } }).properties.delivery_tag
  const claim = async (most = 10, look = 100) =>
    (await queues.claim(['celery', 'other'], names, most, look)).map(({ raw }) => raw)

  it('are taken in the order of priorities, queues and time, with a note of each as kombu writes it', async () => {
    for (const [id, list, priority] of [
      ['a', 'celery', 0],
      ['b', 'celery', 0],
      ['c', 'celery\u0006\u00163', 3],
      ['d', 'other', 0],
      ['e', 'celery\u0006\u00169', 9],
    ] as const)
      await send(message(id, names[0], priority), list)
    const taken = await claim()
    expect(taken.map(idOf)).toEqual(['a', 'b', 'd', 'c', 'e'])
    const [first = ''] = taken
    expect(JSON.parse(String(await connections.broker.hget('unacked', tagOf(first))))).toEqual([
      JSON.parse(first),
      '',
      'celery',
    ])
    await queues.acknowledge(taken.map(tagOf))
    expect(await connections.broker.keys('*')).toEqual([])
  })

  it('are passed over when they are of others, as far as is looked', async () => {
    for (let index = 0; index < 50; index += 1) await send(message(`p${index}`, 'patterns.find'))
    await send(message('ours'))
    expect(await claim(1, 50)).toEqual([])
    expect((await claim(1, 51)).map(idOf)).toEqual(['ours'])
    expect((await connections.broker.lrange('celery', 0, -1)).map(idOf)).toEqual(
      Array.from({ length: 50 }, (_, index) => `p${49 - index}`),
    )
  })

  it('are given back as they came, to be served next', async () => {
    const raws = ['a', 'b', 'c'].map((id) => message(id))
    for (const raw of raws) await send(raw)
    const taken = await claim(2)
    await queues.giveBack(taken.map(tagOf))
    expect(await claim()).toEqual(raws)
  })

  it('are given back to the queue that is bound to their routing key, whatever its name', async () => {
    const raw = JSON.stringify({
      ...(JSON.parse(message('a')) as object),
      properties: { delivery_tag: 'tag/1', delivery_info: { exchange: 'ml/x', routing_key: 'ml.a/b' }, priority: 3 },
    })
    await connections.broker.sadd(
      '_kombu.binding.ml/x',
      'ml.other\u0006\u0016\u0006\u0016celery',
      'ml.a/b\u0006\u0016\u0006\u0016other',
    )
    await send(raw, 'other\u0006\u00163')
    expect(await claim()).toEqual([raw])
    await queues.giveBack(['tag/1'])
    expect(await connections.broker.lrange('other\u0006\u00163', 0, -1)).toEqual([raw])
  })

  it('are given back by another gateway when nobody keeps them, and only then', async () => {
    await send(message('a'))
    const [raw = ''] = await claim()
    expect(await queues.giveBackLost(1)).toBe(0)
    await connections.broker.zadd('memoryguard.unacked', 1, tagOf(raw))
    expect(await queues.keep([tagOf(raw)])).toEqual([])
    expect(await queues.giveBackLost(1)).toBe(0)
    await connections.broker.zadd('memoryguard.unacked', 1, tagOf(raw))
    expect(await queues.giveBackLost(1)).toBe(1)
    expect(await claim()).toEqual([raw])
  })

  it.each([
    ['no place', null],
    ['a number for its place', 5],
    ['no routing key', { exchange: '' }],
    ['an object for a routing key', { exchange: '', routing_key: {} }],
  ])('with %s are no message of kombu, and are left to those who look at these', async (_, info) => {
    const [odd, raw] = [JSON.parse(message('odd')) as { properties: Record<string, unknown> }, message('a')]
    odd.properties['delivery_info'] = info
    await send(JSON.stringify(odd))
    await send(raw)
    expect((await claim()).map(idOf)).toEqual(['a'])
    expect((await queues.peek(['celery'], 10, 'ml.')).messages.map((found) => idOf(found.raw))).toEqual(['odd'])
  })

  it('are given back however their notes are damaged: what is none is left to others', async () => {
    await send(message('a'))
    const [raw = ''] = await claim()
    for (const [tag, noted] of Object.entries({ x: 'no JSON', y: '5', z: '[{}, null, null]' })) {
      await connections.broker.hset('unacked', tag, noted)
      await connections.broker.zadd('memoryguard.unacked', 1, tag)
    }
    await connections.broker.zadd('memoryguard.unacked', 2, tagOf(raw))
    expect(await queues.giveBackLost(1)).toBe(1)
    expect(await claim()).toEqual([raw])
    expect(await connections.broker.zcard('memoryguard.unacked')).toBe(1)
  })

  it('are taken and given back also when Redis has no memory left', async () => {
    const raw = message('a')
    await send(raw)
    await send('no JSON')
    await connections.broker.config('SET', 'maxmemory', '1')
    await expect(send('more')).rejects.toThrow('OOM')
    expect(await claim()).toEqual([raw])
    await queues.giveBack([tagOf(raw)])
    const [stray] = (await queues.peek(['celery'], 10, 'ml.')).messages.filter((found) => found.raw === 'no JSON')
    expect(await (stray && queues.take(stray, { tag: 'x', exchange: '', routingKey: 'celery' }))).toBe(true)
    await connections.broker.config('SET', 'maxmemory', '0')
    expect(await claim()).toEqual([raw])
    expect(await connections.broker.hkeys('unacked')).toEqual(expect.arrayContaining([tagOf(raw), 'x']))
  })

  it('are given back in their order when the gateway that took them has died', async () => {
    const raws = Array.from({ length: 9 }, (_, index) => message(`m${index}`))
    for (const raw of raws) await send(raw)
    await claim()
    expect(await queues.giveBackLost(-1)).toBe(9)
    expect(await claim()).toEqual(raws)
  })

  it('are found among large ones of others, of which not all is read each time', async () => {
    const large = message('theirs', `patterns.${'x'.repeat(300_000)}`)
    const mine = Array.from({ length: 40 }, (_, index) => message(`m${index}`))
    for (const raw of mine) await connections.broker.lpush('celery', raw, large)
    // 12 MB, of which about one is read for 64 messages.
    expect((await claim(100, 64)).length).toBeLessThan(40)
    const rest = await claim(100, 10_000)
    expect(rest.at(-1)).toBe(mine.at(-1))
    expect(await connections.broker.llen('celery')).toBe(40)
  })

  it('that nobody may know are shown; of those of others the names', async () => {
    const old = JSON.stringify({ body: '', headers: {}, properties: {} })
    for (const raw of ['no JSON', old, message('a', 'ml.no_such_task'), message('b', 'patterns.find')]) await send(raw)
    const { messages, others } = await queues.peek(['celery'], 10, 'ml.')
    expect([messages.map(({ raw }) => raw).slice(0, 2), messages.length, others]).toEqual([
      ['no JSON', old],
      3,
      ['patterns.find'],
    ])
  })

  it('of a Celery worker that is gone are given back, those of others left alone', async () => {
    const [ours, theirs] = [message('ours'), message('theirs', 'patterns.find')]
    for (const raw of [ours, theirs]) {
      await connections.broker.hset('unacked', tagOf(raw), `[${raw}, "", "celery"]`)
      await connections.broker.zadd('unacked_index', Date.now() / 1000 - 4_000, tagOf(raw))
    }
    await new OrphanedCalls(connections, queues, createLogger('test', 'fatal')).giveBack()
    expect(await claim()).toEqual([ours])
    expect(await connections.broker.hexists('unacked', tagOf(theirs))).toBe(1)
  })
})
