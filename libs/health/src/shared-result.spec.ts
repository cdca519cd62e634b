import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { SharedResult } from './shared-result.js'

describe('a shared result', () => {
  beforeEach(() => void vi.useFakeTimers())
  afterEach(() => void vi.useRealTimers())

  it('A2: is made once for all that ask at a time, and again when it is old', async () => {
    let made = 0
    const shared = new SharedResult(async () => (made += 1), 1_000)
    expect(await Promise.all(Array.from({ length: 50 }, () => shared.get()))).toEqual(Array(50).fill(1))
    await vi.advanceTimersByTimeAsync(900)
    expect(await shared.get()).toBe(1)
    await vi.advanceTimersByTimeAsync(200)
    expect(await shared.get()).toBe(2)
    shared.forget()
    expect(await shared.get()).toBe(3)
  })

  it('A2: is waited for by all as long as it takes, and a failure is not kept', async () => {
    let made = 0
    const shared = new SharedResult(
      () =>
        new Promise((_, reject) => {
          made += 1
          setTimeout(() => reject(new Error(`failure ${made}`)), 3_000)
        }),
      1_000,
    )
    const first = expect(shared.get()).rejects.toThrow('failure 1')
    await vi.advanceTimersByTimeAsync(2_000)
    const second = expect(shared.get()).rejects.toThrow('failure 1')
    await vi.advanceTimersByTimeAsync(1_000)
    await Promise.all([first, second])
    const third = expect(shared.get()).rejects.toThrow('failure 2')
    await vi.advanceTimersByTimeAsync(3_000)
    await third
  })
})
