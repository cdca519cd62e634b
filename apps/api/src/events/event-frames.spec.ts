import { describe, expect, it } from 'vitest'
import { eventFrame, heartbeatFrame, openingFrame } from './event-frames.js'
import { compareKeys, formatKey, parseKey, startOf } from './event-key.js'

const task = '019a0000-0000-7000-8000-000000000001'

describe('the frames of a stream', () => {
  it('hold id, name and data, and end with an empty line', () => {
    expect(eventFrame({ id: '3', event: 'task.failed', data: { text: 'two\nlines' } })).toBe(
      'id: 3\nevent: task.failed\ndata: {"text":"two\\nlines"}\n\n',
    )
    expect(eventFrame({ event: 'task.progress', data: {} })).toBe('event: task.progress\ndata: {}\n\n')
  })

  it('open a stream and keep it open, with the place to go on from', () => {
    expect(openingFrame('7')).toBe('retry: 1000\nid: 7\n\n')
    expect(heartbeatFrame('7')).toBe(': heartbeat\nid: 7\n\n')
    expect(heartbeatFrame(undefined)).toBe(': heartbeat\n\n')
  })
})

describe('the key of an event', () => {
  it('is read as it was written', () => {
    const key = { at: 1_700_000_000_123, taskId: task, place: 2 }
    expect(parseKey(formatKey(key))).toEqual(key)
  })

  it.each(['', '3', `1.${task}`, `1.${task}.-1`, `x.${task}.1`, '1.task.1', `1.${task}.1.`])('is not %j', (text) => {
    expect(() => parseKey(text)).toThrow('Last-Event-ID')
  })

  it.each([`999999999999999.${task}.1`, `${Date.now() + 48 * 3_600_000}.${task}.0`, `1.${'-'.repeat(36)}.0`])(
    'E2: is not what no event can have: %j',
    (text) => {
      expect(() => parseKey(text)).toThrow('Last-Event-ID')
    },
  )

  it('orders by time, task and place', () => {
    const key = { at: 5, taskId: task, place: 2 }
    const later = [
      { ...key, place: 10 },
      { ...key, taskId: task.replace(/1$/, '2'), place: 0 },
      { ...key, at: 10, place: 0 },
    ]
    for (const other of later) {
      expect(compareKeys(key, other)).toBeLessThan(0)
      expect(compareKeys(other, key)).toBeGreaterThan(0)
    }
    expect(compareKeys(key, { ...key })).toBe(0)
    expect(compareKeys(startOf(5), key)).toBeLessThan(0)
    expect(compareKeys(startOf(6), key)).toBeGreaterThan(0)
  })
})
