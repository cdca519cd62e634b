import { beforeEach, describe, expect, it } from 'vitest'
import { PoolSize } from './pool-size.js'

describe('the size of the pool', () => {
  let runner: { concurrency: number }
  let ofConsumers: number[]
  let asked: number[]
  /** One function for each resize that was asked for, the first one first. It ends that resize: well, or with an error. */
  let ends: ((error?: Error) => void)[]
  let size: PoolSize
  beforeEach(() => {
    runner = { concurrency: 2 }
    ofConsumers = []
    asked = []
    ends = []
    const resize = (children: number) =>
      new Promise<void>((resolve, reject) => {
        asked.push(children)
        ends.push((error) => (error ? reject(error) : resolve()))
      })
    size = new PoolSize(
      runner,
      { setConcurrency: (children) => ofConsumers.push(children) },
      { resize, countWaiting: () => 0 },
    )
  })

  it('is in force at once, so that the next change counts from it while children still start', async () => {
    const grown = size.set(size.children + 1)
    const shrunk = size.set(size.children - 1)
    expect(asked).toEqual([3, 2])
    for (const end of ends) end()
    await Promise.all([grown, shrunk])
    expect([size.children, runner.concurrency, ofConsumers]).toEqual([2, 2, [3, 2]])
  })

  it('is what it was if the pool could not follow', async () => {
    const grown = size.set(5)
    ends[0]?.(new Error('no memory'))
    await expect(grown).rejects.toThrow('no memory')
    expect([size.children, ofConsumers]).toEqual([2, [5, 2]])
  })

  it('stays with a later change if an earlier one fails', async () => {
    const [grown, more] = [size.set(5), size.set(3)]
    ends[1]?.()
    await more
    ends[0]?.(new Error('no memory'))
    await expect(grown).rejects.toThrow('no memory')
    expect(size.children).toBe(3)
  })

  it('is one child at least', async () => {
    await expect(size.set(0)).rejects.toMatchObject({ code: 'REQUEST_INVALID' })
    expect(asked).toEqual([])
  })
})
