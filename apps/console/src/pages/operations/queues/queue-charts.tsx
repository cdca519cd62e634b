import { keepPreviousData } from '@tanstack/react-query'
import { query } from '../../../api/client.ts'
import { livePeriod } from '../../../api/query-client.ts'
import { TimeChart, type TimeSeries } from '../../../charts/time-chart.tsx'
import { formatNumber } from '../../../format/numbers.ts'
import { formatDuration } from '../../../format/times.ts'
import { Failure } from '../../../ui/failure.tsx'
import { Loading } from '../../../ui/loading.tsx'
import { Columns } from '../../../ui/page.tsx'
import { outcomeSeries, outcomeSummary, percentiles, samplesOf, type Point } from '../../overview/series.ts'
import type { QueueName, Range } from '../../overview/ranges.ts'

interface QueueChartsProps {
  readonly queue: QueueName
  readonly range: Range
  readonly between: { readonly from: string; readonly to: string } | undefined
  readonly onZoom: (from: Date, to: Date) => void
}

/** How a queue went over the chosen time. */
export const QueueCharts = ({ queue, range, between, onZoom }: QueueChartsProps) => {
  const { data, error, refetch } = query.useQuery(
    'get',
    '/v1/stats/series',
    { params: { query: { ...(between ?? { range }), queue } } },
    { refetchInterval: between ? false : livePeriod.slow, placeholderData: keepPreviousData },
  )
  if (error) return <Failure error={error} onRetry={() => void refetch()} />
  if (!data) return <Loading lines={8} />
  const points = data.series[0]?.points ?? []
  const shared = {
    times: points.map(({ at }) => at),
    stepSeconds: data.step_seconds,
    partialFrom: data.partial_from,
    onZoom,
  }
  const gauge = (name: string, pick: (gauges: NonNullable<Point['gauges']>) => number): TimeSeries => ({
    name,
    values: points.map(({ gauges }) => gauges && pick(gauges)),
  })
  return (
    <Columns min={380}>
      <TimeChart
        {...shared}
        title="Depth"
        summary="Most in each point, sampled every 10 s."
        series={[
          gauge('waiting', (each) => each.waiting_max),
          gauge('scheduled', (each) => each.scheduled_max),
          gauge('running', (each) => each.running_max),
        ]}
        format={formatNumber}
      />
      <TimeChart
        {...shared}
        title="Oldest waiting task"
        summary="How long it had waited, at most. Rises while nothing is taken."
        series={[gauge('oldest', (each) => each.oldest_waiting_seconds)]}
        format={formatDuration}
      />
      <TimeChart
        {...shared}
        title="Ended tasks by outcome"
        summary={outcomeSummary(points, data.step_seconds)}
        isStacked
        series={outcomeSeries(points)}
        format={formatNumber}
      />
      <TimeChart
        {...shared}
        title="Workers and slots"
        summary="Fewest workers, most slots and most busy slots in each point."
        series={[
          gauge('workers', (each) => each.consumers_min),
          gauge('slots', (each) => each.slots_max),
          gauge('busy', (each) => each.busy_max),
        ]}
        format={formatNumber}
      />
      <TimeChart
        {...shared}
        title="Wait"
        summary={samplesOf(points, 'wait')}
        series={percentiles(points, 'wait')}
        format={formatDuration}
      />
      <TimeChart
        {...shared}
        title="Run"
        summary={samplesOf(points, 'run')}
        series={percentiles(points, 'run')}
        format={formatDuration}
      />
    </Columns>
  )
}
