import { describe, expect, it } from 'vitest'
import { logistic, scaleOf, waterfallBars } from './waterfall-layout.js'

const contribution = (feature: string, amount: number) => ({
  feature,
  title: feature,
  value: 1,
  unit: 'points',
  contribution: amount,
})

describe('the bars of a waterfall', () => {
  it('go from the base value to the output, the largest first', () => {
    const bars = waterfallBars(-1, [contribution('a', 0.1), contribution('b', -2), contribution('c', 1)])
    expect(bars.map(({ of }) => of?.feature)).toEqual(['b', 'c', 'a'])
    expect(bars.map(({ from, to }) => [from, to])).toEqual([
      [-1, -3],
      [-3, -2],
      [-2, -1.9],
    ])
  })

  it('are eight and the others together', () => {
    const many = Array.from({ length: 12 }, (_, index) => contribution(`x${index}`, (index % 2 ? -1 : 1) * (index + 1)))
    const bars = waterfallBars(0, many)
    expect(bars).toHaveLength(9)
    expect(bars.at(-1)).toMatchObject({ of: undefined, count: 4, amount: -2 })
    expect(bars.at(-1)?.to).toBe(many.reduce((sum, { contribution: amount }) => sum + amount, 0))
  })
})

it('counts in percentage points only where the explanation adds up in them', () => {
  expect(scaleOf('probability').format(0.123)).toBe('+12')
  expect(scaleOf('log_odds').format(-0.3)).toBe('-0.30')
  expect(scaleOf('log_odds').probabilityOf?.(0)).toBe(0.5)
  expect(scaleOf('score').probabilityOf).toBeUndefined()
  expect(logistic(Math.log(3))).toBeCloseTo(0.75)
})
