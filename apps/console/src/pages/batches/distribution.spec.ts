import { describe, expect, it } from 'vitest'
import { barsOf, countResults, DistributionCounter } from './distribution.ts'

const line = (risk: number | null, category: string | null) =>
  `${JSON.stringify({ line: 1, risk_score: risk, risk_category: category })}\n`

const streamOf = (pieces: readonly Uint8Array<ArrayBuffer>[]) => {
  const rest = [...pieces]
  return new ReadableStream<Uint8Array<ArrayBuffer>>({
    pull: (controller) => {
      const piece = rest.shift()
      if (piece) controller.enqueue(piece)
      else controller.close()
    },
  })
}

describe('the distribution of results', () => {
  it('is the same however the pieces are cut', () => {
    const text = line(0.12, 'low') + line(0.5, 'high') + line(null, null) + line(1, 'high')
    const counter = new DistributionCounter()
    for (const char of text) counter.add(char)
    const { rows, failed, counts } = counter.end(true)
    expect([rows, failed]).toEqual([4, 1])
    expect(counts.get('low')?.[24]).toBe(1)
    expect([counts.get('high')?.[100], counts.get('high')?.[199]]).toEqual([1, 1])
  })

  it('counts a last line without an end', () => {
    const counter = new DistributionCounter()
    counter.add(line(0.1, 'low').trimEnd())
    expect(counter.end(true).rows).toBe(1)
  })

  it('stops at the bound, and says so', async () => {
    const pieces = Array.from({ length: 100 }, () => new TextEncoder().encode(line(0.1, 'low').repeat(10)))
    const counted = await countResults(streamOf(pieces), 50)
    expect(counted.isWhole).toBe(false)
    expect(counted.rows).toBeGreaterThanOrEqual(50)
    expect(counted.rows).toBeLessThan(1_000)
    expect(await countResults(streamOf(pieces), 2_000)).toMatchObject({ rows: 1_000, isWhole: true })
  })

  it('has bars up to the highest risk, in the order of the categories', () => {
    const counter = new DistributionCounter()
    counter.add(line(0.012, 'low') + line(0.031, 'moderate') + line(0.033, 'moderate'))
    const { width, series } = barsOf(counter.end(true), ['low', 'moderate', 'high'])
    expect(width).toBe(0.005)
    expect(series).toEqual([
      { category: 'low', rows: 1, bars: [0, 0, 1, 0, 0, 0, 0] },
      { category: 'moderate', rows: 2, bars: [0, 0, 0, 0, 0, 0, 2] },
    ])
  })

  it('has twenty bars of 5 % for risks of every size', () => {
    const counter = new DistributionCounter()
    counter.add(line(0.01, 'low') + line(0.999, 'high'))
    const { width, series } = barsOf(counter.end(true), ['low', 'high'])
    expect([width, series[0]?.bars.length]).toEqual([0.05, 20])
  })
})
