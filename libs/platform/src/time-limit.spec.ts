import { afterEach, describe, expect, it, vi } from 'vitest'
import { withinTime } from './time-limit.js'

describe('a call with a time limit', () => {
  afterEach(() => vi.useRealTimers())

  it('answers what is answered in time, and passes on what fails in time', async () => {
    vi.useFakeTimers()
    expect(await withinTime(Promise.resolve(1), 10, 'late')).toBe(1)
    await expect(withinTime(Promise.reject(new Error('refused')), 10, 'late')).rejects.toThrow('refused')
    expect(vi.getTimerCount()).toBe(0)
  })

  it('answers the words for it when the time has passed, and leaves a later failure unheard', async () => {
    vi.useFakeTimers()
    const call = new Promise<never>((_, reject) => setTimeout(() => reject(new Error('refused')), 20))
    const answer = withinTime(call, 10, 'late')
    await vi.advanceTimersByTimeAsync(10)
    expect(await answer).toBe('late')
    await vi.advanceTimersByTimeAsync(10)
    await expect(call).rejects.toThrow('refused')
  })
})
