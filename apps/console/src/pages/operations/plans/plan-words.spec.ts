import { describe, expect, it } from 'vitest'
import { effectOf, filterWords, progressOf, titleOf, verbOf } from './plan-words.ts'

const plan = {
  id: '0192b3e4-0000-7000-8000-000000000001',
  action: 'retry' as const,
  terminate: false,
  filter: {},
  state: 'running' as const,
  count: 1,
  count_is_capped: false,
  total: 12,
  done: 9,
  skipped: 2,
  failed: 1,
  created_at: '2026-11-30T12:00:00.000Z',
  expires_at: '2026-11-30T12:05:00.000Z',
  started_at: null,
  finished_at: null,
  planned_by: '0192b3e4-0000-7000-8000-000000000002',
  by: null,
}

describe('a plan in words', () => {
  it('names what is done to how many', () => {
    expect(verbOf(plan)).toBe('Retry 1 task')
    expect(verbOf({ action: 'purge', count: 1204 })).toBe('Purge 1,204 tasks')
    expect(titleOf({ ...plan, action: 'revoke', count: 1_000_000, count_is_capped: true })).toBe(
      'Revoke 1,000,000+ tasks',
    )
    expect(titleOf(plan)).toBe('Retry 1 task')
  })

  it('says the effect, with and without a kill', () => {
    expect(effectOf({ action: 'revoke', terminate: false })).toContain('asks those that run to end')
    expect(effectOf({ action: 'revoke', terminate: true })).toContain('killed')
    expect(effectOf({ action: 'purge', terminate: false })).toContain('Running tasks go on')
  })

  it('adds up its progress', () => {
    expect(progressOf(plan)).toBe('9 tasks changed, 2 skipped, 1 failed, of 12')
  })

  it('writes its conditions as words of the search', () => {
    expect(filterWords({ state: ['failed', 'timed_out'], error_code: 'MODEL_FAILED', person: 'a1b2' })).toBe(
      'state:failed,timed_out error:MODEL_FAILED one person',
    )
    expect(filterWords({ ids: ['a', 'b'] })).toBe('2 chosen tasks')
    expect(filterWords({})).toBe('all tasks')
  })
})
