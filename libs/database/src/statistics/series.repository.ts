import { Injectable } from '@nestjs/common'
import { ListReads } from '../lists/list-reads.js'
import { emptyHistogram } from './histogram.js'
import { readRollups, readSamples } from './statistics.sql.js'

/** What the series of ended tasks may be grouped by. */
export type SeriesGroup = 'queue' | 'name' | 'outcome' | 'model'

/** A range of buckets, and the points that they are merged to. */
export interface SeriesRange {
  /** Width of the buckets in seconds: 60, 3600 or 86400. */
  readonly widthSeconds: number
  /** A multiple of the width. */
  readonly stepSeconds: number
  /** Milliseconds since the epoch, multiples of the step. */
  readonly from: number
  readonly to: number
}

/** Selects by label; what is absent selects all. */
export interface SeriesFilter {
  readonly queue?: string | undefined
  readonly name?: string | undefined
  readonly model?: string | undefined
  readonly outcome?: string | undefined
}

/** The tasks that ended in one point. Times in milliseconds. */
export interface EndedPoint {
  /** Start of the point, in milliseconds since the epoch. */
  readonly point: number
  /** Value of the label that is grouped by; empty without a group. */
  readonly label: string
  readonly outcomes: Readonly<Record<string, number>>
  readonly retries: number
  readonly waitMs: number
  readonly runMs: number
  readonly runMaxMs: number
  readonly wait: readonly number[]
  readonly run: readonly number[]
}

/** A queue's samples of one point. */
export interface SampledPoint {
  readonly point: number
  readonly queue: string
  readonly samples: number
  readonly waiting: number
  readonly waitingMax: number
  readonly scheduledMax: number
  readonly running: number
  readonly runningMax: number
  readonly oldestMaxS: number
  readonly consumersMin: number
  readonly slotsMax: number
  readonly busy: number
  readonly busyMax: number
  readonly paused: boolean
}

/** Reads statistics over time. */
@Injectable()
export class SeriesRepository {
  constructor(private readonly reads: ListReads) {}

  async listEnded(
    range: SeriesRange,
    group: SeriesGroup | null,
    { queue, name, model, outcome }: SeriesFilter,
  ): Promise<readonly EndedPoint[]> {
    const rows = await this.reads.query<EndedRow>(readRollups(group), [
      ...valuesOf(range),
      queue ?? null,
      name ?? null,
      model ?? null,
      outcome ?? null,
    ])
    return rows.map(({ bins, wait, run, ...point }) => ({
      ...point,
      wait: toHistogram(bins, wait),
      run: toHistogram(bins, run),
    }))
  }

  listSampled(range: SeriesRange, queue: string | undefined): Promise<readonly SampledPoint[]> {
    return this.reads.query<SampledPoint>(readSamples, [...valuesOf(range), queue ?? null])
  }
}

type EndedRow = EndedPoint & { readonly bins: readonly number[] }

const toHistogram = (bins: readonly number[], counts: readonly number[]): readonly number[] => {
  const histogram = emptyHistogram()
  bins.forEach((bin, index) => (histogram[bin] = counts[index] ?? 0))
  return histogram
}

const valuesOf = ({ widthSeconds, stepSeconds, from, to }: SeriesRange) => [
  widthSeconds,
  stepSeconds,
  new Date(from),
  new Date(to),
]
