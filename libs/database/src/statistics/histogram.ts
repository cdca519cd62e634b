/**
 * Counts of durations by 49 bins: up to 1 ms, then up to sqrt(2) times the bin before, and above 3.3 hours. The bounds are
 * fixed, so that histograms of any two times can be added; another choice of bounds needs another `layout`.
 */
export const histogramLayout = 1
const bounds = 48
/** Number of bins. */
export const binCount = bounds + 1

/** Upper bound of a bin in milliseconds; the last one has none. */
const boundOf = (bin: number): number => 2 ** (bin / 2)

/** SQL: the bin of a duration in milliseconds; null of none, which `least` would not return. */
export const binOf = (ms: string): string =>
  `CASE WHEN ${ms} <= 1 THEN 0 WHEN ${ms} > ${boundOf(bounds - 1)} THEN ${bounds} ELSE ceil(2 * ln(${ms}) / ln(2::float8))::int END`

/** Bins without counts. */
export const emptyHistogram = (): number[] => Array.from({ length: binCount }, () => 0)

/**
 * Estimates a percentile in milliseconds, by logarithmic interpolation within its bin; at most 19 % off. Of durations above
 * 3.3 hours it returns that bound. Null of an empty histogram.
 */
export const percentileOf = (histogram: readonly number[], share: number): number | null => {
  const total = histogram.reduce((sum, count) => sum + count, 0)
  if (total === 0) return null
  let left = share * total
  for (const [bin, count] of histogram.entries()) {
    if (count > 0 && left <= count) return bin >= bounds ? boundOf(bounds - 1) : within(bin, left / count)
    left -= count
  }
  return boundOf(bounds - 1)
}

const within = (bin: number, part: number): number => (bin === 0 ? part : boundOf(bin - 1) * Math.SQRT2 ** part)
