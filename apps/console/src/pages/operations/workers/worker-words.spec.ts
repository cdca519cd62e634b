import { describe, expect, it } from 'vitest'
import { isThere, replyOf, standingOf } from './worker-words.ts'

const worker = {
  name: 'w1',
  id: '0192b3e4-0000-7000-8000-000000000001',
  state: 'ready' as const,
  hostname: 'host',
  pid: 1,
  queues: [],
  pool: 'threads',
  concurrency: 2,
  stats: {},
  limits: {},
  duplicates: 0,
  tasks: [],
  models: [],
  versions: {},
  started_at: '2026-11-30T12:00:00.000Z',
  heartbeat_at: '2026-11-30T12:00:00.000Z',
}
const now = new Date('2026-11-30T12:00:42.700Z').getTime()
const command = { id: worker.id, worker: 'w1', acknowledged: true, error: null }

describe('a worker in words', () => {
  it('is stale for as long as it has been silent, and never online then', () => {
    expect(standingOf({ ...worker, state: 'stale' }, now)).toEqual({ tone: 'bad', words: 'stale for 42 s' })
    expect(standingOf(worker, now).words).toBe('online')
    expect([isThere(worker), isThere({ ...worker, state: 'stale' })]).toEqual([true, false])
  })

  it('says what it responded', () => {
    expect(replyOf({ ...command, command: 'pool-grow', answer: { children: 3 } })).toBe(
      'It now has 3 compute processes.',
    )
    expect(replyOf({ ...command, command: 'cancel-consumer', answer: { queues: [] } })).toBe(
      'It now consumes no queue.',
    )
    expect(replyOf({ ...command, command: 'rate-limit', answer: { task: 'ml.x', rate: '0' } })).toBe(
      'ml.x is no longer limited.',
    )
    expect(replyOf({ ...command, command: 'shutdown', answer: { stopping: 'at once' } })).toBe(
      'The worker stops at once.',
    )
  })

  it('says that it has not responded', () => {
    expect(replyOf({ ...command, acknowledged: false, command: 'ping', answer: null })).toContain('not responded')
  })
})
