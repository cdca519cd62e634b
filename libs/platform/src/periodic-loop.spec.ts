import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { createLogger } from './logging/index.js'
import { PeriodicLoop } from './periodic-loop.js'

const lines: string[] = []
const log = createLogger('test', 'info', { write: (line) => void lines.push(line) })

describe('a periodic loop', () => {
  beforeEach(() => void vi.useFakeTimers())
  afterEach(() => void vi.useRealTimers())

  it('waits from the end of a run to the next, or as long as the run says', async () => {
    const starts: number[] = []
    const startedAt = Date.now()
    const run = async () => {
      starts.push(Date.now() - startedAt)
      await new Promise((resolve) => setTimeout(resolve, 30))
      return starts.length === 2 ? 5 : undefined
    }
    const loop = new PeriodicLoop({ name: 'job', intervalMs: 100, run }, log)
    loop.start()
    await vi.advanceTimersByTimeAsync(400)
    expect(starts).toEqual([100, 230, 265, 395])
    await vi.advanceTimersByTimeAsync(30)
    await loop.stop()
    await vi.advanceTimersByTimeAsync(1_000)
    expect(starts).toHaveLength(4)
  })

  it('wakes at once, and once for many calls, also those that come during a run', async () => {
    let runs = 0
    let end: () => void = () => undefined
    const run = () => {
      runs += 1
      return new Promise<void>((resolve) => (end = resolve))
    }
    const loop = new PeriodicLoop({ name: 'job', intervalMs: 10_000, run }, log)
    loop.start()
    loop.wake()
    loop.wake()
    await vi.advanceTimersByTimeAsync(0)
    expect(runs).toBe(1)
    loop.wake(50)
    await vi.advanceTimersByTimeAsync(500)
    expect(runs).toBe(1)
    end()
    await vi.advanceTimersByTimeAsync(49)
    expect(runs).toBe(1)
    await vi.advanceTimersByTimeAsync(1)
    expect(runs).toBe(2)
    end()
    await loop.stop()
  })

  it('logs a failure and goes on, and stops only after the run in progress', async () => {
    let runs = 0
    const run = async () => {
      runs += 1
      await new Promise((resolve) => setTimeout(resolve, 10))
      throw new Error('no luck')
    }
    const loop = new PeriodicLoop({ name: 'job', intervalMs: 10, run }, log)
    loop.start(0)
    await vi.advanceTimersByTimeAsync(25)
    expect([runs, lines.length]).toEqual([2, 1])
    expect(JSON.parse(lines[0] ?? '')).toMatchObject({ level: 'error', job: 'job', err: { message: 'no luck' } })
    let isStopped = false
    const stopped = loop.stop().then(() => (isStopped = true))
    await vi.advanceTimersByTimeAsync(1)
    expect(isStopped).toBe(false)
    await vi.advanceTimersByTimeAsync(10)
    await stopped
    expect(runs).toBe(2)
  })
})
