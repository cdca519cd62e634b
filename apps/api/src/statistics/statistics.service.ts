import {
  percentileOf,
  SeriesRepository,
  StatisticsRepository,
  type EndedPoint,
  type SampledPoint,
  type SeriesRange,
} from '#libs/database'
import { SharedResult } from '#libs/health'
import { queueNames } from '#libs/platform'
import { QueueStandings, type QueueStanding } from '#libs/tasks'
import { Injectable } from '@nestjs/common'
import { planRange } from './series-range.js'
import type { NowResponse, SeriesQuery, SeriesResponse, StatisticsPoint } from './statistics.schemas.js'

/** Reads the statistics, over time and of now. */
@Injectable()
export class StatisticsService {
  /** Any number of callers and streams read once a second. */
  readonly now = new SharedResult(() => this.readNow())

  constructor(
    private readonly series: SeriesRepository,
    private readonly statistics: StatisticsRepository,
    private readonly standings: QueueStandings,
  ) {}

  /** @throws {MemoryGuardError} REQUEST_INVALID when the range cannot be read. */
  async readSeries({ group, queue, name, model, outcome, ...wanted }: SeriesQuery): Promise<SeriesResponse> {
    const range = planRange(wanted, Date.now())
    const isOfQueues = group === 'queue' || (group === 'none' && queue !== undefined)
    const [progress, ended, sampled] = await Promise.all([
      this.statistics.readProgress(),
      this.series.listEnded(range, group === 'none' ? null : group, { queue, name, model, outcome }),
      isOfQueues ? this.series.listSampled(range, queue) : [],
    ])
    const { countedFrom, countedUntil } = progress
    const counted: Span = { from: countedFrom ?? Number.POSITIVE_INFINITY, until: countedUntil ?? 0 }
    const seen = new Set(ended.map(({ label }) => label))
    const labels = group === 'queue' ? (queue ? [queue] : queueNames) : group === 'none' ? [''] : [...seen].sort()
    const step = 1_000 * range.stepSeconds
    return {
      from: timeOf(range.from),
      to: timeOf(range.to),
      step_seconds: range.stepSeconds,
      group,
      counted_from: countedFrom === null ? null : timeOf(countedFrom),
      counted_until: countedUntil === null ? null : timeOf(countedUntil),
      partial_from:
        counted.until < range.to ? timeOf(Math.max(range.from, Math.floor(counted.until / step) * step)) : null,
      series: labels.map((label) => ({
        labels: group === 'none' ? {} : { [group]: label },
        points: toPoints(
          range,
          counted,
          ended.filter((point) => point.label === label),
          sampled.filter((point) => point.queue === (group === 'queue' ? label : queue)),
        ),
      })),
    }
  }

  private async readNow(): Promise<NowResponse> {
    const [standings, { countedUntil }] = await Promise.all([this.standings.read(), this.statistics.readProgress()])
    return {
      at: timeOf(Date.now()),
      waiting: standings.reduce((sum, { waiting }) => sum + waiting, 0),
      running: standings.reduce((sum, { depth }) => sum + (depth.running ?? 0), 0),
      rate_per_second: standings.reduce((sum, { ratePerSecond }) => sum + ratePerSecond, 0),
      counted_until: countedUntil === null ? null : timeOf(countedUntil),
      queues: standings.map(toQueueNow),
    }
  }
}

/** From when and until when ended tasks are counted, in milliseconds since the epoch. */
interface Span {
  readonly from: number
  readonly until: number
}

const timeOf = (ms: number): string => new Date(ms).toISOString()

const toQueueNow = (standing: QueueStanding): NowResponse['queues'][number] => ({
  name: standing.queue,
  paused: standing.isPaused,
  problem:
    standing.waiting === 0
      ? null
      : standing.isPaused
        ? 'paused'
        : standing.consumers.length === 0
          ? 'no_consumers'
          : null,
  waiting: standing.waiting,
  depth: standing.depth,
  oldest_waiting_seconds: standing.oldestWaitingSeconds,
  rate_per_second: standing.ratePerSecond,
  wait_p95_seconds: standing.waitP95Seconds,
  run_p95_seconds: standing.runP95Seconds,
  consumers: standing.consumers.length,
  slots: standing.slots,
  busy: standing.busy,
})

const toPoints = (
  { from, to, stepSeconds }: SeriesRange,
  counted: Span,
  ended: readonly EndedPoint[],
  sampled: readonly SampledPoint[],
): StatisticsPoint[] => {
  const endedAt = new Map(ended.map((point) => [point.point, point]))
  const sampledAt = new Map(sampled.map((point) => [point.point, point]))
  const points: StatisticsPoint[] = []
  for (let at = from; at < to; at += 1_000 * stepSeconds) {
    const end = at + 1_000 * stepSeconds
    const isCounted = end > counted.from && at < counted.until
    points.push({
      at: timeOf(at),
      partial: isCounted && end > counted.until,
      ...(isCounted ? toCounts(endedAt.get(at), stepSeconds) : noCounts),
      gauges: toGauges(sampledAt.get(at)),
    })
  }
  return points
}

type Counts = Omit<StatisticsPoint, 'at' | 'partial' | 'gauges'>

const noCounts: Counts = {
  tasks: null,
  outcomes: null,
  retries: null,
  rate_per_second: null,
  wait: null,
  run: null,
  run_max_seconds: null,
}

const toCounts = (ended: EndedPoint | undefined, stepSeconds: number): Counts => {
  const tasks = Object.values(ended?.outcomes ?? {}).reduce((sum, count) => sum + count, 0)
  return {
    tasks,
    outcomes: ended?.outcomes ?? {},
    retries: ended?.retries ?? 0,
    rate_per_second: tasks / stepSeconds,
    wait: ended ? toDurations(ended.wait, ended.waitMs) : null,
    run: ended ? toDurations(ended.run, ended.runMs) : null,
    run_max_seconds: ended && ended.runMaxMs > 0 ? ended.runMaxMs / 1_000 : null,
  }
}

const toDurations = (histogram: readonly number[], totalMs: number): StatisticsPoint['wait'] => {
  const samples = histogram.reduce((sum, count) => sum + count, 0)
  if (samples === 0) return null
  const at = (share: number) => (percentileOf(histogram, share) ?? 0) / 1_000
  return {
    samples,
    mean_seconds: totalMs / samples / 1_000,
    p50_seconds: at(0.5),
    p95_seconds: at(0.95),
    p99_seconds: at(0.99),
  }
}

const toGauges = (sampled: SampledPoint | undefined): StatisticsPoint['gauges'] =>
  sampled
    ? {
        waiting: sampled.waiting,
        waiting_max: sampled.waitingMax,
        scheduled_max: sampled.scheduledMax,
        running: sampled.running,
        running_max: sampled.runningMax,
        oldest_waiting_seconds: sampled.oldestMaxS,
        consumers_min: sampled.consumersMin,
        slots_max: sampled.slotsMax,
        busy: sampled.busy,
        busy_max: sampled.busyMax,
        paused: sampled.paused,
      }
    : null
