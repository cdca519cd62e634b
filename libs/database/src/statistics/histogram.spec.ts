import { expect, it } from 'vitest'
import { binCount, emptyHistogram, percentileOf } from './histogram.js'

const histogramOf = (durations: readonly number[]): number[] => {
  const histogram = emptyHistogram()
  for (const ms of durations) {
    const bin = ms <= 1 ? 0 : Math.min(binCount - 1, Math.ceil(2 * Math.log2(ms)))
    histogram[bin] = (histogram[bin] ?? 0) + 1
  }
  return histogram
}

/** The value below which a share of the durations lies, from the durations themselves. */
const exactly = (durations: readonly number[], share: number): number =>
  durations.toSorted((a, b) => a - b)[Math.max(0, Math.ceil(share * durations.length) - 1)] ?? 0

it.each([
  ['evenly spread', (random: number) => 1 + random * 5_000],
  ['of many sizes', (random: number) => 10 ** (random * 6)],
  ['nearly all the same', (random: number) => (random < 0.97 ? 40 : 9_000)],
])('percentiles of durations that are %s are at most a bin off', (_, durationOf) => {
  let seed = 1
  const durations = Array.from({ length: 5_000 }, () =>
    durationOf((seed = (seed * 16_807) % 2_147_483_647) / 2_147_483_647),
  )
  for (const share of [0.5, 0.95, 0.99]) {
    const ratio = (percentileOf(histogramOf(durations), share) ?? 0) / exactly(durations, share)
    expect(ratio).toBeGreaterThan(1 / Math.SQRT2)
    expect(ratio).toBeLessThan(Math.SQRT2)
  }
})

it('percentiles grow with their share', () => {
  const histogram = histogramOf([0.2, 3, 3, 70, 900, 900, 20_000, 1e9])
  const shares = Array.from({ length: 101 }, (_, percent) => percentileOf(histogram, percent / 100) ?? -1)
  expect(shares).toEqual(shares.toSorted((a, b) => a - b))
  expect(shares.at(-1)).toBeCloseTo(2 ** 23.5)
})

it('there is no percentile of nothing', () => expect(percentileOf(emptyHistogram(), 0.5)).toBeNull())
