import { afterEach, describe, expect, it, vi } from 'vitest'
import { withinTime } from './time-limit.js'

describe('a call with a time limit', () => {
  afterEach(() => vi.useRealTimers())

  it('returns what ends in time, and passes on what fails in time', async () => {
    vi.useFakeTimers()
    expect(await withinTime(Promise.resolve(1), 10, 'late')).toBe(1)
    await expect(withinTime(Promise.reject(new Error('refused')), 10, 'late')).rejects.toThrow('refused')
    expect(vi.getTimerCount()).toBe(0)
  })

  it('returns the words for it when the time has passed, and ignores a later failure', async () => {
    vi.useFakeTimers()
    const call = new Promise<never>((_, reject) => setTimeout(() => reject(new Error('refused')), 20))
    const result = withinTime(call, 10, 'late')
    await vi.advanceTimersByTimeAsync(10)
    expect(await result).toBe('late')
    await vi.advanceTimersByTimeAsync(10)
    await expect(call).rejects.toThrow('refused')
  })
})
