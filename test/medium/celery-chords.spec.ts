import { deflateSync } from 'node:zlib'
import type { CallRequest } from '#libs/celery'
import { describe, expect, it } from 'vitest'
import {
  callsOf,
  celeryReleases,
  chordIdsOf,
  failed,
  plainCall,
  recordedCanvas,
  succeeded,
} from '../support/celery-redis.js'
import { hasRedis } from '../support/redis-server.js'
import { useCeleryRedis } from '../support/use-celery-redis.js'

describe.runIf(hasRedis()).each(celeryReleases)('a chord that a client of Celery %s has started', (release) => {
  const redis = useCeleryRedis()

  /** The parts of the recorded chord, its group and its keys. */
  const start = async (name: 'chord' | 'generatorChord' | 'nested' = 'chord') => {
    const canvas = recordedCanvas(release, name)
    await redis.load(canvas)
    const group = chordIdsOf(canvas)[0] ?? ''
    return { parts: callsOf(canvas), group, keyOf: (end: string) => `celery-taskset-meta-${group}${end}` }
  }
  const finish = async (part: CallRequest | undefined, result: unknown) => {
    if (!part) throw new Error('there is no such part')
    expect(await redis.results().finish([succeeded(part, result)])).toEqual([undefined])
  }
  const bodyOf = (parts: readonly CallRequest[]) => parts[0]?.chord?.options?.['task_id'] as string

  /** Counts a part as a worker of this release does. */
  const countElsewhere = async (
    part: CallRequest | undefined,
    member: string | Buffer,
    keyOf: (end: string) => string,
  ) => {
    const score = part?.groupIndex ?? '+inf'
    await redis.backend.zadd(keyOf('.j'), score, member)
    if (release !== '5.2.7') await redis.backend.sadd(keyOf('.d'), `${part?.id}:${score}`)
  }
  const memberOf = (part: CallRequest | undefined, result: string) => `[1, "${part?.id}", "SUCCESS", ${result}]`

  it('calls its body once, with the results in the order of its header', async () => {
    const { parts, keyOf } = await start()
    for (const at of [2, 0]) await finish(parts[at], `part ${at}`)
    expect(await redis.published()).toEqual([])
    await finish(parts[1], 'part 1')
    const published = await redis.published()
    expect(published).toMatchObject([
      {
        task: 'reports.collect',
        list: 'reports',
        args: [['part 0', 'part 1', 'part 2'], 'weekly'],
        request: { id: bodyOf(parts), parentId: parts[1]?.id, chord: null, errbacks: [{ task: 'reports.alert' }] },
      },
    ])
    expect(await redis.backend.keys(keyOf('*'))).toEqual([keyOf('.c')])
    // Late and double parts.
    for (const part of parts) await finish(part, 'again')
    await redis.backend.del(keyOf('.c'))
    for (const part of parts) await finish(part, 'much later')
    expect(await redis.published()).toEqual(published)
  })

  it('calls its body once when all parts finish twice at the same time', async () => {
    const { parts } = await start()
    const ended = parts.map((part, at) => succeeded(part, at))
    const both = await Promise.all([redis.results().finish(ended), redis.results().finish(ended.toReversed())])
    expect(both.flat()).toEqual(Array.from({ length: 6 }))
    expect(await redis.published()).toMatchObject([{ args: [[0, 1, 2], 'weekly'] }])
  })

  it('does not count a part twice that another worker has counted with another result', async () => {
    const { parts, keyOf } = await start()
    await countElsewhere(parts[0], memberOf(parts[0], '{"at": 1}'), keyOf)
    await finish(parts[0], { at: 2 })
    await finish(parts[1], null)
    expect(await redis.published()).toEqual([])
    await finish(parts[2], [])
    expect(await redis.published()).toMatchObject([{ args: [[{ at: 1 }, null, []], 'weekly'] }])
  })

  it('passes on what other workers have stored as it stands', async () => {
    const { parts, keyOf } = await start()
    const result = String.raw`[4.0, 1e400, NaN, 1180591620717411303424, "\u2603", {}]`
    await countElsewhere(parts[1], memberOf(parts[1], result), keyOf)
    const compressed = Buffer.from('\0celery-compressed\0application/x-gzip\0')
    await countElsewhere(parts[2], Buffer.concat([compressed, deflateSync(memberOf(parts[2], '2.0'))]), keyOf)
    await finish(parts[0], 1)
    const [raw] = await redis.broker.lrange('reports', 0, -1)
    const { body } = JSON.parse(raw ?? '') as { body: string }
    expect(Buffer.from(body, 'base64').toString()).toContain(`[[[1, ${result}, 2.0], "weekly"], {}, {`)
  })

  it.each([
    ['compressed in an unknown way', Buffer.from('\0celery-compressed\0application/x-lzma\0...')],
    ['damaged', Buffer.from('\0celery-compressed\0application/x-gzip\0...')],
    ['no JSON', '[1, "x", "SUCC'],
  ])('fails with its body when a part is %s', async (_name, member) => {
    const { parts, keyOf } = await start()
    await countElsewhere(parts[1], member, keyOf)
    await finish(parts[0], 0)
    await finish(parts[2], 2)
    expect(await redis.meta(bodyOf(parts))).toMatchObject({
      result: { exc_type: 'ChordError', exc_message: [expect.stringMatching(/^Join error: ValueError\('.+'\)$/)] },
    })
  })

  it('is left to the worker that counted the last part', async () => {
    const { parts, keyOf } = await start()
    await finish(parts[0], 0)
    for (const at of [1, 2]) await countElsewhere(parts[at], memberOf(parts[at], '1'), keyOf)
    if (release !== '5.2.7') await redis.backend.set(keyOf('.c'), 'token of the worker')
    for (const part of parts) await finish(part, 'late')
    expect(await redis.published()).toEqual([])
    expect(await redis.backend.zcard(keyOf('.j'))).toBe(3)
  })

  if (release !== '5.2.7')
    it('is taken over when the claim of a worker that died has expired', async () => {
      const { parts, keyOf } = await start()
      for (const part of parts) await countElsewhere(part, memberOf(part, '1'), keyOf)
      await finish(parts[1], 'delivered again')
      expect(await redis.published()).toMatchObject([{ args: [[1, 1, 1], 'weekly'] }])
    })

  it('counts tasks that were added to it', async () => {
    const { parts, keyOf } = await start()
    await redis.backend.set(keyOf('.t'), 1)
    for (const [at, part] of parts.entries()) await finish(part, at)
    expect(await redis.published()).toEqual([])
    await finish({ ...(parts[0] as CallRequest), id: 'added', groupIndex: 3 }, 3)
    expect(await redis.published()).toMatchObject([{ args: [[0, 1, 2, 3], 'weekly'] }])
  })

  it('made from a generator calls its body with every result', async () => {
    const { parts } = await start('generatorChord')
    for (const [at, part] of parts.entries()) await finish(part, at)
    const [body] = await redis.published()
    expect(body?.args[0]).toHaveLength(3)
    expect(body?.args[0]).toEqual(expect.arrayContaining([0, 1, 2]))
  })

  it.each(['FAILURE', 'REVOKED'] as const)('fails with its body when a part ends as %s', async (state) => {
    const { parts, keyOf } = await start()
    const failure = failed(parts[1] as CallRequest)
    const exception = { type: 'TaskRevokedError', module: 'celery.exceptions', args: ['terminated'] }
    const ended = state === 'FAILURE' ? failure : { ...failure, outcome: { state, exception } }
    expect(await redis.results().finish([ended])).toEqual([undefined])
    await finish(parts[0], 0)
    await finish(parts[2], 2)
    const raised = state === 'FAILURE' ? "ValueError('boom')" : "TaskRevokedError('terminated')"
    expect(await redis.meta(bodyOf(parts))).toMatchObject({
      status: 'FAILURE',
      result: {
        exc_type: 'ChordError',
        exc_module: 'celery.exceptions',
        exc_message: [`Dependency ${parts[1]?.id} raised ${raised}`],
      },
      traceback: expect.stringContaining('celery.exceptions.ChordError'),
    })
    for (const part of parts) await finish(part, 'late')
    expect(await redis.published()).toMatchObject([
      { task: 'reports.alert', args: [bodyOf(parts)], request: { parentId: bodyOf(parts), rootId: bodyOf(parts) } },
    ])
    expect(await redis.backend.exists(keyOf('.j'), keyOf('.s'), keyOf('.t'), keyOf('.memoryguard'))).toBe(0)
  })

  it('counts parts of which the result is ignored', async () => {
    const { parts } = await start()
    for (const part of parts) await finish({ ...part, ignoreResult: true }, 1)
    expect(await redis.published()).toMatchObject([{ args: [[1, 1, 1], 'weekly'] }])
    expect(await redis.backend.keys('celery-task-meta-*')).toEqual([])
  })

  it('keeps the structure of its header', async () => {
    const { parts, group } = await start('nested')
    const [head, other] = parts
    await finish(head, 'head')
    await finish(other, 'other')
    const inner = (await redis.published()).map(({ request }) => request)
    expect(inner).toMatchObject([
      { task: 'ml.update_forecasts', group, parentId: head?.id },
      { task: 'patterns.detect', group, parentId: head?.id },
    ])
    for (const part of inner) await finish(part, part.task)
    expect((await redis.published()).at(-1)).toMatchObject({
      task: 'reports.collect',
      args: [[['ml.update_forecasts', 'patterns.detect'], 'other']],
    })
  })

  it('with a structure fails with the error of a part', async () => {
    const { parts } = await start('nested')
    await finish(parts[1], 'other')
    await finish(parts[0], 'head')
    const inner = (await redis.published()).map(({ request }) => request)
    expect(await redis.results().finish(inner.map(failed))).toEqual([undefined, undefined])
    expect(await redis.meta(bodyOf(inner))).toMatchObject({
      result: { exc_type: 'ChordError', exc_message: ["Join error: ValueError('boom')"] },
    })
  })

  it('fails with the body of which nothing can be called', async () => {
    const { parts, group } = await start()
    const chord = { task: 'celery.group', kwargs: { tasks: 'none' }, subtask_type: 'group', options: {} }
    const ended = parts.map((part) => succeeded({ ...part, chord }, 1))
    expect((await redis.results().finish(ended)).filter(Boolean)).toMatchObject([
      { message: expect.stringMatching(/list/) },
    ])
    expect([group, await redis.published()]).toEqual([group, []])
  })

  it('that is a part of another chord passes its failure on', async () => {
    const outer = { task: 'reports.send', options: { task_id: 'outer body' } }
    await redis.backend.set('celery-taskset-meta-outer.s', 2)
    const { parts } = await start()
    const options = { task_id: 'inner body', group_id: 'outer', group_index: 0, chord: outer }
    const inner = { ...parts[0]?.chord, task: 'reports.collect', options }
    await redis
      .results()
      .finish(parts.map((part, at) => (at === 1 ? failed : succeeded)({ ...part, chord: inner }, at)))
    await finish(plainCall('second', { group: 'outer', groupIndex: 1, chord: outer }), 1)
    expect(await redis.meta('outer body')).toMatchObject({
      result: {
        exc_message: [expect.stringMatching(/^Dependency inner body raised ChordError\("Dependency .*'boom'\)"\)$/)],
      },
    })
  })
})
