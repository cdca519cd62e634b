import { describe, expect, it } from 'vitest'
import { decodeMessage, type CallRequest } from '../../wire/message.js'
import type { Signature } from '../../wire/signature.js'
import { toTuple } from '../result-node.js'
import { Canvas } from './canvas.js'
import { readSig, UnusableSignature, type SigOptions } from './sig.js'

const task = (name: string, options: SigOptions = {}, more: Partial<Signature> = {}): Signature => ({
  task: name,
  options,
  ...more,
})
const group = (tasks: readonly Signature[], options: SigOptions = {}): Signature => ({
  task: 'celery.group',
  kwargs: { tasks },
  options,
  subtask_type: 'group',
})
const chain = (tasks: readonly Signature[], options: SigOptions = {}): Signature => ({
  task: 'celery.chain',
  kwargs: { tasks },
  options,
  subtask_type: 'chain',
})
const chord = (header: unknown, body: unknown, options: SigOptions = {}): Signature => ({
  task: 'celery.chord',
  kwargs: { kwargs: {}, header, body },
  options,
  subtask_type: 'chord',
})

/** Calls a signature after a task that returned 'r'. */
const call = (sig: unknown, options: SigOptions = {}) => {
  const now = new Date('2126-01-01T00:00:00Z')
  const canvas = new Canvas('seed', {
    rootId: 'root',
    parentId: 'parent',
    origin: 'here',
    now,
    queueOf: (name) => `q-${name}`,
  })
  canvas.call(readSig(sig), ['r'], options)
  const sent = canvas.messages.map(({ queue, text }) => {
    const decoded = decodeMessage(text, queue)
    if ('reason' in decoded) throw new Error(decoded.reason)
    return decoded.message
  })
  const chords = canvas.chords.map(({ results, ...rest }) => ({
    ...rest,
    ...(results && { results: toTuple(results) }),
  }))
  return { sent, chords, children: canvas.children.map(toTuple) }
}
const idOf = (sig: Signature | null | undefined): unknown => sig?.options?.['task_id']
const chainOf = ({ chain: steps }: CallRequest) => steps.map(({ task: name }) => name)

describe('calling a signature', () => {
  it('puts the result before its arguments, unless it is immutable', () => {
    const { sent, children } = call(
      group([task('a', {}, { args: [1] }), task('b', {}, { args: [2], immutable: true })]),
    )
    expect(sent).toMatchObject([
      { task: 'a', args: ['r', 1] },
      { task: 'b', args: [2] },
    ])
    expect(children).toEqual([[[sent[0]?.request.group, null], sent.map(({ id }) => [[id, null], null])]])
  })

  it('makes the same ids when it is called again, and others for others', () => {
    const sig = chord([task('a'), chain([task('b'), task('c')])], task('d'))
    const strip = ({ sent, ...rest }: ReturnType<typeof call>) => ({
      ...rest,
      ids: sent.map(({ id, request }) => [id, request.group]),
    })
    expect(strip(call(sig))).toEqual(strip(call(sig)))
    const ids = call(group([task('a'), task('b')])).sent.map(({ id }) => id)
    expect(new Set(ids).size).toBe(2)
    expect(ids[0]).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-a[0-9a-f]{3}-[0-9a-f]{12}$/)
  })

  it('keeps the id of its group and its stamps, whatever the call says', () => {
    const own = { group_id: 'own', stamped_headers: ['clinic'], clinic: 'north', queue: 'own' }
    const given = { group_id: 'given', stamped_headers: ['other'], clinic: 'south', queue: 'given', priority: null }
    const [sent] = call(task('a', own), given).sent
    expect(sent?.request).toMatchObject({ group: 'own', stamps: { clinic: 'north' }, queue: 'given', priority: 0 })
  })

  it('reads a countdown in seconds, and a routing key only with an exchange', () => {
    const [later, routed, plain] = call(
      group([
        task('a', { countdown: 1.5 }),
        task('b', { exchange: 'x', routing_key: 'y' }),
        task('c', { routing_key: 'y' }),
      ]),
    ).sent
    expect(later?.eta).toEqual(new Date('2126-01-01T00:00:01.500Z'))
    expect([routed?.request.queue, plain?.request.queue]).toEqual(['y', 'q-c'])
  })

  it('splices chains in chains, and links what the chain is linked to', () => {
    const links = { link: task('l'), link_error: [task('e')], task_id: 'last' }
    const steps = [group([]), chain([task('a'), chain([task('b')])]), group([task('c')]), group([]), task('d')]
    const { sent, children } = call(chain(steps, links), { chain: [task('z', { task_id: 'z' })] })
    const [first] = sent
    expect(sent).toHaveLength(1)
    expect(first).toMatchObject({ task: 'a', args: ['r'], request: { errbacks: [{ task: 'e' }] } })
    expect(first && chainOf(first.request)).toEqual(['z', 'd', 'c', 'b'])
    const last = first?.request.chain[1]
    expect(last?.options).toMatchObject({ task_id: 'last', link: [{ task: 'l' }], link_error: [{ task: 'e' }] })
    expect(children).toEqual([[[first?.id, null], null]])
  })

  it('makes a chord of a group that a step follows', () => {
    const { sent, chords } = call(chain([group([task('a'), task('b')]), task('c'), task('d')]))
    expect(sent.map(({ args }) => args)).toEqual([[], []])
    expect(chords).toEqual([{ groupId: sent[0]?.request.group, size: 2 }])
    const [body] = sent.map(({ request }) => request.chord)
    expect(body).toMatchObject({ task: 'c', options: { chain: [{ task: 'd' }] } })
  })

  it('counts the parts of all kinds in the header of a chord', () => {
    const header = [
      group([task('a'), task('b')]),
      chain([task('c'), group([task('d'), task('e')])]),
      chord([task('f')], group([task('g'), task('h'), task('i')])),
      task('j'),
    ]
    const { sent, chords, children } = call(chord(header, task('z', {}, { args: [9] })))
    expect(sent.map(({ task: name }) => name)).toEqual(['b', 'a', 'c', 'f', 'j'])
    const [outer, inner] = chords.map(({ groupId, size }) => [groupId, size] as const).toSorted((a, b) => b[1] - a[1])
    expect([outer?.[1], inner?.[1]]).toEqual([8, 1])
    expect(chords.find(({ size }) => size === 8)).toHaveProperty('results')
    expect(children.map(([[id]]) => id)).toEqual([outer?.[0]])
    expect(new Set(sent.map(({ request }) => idOf(request.chord)).filter(Boolean)).size).toBe(2)
  })

  it('calls the body of a chord without a header with an empty list', () => {
    expect(call(chord([], task('z'))).sent).toMatchObject([{ task: 'z', args: [[]] }])
  })

  it('gives the options of a chord to its body, and a delay to its header', () => {
    const options = { countdown: 60, link: task('l'), link_error: task('e'), priority: 3, task_id: 'header' }
    const { sent } = call(chord(task('a'), task('z'), options), { parent_id: 'p', chain: [task('y')] })
    expect(sent).toMatchObject([
      {
        eta: new Date('2126-01-01T00:01:00Z'),
        request: { group: 'header', parentId: 'p', priority: 3, chain: [], callbacks: [], errbacks: [] },
      },
    ])
    const body = sent[0]?.request.chord?.options
    expect(body).toMatchObject({
      link: [{ task: 'l' }],
      link_error: [{ task: 'e' }],
      priority: 3,
      chain: [{ task: 'y' }],
    })
    expect(body).not.toHaveProperty('parent_id')
    expect(body).not.toHaveProperty('countdown')
  })

  it('links the errbacks of a chord to each task of a group that is its body', () => {
    const body = group([task('x'), chord([task('h')], task('y'))])
    const [sent] = call(chord([task('a')], body, { link: task('l'), link_error: task('e') })).sent
    expect(sent?.request.chord?.kwargs?.['tasks']).toMatchObject([
      { options: { link: [{ task: 'l', immutable: true }], link_error: [{ task: 'e' }] } },
      { kwargs: { body: { options: { link_error: [{ task: 'e' }] } } } },
    ])
    const [own] = call(
      chord([task('a')], group([task('x')], { link_error: [task('o')] }), { link_error: task('e') }),
    ).sent
    expect(own?.request.chord).toMatchObject({ options: { link_error: [{ task: 'o' }, { task: 'e' }] } })
  })

  it.each([
    ['no signature', 'a'],
    ['a signature without a task', {}],
    ['a group without tasks', { ...group([]), kwargs: {} }],
    ['an empty chain', chain([])],
    ['a chain in which only an empty chain stands', group([chain([chain([])])])],
    ['a chord without a body', chord([task('a')], null)],
  ])('rejects %s', (_name, sig) => {
    expect(() => call(sig)).toThrow(UnusableSignature)
  })
})
