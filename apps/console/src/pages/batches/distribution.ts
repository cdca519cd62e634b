/** Finest parts of the range of risks that are counted. */
export const fineBins = 200

/** How many rows have which risk, by category. */
export interface Distribution {
  /** Rows that were read. */
  readonly rows: number
  /** Of these, rows without a result. */
  readonly failed: number
  /** By category: rows in each two-hundredth of the range from 0 to 1. */
  readonly counts: ReadonlyMap<string, readonly number[]>
  /** Whether every row of the results was read. */
  readonly isWhole: boolean
}

/** Counts the lines of results in NDJSON as they arrive: what is kept does not grow with them. */
export class DistributionCounter {
  private rows = 0
  private failed = 0
  private rest = ''
  private readonly counts = new Map<string, number[]>()

  /** Takes a piece of the results; returns how many rows have been read. */
  add(text: string): number {
    const lines = (this.rest + text).split('\n')
    this.rest = lines.pop() ?? ''
    for (const line of lines) this.count(line)
    return this.rows
  }

  end(isWhole: boolean): Distribution {
    if (isWhole) this.add('\n')
    return { rows: this.rows, failed: this.failed, counts: this.counts, isWhole }
  }

  private count(line: string): void {
    if (line.trim() === '') return
    const { risk_score: risk, risk_category: category } = JSON.parse(line) as {
      readonly risk_score: number | null
      readonly risk_category: string | null
    }
    this.rows += 1
    if (risk === null) {
      this.failed += 1
      return
    }
    const bins = this.counts.get(category ?? 'none') ?? Array.from({ length: fineBins }, () => 0)
    const bin = Math.min(Math.floor(risk * fineBins), fineBins - 1)
    bins[bin] = (bins[bin] ?? 0) + 1
    this.counts.set(category ?? 'none', bins)
  }
}

/** Reads results until they end or `maxRows` are counted. */
export const countResults = async (
  results: ReadableStream<Uint8Array<ArrayBuffer>>,
  maxRows: number,
): Promise<Distribution> => {
  const counter = new DistributionCounter()
  const reader = results.pipeThrough(new TextDecoderStream()).getReader()
  for (;;) {
    const { value, done } = await reader.read()
    if (done) return counter.end(true)
    if (counter.add(value) < maxRows) continue
    await reader.cancel()
    return counter.end(false)
  }
}

/** Bars of a histogram: from 0 up to where there is something, in about 20 parts of equal width. */
export interface Bars {
  /** Width of a bar, as a part of 1. */
  readonly width: number
  /** By category in the given order, the rows in each bar. */
  readonly series: readonly { readonly category: string; readonly rows: number; readonly bars: readonly number[] }[]
}

/** Numbers of finest parts that make readable bars: 0.5, 1, 2, 2.5, 5 and 10 percent. */
const widths = [1, 2, 4, 5, 10, 20] as const
const mostBars = 20

export const barsOf = ({ counts }: Pick<Distribution, 'counts'>, order: readonly string[]): Bars => {
  const last = Math.max(0, ...[...counts.values()].map((bins) => bins.findLastIndex((count) => count > 0)))
  const size = widths.find((width) => (last + 1) / width <= mostBars) ?? 20
  const length = Math.max(1, Math.ceil((last + 1) / size))
  const known = [
    ...order.filter((name) => counts.has(name)),
    ...[...counts.keys()].filter((name) => !order.includes(name)),
  ]
  const series = known.map((category) => {
    const bins = counts.get(category) ?? []
    const bars = Array.from({ length }, (_, bar) =>
      bins.slice(bar * size, (bar + 1) * size).reduce((sum, count) => sum + count, 0),
    )
    return { category, rows: bars.reduce((sum, count) => sum + count, 0), bars }
  })
  return { width: size / fineBins, series }
}
