import { MemoryGuardError } from '#libs/platform'
import { describe, expect, it } from 'vitest'
import { conditionsOf, lastWordOf, parseSearch } from './search-language.js'

const id = '019a0000-0000-7000-8000-000000000001'

describe('the search language', () => {
  it('has a word for each condition', () => {
    const { conditions, unknown } = parseSearch(
      `state:failed,timed_out queue:batch worker:w1 name:ml.* user:123 prediction:45 batch:${id} model:ukbdrs@1 ` +
        `error:TASK_FAILED since:2026-01-31T12:00:00Z until:2026-02-01T12:00:00+01:00 id:7`,
    )
    expect(unknown).toEqual([])
    expect(conditions).toEqual({
      state: ['failed', 'timed_out'],
      queue: 'batch',
      worker: 'w1',
      name: 'ml.*',
      user_id: 123,
      prediction_id: 45,
      batch_id: id,
      model: 'ukbdrs@1',
      error_code: 'TASK_FAILED',
      since: new Date('2026-01-31T12:00:00Z'),
      until: new Date('2026-02-01T11:00:00Z'),
      id: '7',
    })
  })

  it.each([
    ['90s', 90],
    ['15m', 900],
    ['24h', 86_400],
    ['7d', 604_800],
  ])('takes %s as so long ago', (text, seconds) => {
    const { since } = parseSearch(`since:${text}`).conditions
    const age = Date.now() - (since?.getTime() ?? 0)
    expect(age).toBeGreaterThanOrEqual(seconds * 1000)
    expect(age).toBeLessThan(seconds * 1000 + 5_000)
  })

  it.each([id, id.toUpperCase(), '45'])('takes %s alone as an id', (text) => {
    expect(parseSearch(text)).toEqual({ conditions: { id: text }, unknown: [] })
  })

  it('takes blanks between quotes as part of a word, and blanks between words as one', () => {
    expect(parseSearch('  worker:"my worker"   queue:batch ').conditions).toEqual({
      worker: 'my worker',
      queue: 'batch',
    })
  })

  it('says what it did not understand, and keeps the rest', () => {
    const { conditions, unknown } = parseSearch('state:lost colour:red nonsense user:0 queue:batch queue:forecasts')
    expect(conditions).toEqual({ queue: 'batch' })
    expect(unknown.map(({ position, word }) => [position, word])).toEqual([
      [1, 'state:lost'],
      [2, 'colour:red'],
      [3, 'nonsense'],
      [4, 'user:0'],
      [6, 'queue:forecasts'],
    ])
    for (const { message } of unknown) expect(message).toMatch(/^(must|begins|has no key|is the second)/)
  })

  it('is the same filter as the parameters', () => {
    expect(conditionsOf({ q: 'state:failed', queue: 'batch' })).toEqual({ state: ['failed'], queue: 'batch' })
  })

  it.each(['worker:', 'worker:""', 'name:', 'model:', 'error:'])('takes %s for a word without a value', (text) => {
    expect(parseSearch(text).unknown).toMatchObject([{ position: 1, message: 'must not be empty' }])
  })

  it.each([
    [{ q: 'since:1h until:2h' }, '/filter/q', 'must be later than since'],
    [{ q: 'since:1h', until: new Date(0) }, '/filter/until', 'must be later than since'],
    [{ since: new Date(1), until: new Date(1) }, '/filter/until', 'must be later than since'],
    [{ q: 'state:failed', state: ['failed' as const] }, '/filter/state', 'is given in q too; leave one of them out'],
    [{ q: 'nonsense' }, '/filter/q', /^word 1 has no key/],
    [{ q: 'worker:a\u0007b' }, '/filter/q', /^word 1 must not hold control characters/],
  ])('refuses %j and names the place', (given, pointer, message) => {
    const faults = (() => {
      try {
        return conditionsOf(given, '/filter')
      } catch (error) {
        return error instanceof MemoryGuardError ? error.faults : error
      }
    })()
    expect(faults).toEqual([{ pointer, message: expect.stringMatching(message) }])
  })

  it('names no value in an error', () => {
    const faults = (() => {
      try {
        conditionsOf({ q: 'secret-word user:secret queue:batch', queue: 'batch' })
      } catch (error) {
        return error instanceof MemoryGuardError ? [error.message, ...error.faults.map(({ message }) => message)] : []
      }
      return []
    })()
    expect(faults).toHaveLength(4)
    expect(faults.join(' ')).not.toContain('secret')
  })

  it.each([
    ['', ''],
    ['state:fai', 'state:fai'],
    ['state:failed ', ''],
    ['state:failed wor', 'wor'],
    ['worker:"my w', 'w'],
  ])('finds the last word of "%s"', (text, word) => {
    expect(lastWordOf(text)).toBe(word)
  })
})
