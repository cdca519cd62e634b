import { afterEach, describe, expect, it, vi } from 'vitest'
import { MicroBatcher, type MicroBatcherOptions } from './micro-batcher.js'

interface Flush {
  readonly items: readonly number[]
  readonly finish: () => void
  readonly fail: (error: Error) => void
}

/** A batcher whose flushes end when the test says so; each item's outcome is its double. */
const create = (options: Partial<MicroBatcherOptions<number, number>> = {}) => {
  const flushes: Flush[] = []
  const batcher = new MicroBatcher<number, number>({
    maxSize: 3,
    maxInFlight: 2,
    maxWaitMs: 50,
    flush: (items) =>
      new Promise((resolve, reject) => {
        flushes.push({ items, finish: () => resolve(items.map((item) => ({ value: item * 2 }))), fail: reject })
      }),
    ...options,
  })
  return { batcher, flushes, sizes: () => flushes.map(({ items }) => items.length) }
}

/** One turn of the event loop. */
const turn = () => new Promise((resolve) => setImmediate(resolve))

describe('micro-batcher', () => {
  afterEach(() => vi.useRealTimers())

  it('flushes at once when idle, and puts calls of one turn together', async () => {
    const { batcher, flushes } = create()
    const results = [batcher.add(1), batcher.add(2)]
    expect(batcher.size).toBe(2)
    await turn()
    expect(flushes.map(({ items }) => items)).toEqual([[1, 2]])
    expect(batcher.size).toBe(0)
    flushes[0]?.finish()
    expect(await Promise.all(results)).toEqual([2, 4])
  })

  it('flushes no more than its size, in the order of the calls', async () => {
    const { batcher, flushes } = create()
    const results = [1, 2, 3, 4, 5, 6, 7].map((item) => batcher.add(item))
    await turn()
    // Two full batches are under way, which is the most; the seventh waits.
    expect(flushes.map(({ items }) => items)).toEqual([
      [1, 2, 3],
      [4, 5, 6],
    ])
    flushes[1]?.finish()
    flushes[0]?.finish()
    await turn()
    await turn()
    expect(flushes[2]?.items).toEqual([7])
    flushes[2]?.finish()
    expect(await Promise.all(results)).toEqual([2, 4, 6, 8, 10, 12, 14])
  })

  it('lets an item wait for company while others are under way, and no longer than its time', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
    const { batcher, sizes } = create()
    void batcher.add(1)
    await turn()
    void batcher.add(2)
    await turn()
    expect(sizes()).toEqual([1])
    vi.advanceTimersByTime(49)
    expect(sizes()).toEqual([1])
    void batcher.add(3)
    await turn()
    vi.advanceTimersByTime(1)
    expect(sizes()).toEqual([1, 2])
  })

  it('goes on as soon as nothing is under way, without waiting for the time to pass', async () => {
    const { batcher, flushes, sizes } = create({ maxWaitMs: 60_000 })
    void batcher.add(1)
    await turn()
    void batcher.add(2)
    await turn()
    flushes[0]?.finish()
    await turn()
    await turn()
    expect(sizes()).toEqual([1, 1])
  })

  it('never has more flushes under way than allowed', async () => {
    let running = 0
    let most = 0
    const batcher = new MicroBatcher<number, number>({
      maxSize: 2,
      maxInFlight: 3,
      maxWaitMs: 0,
      flush: async (items) => {
        running += 1
        most = Math.max(most, running)
        await turn()
        running -= 1
        return items.map((item) => ({ value: item }))
      },
    })
    const items = Array.from({ length: 50 }, (_, index) => index)
    expect(await Promise.all(items.map((item) => batcher.add(item)))).toEqual(items)
    expect(most).toBe(3)
  })

  it('gives one bad item its own error, and its neighbours their values', async () => {
    const { batcher } = create({
      flush: async (items) => items.map((item) => (item === 2 ? { error: new Error('bad two') } : { value: item })),
    })
    const settled = await Promise.allSettled([batcher.add(1), batcher.add(2), batcher.add(3)])
    expect(settled).toEqual([
      { status: 'fulfilled', value: 1 },
      { status: 'rejected', reason: new Error('bad two') },
      { status: 'fulfilled', value: 3 },
    ])
  })

  it('fails every item of a flush that fails, and works on', async () => {
    const { batcher, flushes } = create()
    const settled = Promise.allSettled([batcher.add(1), batcher.add(2)])
    await turn()
    flushes[0]?.fail(new Error('all down'))
    expect((await settled).map(({ status }) => status)).toEqual(['rejected', 'rejected'])
    const next = batcher.add(3)
    await turn()
    flushes[1]?.finish()
    expect(await next).toBe(6)
  })

  it('leaves no one waiting when a flush returns too few outcomes', async () => {
    const { batcher } = create({ flush: async () => [{ value: 1 }] })
    const settled = await Promise.allSettled([batcher.add(1), batcher.add(2)])
    expect(settled.map(({ status }) => status)).toEqual(['fulfilled', 'rejected'])
  })
})
