import { describe, expect, it } from 'vitest'
import { Scale, type Workload } from './scale.js'

const limits = { max: 8, min: 2, idleSeconds: 30 }

/** The numbers of children after checks one second apart, if each is followed. */
const follow = (start: number, loads: readonly Omit<Workload, 'children'>[]) => {
  const scale = new Scale()
  let children = start
  return loads.map((load, second) => (children = scale.decide(second * 1000, { children, ...load }, limits)))
}
const times = <Item>(count: number, item: Item): Item[] => Array.from({ length: count }, () => item)

describe('the scale of a worker', () => {
  it('grows with what waits, at most twofold at a time, up to the most', () => {
    expect(follow(2, times(4, { busy: 8, waiting: 100 }))).toEqual([4, 8, 8, 8])
    expect(follow(2, [{ busy: 2, waiting: 1 }])).toEqual([3])
  })

  it('does not grow while a child is free, or nothing waits', () => {
    expect(follow(2, times(50, { busy: 1, waiting: 100 }))).toEqual(times(50, 2))
    expect(follow(2, times(50, { busy: 3, waiting: 0 }))).toEqual(times(50, 2))
  })

  it('shrinks after idleness to what was needed meanwhile, and then to the least', () => {
    const sizes = follow(8, [{ busy: 5, waiting: 0 }, ...times(70, { busy: 0, waiting: 0 })])
    expect(sizes.slice(0, 30)).toEqual(times(30, 8))
    expect(sizes.slice(30, 61)).toEqual(times(31, 5))
    expect(sizes.slice(61)).toEqual(times(10, 2))
  })

  it('keeps what was busy in between', () => {
    const loads = [
      ...times(29, { busy: 0, waiting: 0 }),
      { busy: 8, waiting: 0 },
      ...times(29, { busy: 0, waiting: 0 }),
    ]
    expect(follow(8, loads)).toEqual(times(59, 8))
  })

  it('comes back between its limits after an operator’s change', () => {
    expect(follow(1, [{ busy: 0, waiting: 0 }])).toEqual([2])
    expect(follow(12, times(31, { busy: 12, waiting: 9 }))).toEqual(times(31, 12))
    expect(follow(12, times(31, { busy: 0, waiting: 0 })).at(-1)).toBe(2)
  })
})
