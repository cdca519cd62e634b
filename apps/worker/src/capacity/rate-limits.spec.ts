import { describe, expect, it } from 'vitest'
import { RateLimits } from './rate-limits.js'

describe('rate limits', () => {
  it.each([
    ['2/s', 500],
    ['10/m', 6_000],
    ['100/h', 36_000],
    ['0.5', 2_000],
  ])('%s spaces starts by %d ms', (rate, intervalMs) => {
    let now = 1_000
    const limits = new RateLimits(() => now)
    limits.set('a', rate)
    expect([limits.take('a'), limits.take('a'), limits.take('a')]).toEqual([0, intervalMs, 2 * intervalMs])
    now += 10 * intervalMs
    expect([limits.take('a'), limits.take('a')]).toEqual([0, intervalMs])
  })

  it('holds for its task only, and is lifted by 0', () => {
    const limits = new RateLimits(() => 0)
    limits.set('a', '1/h')
    limits.take('a')
    expect(limits.take('b')).toBe(0)
    limits.set('a', '0')
    expect([limits.take('a'), limits.take('a')]).toEqual([0, 0])
  })
})
