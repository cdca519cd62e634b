import { CeleryResults, type CeleryConnections, type EndedCall, type Signature } from '#libs/celery'
import type { ChainableCommander, Redis } from 'ioredis'
import { describe, expect, it } from 'vitest'
import {
  callsOf,
  celeryReleases,
  CeleryRedis,
  failed,
  plainCall,
  queueOf,
  recordedCanvas,
  succeeded,
} from '../support/celery-redis.js'
import { hasRedis } from '../support/redis-server.js'
import { useCeleryRedis } from '../support/use-celery-redis.js'

describe.runIf(hasRedis())('what follows a call of Celery', () => {
  const redis = useCeleryRedis()

  const finish = async (...ended: readonly EndedCall[]) => {
    expect((await redis.results().finish(ended)).filter(Boolean)).toEqual([])
    return redis.published()
  }
  const task = (name: string, more: Partial<Signature> = {}): Signature => ({ task: name, ...more })
  const call = plainCall('first', { rootId: 'root' })

  describe.each(celeryReleases)('sent by a client of %s', (release) => {
    const recorded = (name: Parameters<typeof recordedCanvas>[1]) => callsOf(recordedCanvas(release, name))

    it('is the next step of a chain, with the rest of it', async () => {
      const [first] = recorded('chain')
      const [second] = await finish(succeeded(first ?? call, { status: 'healthy' }))
      expect(second).toMatchObject({
        task: 'ml.update_forecasts',
        args: [{ status: 'healthy' }],
        request: { parentId: first?.id, rootId: first?.id, chain: [{ task: 'reports.collect' }] },
      })
      expect(await redis.meta(first?.id ?? '')).toMatchObject({ children: [[[second?.id, null], null]] })
      await redis.broker.flushdb()
      const [third] = await finish(succeeded(second?.request ?? call, 2))
      expect(third).toMatchObject({ args: [2], request: { parentId: second?.id, rootId: first?.id, chain: [] } })
    })

    it('fails with it, as far as the chain goes', async () => {
      const [first] = recorded('chain')
      expect(await finish(failed(first ?? call))).toEqual([])
      for (const step of first?.chain ?? []) {
        expect(await redis.meta(String(step.options?.['task_id']))).toMatchObject({
          status: 'FAILURE',
          result: { exc_type: 'ValueError', exc_message: ['boom'] },
        })
      }
      await redis.empty()
      await finish(failed({ ...(first ?? call), ignoreResult: true }))
      expect(await redis.backend.keys('*')).toEqual([])
    })

    it('is a chord in a chain, whose body goes on with the chain', async () => {
      const [first] = recorded('chordInChain')
      const header = await finish(succeeded(first ?? call, 'x'))
      const group = header[0]?.request.group ?? ''
      expect(header).toMatchObject([
        { task: 'ml.update_forecasts', args: ['x'], request: { group, groupIndex: 0 } },
        { task: 'patterns.detect', args: ['x'], request: { group, groupIndex: 1 } },
      ])
      expect(await redis.backend.get(`celery-taskset-meta-${group}.s`)).toBe('2')
      const tuples = header.map(({ id }) => [[id, null], null])
      expect(await redis.meta(first?.id ?? '')).toMatchObject({ children: [[[group, null], tuples]] })
      await redis.broker.flushdb()
      const [body] = await finish(...header.map(({ request }, at) => succeeded(request, at)))
      expect(body).toMatchObject({ task: 'reports.collect', args: [[0, 1]], request: { rootId: first?.id } })
      await redis.broker.flushdb()
      expect(await finish(succeeded(body?.request ?? call, 'all'))).toMatchObject([
        { task: 'reports.send', args: ['all'] },
      ])
    })

    it('are callbacks after a success, and errbacks after a failure', async () => {
      const [linked] = recorded('links')
      const callbacks = await finish(succeeded(linked ?? call, 5))
      const group = callbacks[0]?.request.group
      expect(callbacks).toMatchObject([
        { task: 'reports.collect', args: [5], request: { group, groupIndex: 0, parentId: linked?.id } },
        { task: 'reports.send', args: ['now'], request: { group, groupIndex: 1, parentId: linked?.id } },
      ])
      await redis.empty()
      expect(await finish(failed(linked ?? call))).toMatchObject([
        { task: 'reports.alert', args: [linked?.id], request: { parentId: linked?.id, rootId: linked?.id } },
      ])
    })
  })

  it('is a chord that was called before: it starts anew, but only once', async () => {
    const options = { task_id: 'again' }
    const kwargs = { kwargs: {}, header: [task('a.x')], body: task('b.y') }
    const ended = succeeded({ ...call, chain: [task('celery.chord', { kwargs, options, subtask_type: 'chord' })] }, 0)
    await redis.backend.set('celery-taskset-meta-again.c', 'done')
    const [part] = await finish(ended)
    expect(await redis.backend.keys('celery-taskset-meta-again*')).toEqual(['celery-taskset-meta-again.s'])
    await finish(succeeded(part?.request ?? call, 1))
    await finish(ended)
    expect(await redis.backend.keys('celery-taskset-meta-again*')).toEqual(['celery-taskset-meta-again.c'])
  })

  it('goes where its options say, with what they say', async () => {
    const later = '2126-01-01T00:00:00+00:00'
    const options = {
      task_id: 'own id',
      queue: 'night',
      priority: 7,
      eta: { __type__: 'datetime', __value__: later },
      expires: 60,
      time_limit: 30,
      soft_time_limit: 20,
      link: [task('a.b')],
      link_error: task('c.d'),
      stamped_headers: ['clinic'],
      clinic: 'north',
      reply_to: 'someone',
      headers: { tenant: 4 },
      shadow: 'shown',
      parent_id: 'ignored',
    }
    const [sent] = await finish(
      succeeded({ ...call, callbacks: [task('x.y', { args: [1], kwargs: { k: 2 }, options })] }, 0),
    )
    expect(sent).toMatchObject({
      list: 'night\x06\x166',
      id: 'own id',
      args: [0, 1],
      kwargs: { k: 2 },
      eta: new Date(later),
      limits: { hardSeconds: 30, softSeconds: 20 },
      properties: { priority: 7, reply_to: 'someone', expiration: '60000', delivery_info: { routing_key: 'night' } },
      request: {
        parentId: 'first',
        rootId: 'root',
        stampedHeaders: ['clinic'],
        stamps: { clinic: 'north' },
        callbacks: [{ task: 'a.b' }],
        errbacks: [{ task: 'c.d' }],
      },
    })
    const [raw] = await redis.broker.lrange('night\x06\x166', 0, -1)
    expect(JSON.parse(raw ?? '')).toMatchObject({ headers: { tenant: 4, shadow: 'shown' } })
  })

  it('cannot be called: the call has failed, with its errbacks', async () => {
    const callbacks = [task('celery.chain', { kwargs: { tasks: [] }, subtask_type: 'chain' })]
    const published = await finish(succeeded({ ...call, callbacks, errbacks: [task('reports.alert')] }, 0))
    expect(published).toMatchObject([{ task: 'reports.alert', args: ['first'] }])
    expect(await redis.meta('first')).toMatchObject({ status: 'FAILURE', result: { exc_type: 'TypeError' } })
  })

  const body = { task: 'reports.collect', options: { task_id: 'body', link_error: [task('reports.alert')] } }
  const part = (at: number) => plainCall(`part ${at}`, { group: 'chord', groupIndex: at, chord: body })
  const steps = [
    task('celery.group', { kwargs: { tasks: [task('a.x'), task('b.y')] }, subtask_type: 'group' }),
    task('reports.collect'),
  ]
  const chain = task('celery.chain', { kwargs: { tasks: steps }, subtask_type: 'chain' })
  const cases: readonly (readonly [string, readonly EndedCall[]])[] = [
    ['a success', [succeeded({ ...part(0), callbacks: [chain, task('c.z')], chain: [task('d.w')] }, 1)]],
    [
      'a failure',
      [failed({ ...part(0), errbacks: [task('reports.alert')], chain: [task('d.w', { options: { task_id: 'w' } })] })],
    ],
    ['the last part', [succeeded(part(0), 0), succeeded(part(1), 1)]],
    ['the last part of a chord that fails', [succeeded(part(0), 0), failed(part(1))]],
  ]
  const cuts = ['before', 'after'] as const

  it.each(cases.flatMap(([name, ended]) => cuts.map((cut) => [name, cut, ended] as const)))(
    'is published once after %s, when Redis is lost %s any command',
    async (_name, cut, ended) => {
      const run = async (commands: number) => {
        await redis.empty()
        await redis.backend.set('celery-taskset-meta-chord.s', 2)
        const { connections, left } = losing(redis.connections, commands, cut)
        const errors = await new CeleryResults(connections, { expiresSeconds: 3600, queueOf }).finish(ended)
        expect(errors.some(Boolean)).toBe(left() < 0)
        const published = await finish(...ended)
        await finish(...ended)
        expect(await redis.published()).toEqual(published)
        const metas = (await redis.backend.keys('celery-task-meta-*')).sort()
        return { isComplete: left() >= 0, published: published.map(withoutTag), metas }
      }
      const whole = await run(1000)
      expect(whole.isComplete).toBe(true)
      expect(whole.published.length).toBeGreaterThan(0)
      for (let commands = 0; ; commands += 1) {
        const { isComplete, ...rest } = await run(commands)
        expect(rest).toEqual({ published: whole.published, metas: whole.metas })
        if (isComplete) break
        expect(commands).toBeLessThan(50)
      }
    },
  )

  /** Everything of a message but the tag of its delivery and the time of its publishing. */
  const withoutTag = ({ properties, ...rest }: Awaited<ReturnType<CeleryRedis['published']>>[number]) => {
    const { delivery_tag: _tag, ...more } = properties
    return { ...rest, properties: more }
  }
})

/** Connections of which a number of round trips work; later ones fail, the first of them after or before it is made. */
const losing = (connections: CeleryConnections, trips: number, cut: 'before' | 'after') => {
  let left = trips
  const attempt = async (trip: () => unknown): Promise<unknown> => {
    left -= 1
    if (left >= 0) return trip()
    if (cut === 'after' && left === -1) await trip()
    throw new Error('the connection is lost')
  }
  const replaced = <Target extends object>(
    target: Target,
    replace: (name: string | symbol, call: Call) => Call,
  ): Target =>
    new Proxy(target, {
      get: (from, name) => {
        const value = Reflect.get(from, name) as unknown
        return typeof value === 'function' ? replace(name, (...args) => Reflect.apply(value, from, args)) : value
      },
    })
  const pipelineOf = (pipeline: ChainableCommander) =>
    replaced(pipeline, (name, call) => (name === 'exec' ? () => attempt(call) : call))
  const wrap = (client: Redis) =>
    replaced(client, (name, call) => {
      if (name === 'pipeline') return () => pipelineOf(client.pipeline())
      return (...args) => attempt(() => call(...args))
    })
  const { broker, backend } = connections
  const lost = Object.create(connections, { broker: { value: wrap(broker) }, backend: { value: wrap(backend) } })
  return { connections: lost as CeleryConnections, left: () => left }
}

type Call = (...args: unknown[]) => unknown
