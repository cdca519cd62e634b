import { keepPreviousData } from '@tanstack/react-query'
import { TimeChart, type TimeMark, type TimeSeries } from '../../charts/time-chart.tsx'
import { query, type Schemas } from '../../api/client.ts'
import { livePeriod } from '../../api/query-client.ts'
import { formatNumber } from '../../format/numbers.ts'
import { formatDuration } from '../../format/times.ts'
import { Failure } from '../../ui/failure.tsx'
import { Loading } from '../../ui/loading.tsx'
import { Columns, Panel } from '../../ui/page.tsx'
import type { QueueName, Range } from './ranges.ts'
import { outcomeSeries, outcomeSummary, percentiles, samplesOf, type Point } from './series.ts'
import { useModelChanges } from './use-model-changes.ts'

type Series = Schemas['StatisticsSeries']

/** A time, and what is counted of it. */
export interface ChartChoice {
  readonly range: Range
  /** Instead of the range, a part that was chosen in a chart. */
  readonly between?: { readonly from: string; readonly to: string } | undefined
  readonly queue: QueueName | undefined
  /** Name of a task. */
  readonly name: string | undefined
  readonly onZoom: (from: Date, to: Date) => void
}

/** Throughput, durations and depth over the chosen time. */
export const OverviewCharts = ({ range, between, queue, name, onZoom }: ChartChoice) => {
  const when = between ?? { range }
  const only = { ...(queue !== undefined && { queue }), ...(name !== undefined && { name }) }
  const options = {
    // A point of a long time hardly changes from one second to the next.
    refetchInterval: between ? (false as const) : ['15m', '1h', '6h'].includes(range) ? livePeriod.slow : 60_000,
    placeholderData: keepPreviousData,
  }
  const all = query.useQuery('get', '/v1/stats/series', { params: { query: { ...when, ...only } } }, options)
  const byQueue = query.useQuery(
    'get',
    '/v1/stats/series',
    { params: { query: { ...when, group: 'queue' as const } } },
    options,
  )
  const marks = useModelChanges()
  if (all.error) return <Failure error={all.error} onRetry={() => void all.refetch()} />
  if (!all.data || !byQueue.data) {
    return (
      <Panel>
        <Loading lines={8} />
      </Panel>
    )
  }
  const points = all.data.series[0]?.points ?? []
  const shared = sharedOf(all.data, points, marks, onZoom)
  return (
    <Columns min={420}>
      <Panel>
        <TimeChart
          {...shared}
          title="Ended tasks by outcome"
          summary={outcomeSummary(points, all.data.step_seconds)}
          isStacked
          series={outcomeSeries(points)}
          format={formatNumber}
        />
      </Panel>
      {(['wait', 'run'] as const).map((of) => (
        <Panel key={of}>
          <TimeChart
            {...shared}
            title={of === 'wait' ? 'Wait, until it starts' : 'Run, from start to end'}
            summary={samplesOf(points, of)}
            series={percentiles(points, of)}
            format={formatDuration}
          />
        </Panel>
      ))}
      <GaugeCharts series={byQueue.data} queue={queue} marks={marks} onZoom={onZoom} />
    </Columns>
  )
}

const sharedOf = (
  { step_seconds: stepSeconds, partial_from: partialFrom }: Series,
  points: readonly Point[],
  marks: readonly TimeMark[],
  onZoom: ChartChoice['onZoom'],
) => ({ times: points.map(({ at }) => at), stepSeconds, partialFrom, marks, onZoom })

interface GaugeChartsProps {
  readonly series: Series
  readonly queue: QueueName | undefined
  readonly marks: readonly TimeMark[]
  readonly onZoom: ChartChoice['onZoom']
}

/** What was sampled of each queue. */
const GaugeCharts = ({ series, queue, marks, onZoom }: GaugeChartsProps) => {
  const shown = series.series.filter(({ labels }) => queue === undefined || labels['queue'] === queue)
  const shared = sharedOf(series, shown[0]?.points ?? [], marks, onZoom)
  const gauges = (pick: (gauges: NonNullable<Point['gauges']>) => number): TimeSeries[] =>
    shown.map(({ labels, points }) => ({
      name: labels['queue'] ?? 'none',
      values: points.map((point) => point.gauges && pick(point.gauges)),
    }))
  return (
    <>
      <Panel>
        <TimeChart
          {...shared}
          title="Waiting tasks"
          summary="Most in each point, sampled every 10 s."
          series={gauges((each) => each.waiting_max)}
          format={formatNumber}
        />
      </Panel>
      <Panel>
        <TimeChart
          {...shared}
          title="Oldest waiting task"
          summary="How long it had waited, at most. It rises while nothing is taken."
          series={gauges((each) => each.oldest_waiting_seconds)}
          format={formatDuration}
        />
      </Panel>
      <Panel>
        <TimeChart
          {...shared}
          title="Workers"
          summary="Fewest that consumed each queue."
          series={gauges((each) => each.consumers_min)}
          format={formatNumber}
        />
      </Panel>
    </>
  )
}
