import { Button, Select } from '@mantine/core'
import { getRouteApi } from '@tanstack/react-router'
import { livePeriod } from '../../api/query-client.ts'
import { query, type Schemas } from '../../api/client.ts'
import { formatCount, formatRate } from '../../format/numbers.ts'
import { durationOrDash } from '../../format/times.ts'
import { Stat, Stats } from '../../ui/facts.tsx'
import { Failure } from '../../ui/failure.tsx'
import { QueueLink } from '../../ui/links.tsx'
import { Loading } from '../../ui/loading.tsx'
import { Page, Panel } from '../../ui/page.tsx'
import { Table } from '../../ui/table.tsx'
import { QueueState } from '../operations/queues/queue-state.tsx'
import { queueNames, ranges, rangeWords } from './ranges.ts'
import { OverviewCharts } from './overview-charts.tsx'
import { Problems } from './problems.tsx'

const route = getRouteApi('/overview')

/** What is wrong now, how the service stands, and how it went. */
export const OverviewPage = () => {
  const search = route.useSearch()
  const navigate = route.useNavigate()
  const now = query.useQuery('get', '/v1/stats/now', {}, { refetchInterval: livePeriod.fast })
  // A day by hours: which tasks there are, not how they went.
  const names = query.useQuery(
    'get',
    '/v1/stats/series',
    { params: { query: { range: '24h', step: '1h', group: 'name' } } },
    { staleTime: 60_000 },
  )
  const isCustom = search.from !== undefined && search.to !== undefined
  const range = search.range ?? '1h'
  return (
    <Page
      title="Overview"
      actions={
        <>
          {isCustom && (
            <Button
              variant="default"
              onClick={() => void navigate({ search: { range, queue: search.queue, name: search.name } })}
            >
              Back to {rangeWords[range].toLowerCase()}
            </Button>
          )}
          <Select
            aria-label="Time"
            w={170}
            allowDeselect={false}
            value={isCustom ? null : range}
            placeholder="Chosen part"
            data={ranges.map((value) => ({ value, label: rangeWords[value] }))}
            onChange={(value) =>
              value && void navigate({ search: { range: value, queue: search.queue, name: search.name } })
            }
          />
          <Select
            aria-label="Queue"
            w={160}
            clearable
            placeholder="All queues"
            value={search.queue ?? null}
            data={queueNames}
            onChange={(value) =>
              void navigate({
                search: (before) => ({ ...before, queue: value ?? undefined }),
              })
            }
          />
          <Select
            aria-label="Task"
            w={210}
            clearable
            searchable
            placeholder="All tasks"
            value={search.name ?? null}
            data={[
              ...new Set([...(names.data?.series.map(({ labels }) => labels['name'] ?? '') ?? []), search.name ?? '']),
            ].filter(Boolean)}
            onChange={(value) => void navigate({ search: (before) => ({ ...before, name: value ?? undefined }) })}
          />
        </>
      }
    >
      {now.isError && now.data === undefined && <Failure error={now.error} onRetry={() => void now.refetch()} />}
      {now.data ? <Problems now={now.data} /> : !now.isError && <Loading lines={2} />}
      <Stats>
        <Stat
          label="Finished"
          value={now.data ? formatRate(now.data.rate_per_second) : '-'}
          note="tasks, over the last minute"
        />
        <Stat label="Waiting" value={now.data ? formatCount(now.data.waiting) : '-'} note="tasks in all queues" />
        <Stat
          label="Running"
          value={now.data ? formatCount(now.data.running) : '-'}
          note={now.data && `of ${formatCount(slotsOf(now.data))} slots`}
        />
        <Stat label="Oldest waiting" value={durationOrDash(oldestOf(now.data))} note="since it could start" />
      </Stats>
      <OverviewCharts
        range={range}
        between={isCustom ? { from: search.from ?? '', to: search.to ?? '' } : undefined}
        queue={search.queue}
        name={search.name}
        onZoom={(from, to) =>
          void navigate({ search: (before) => ({ ...before, from: from.toISOString(), to: to.toISOString() }) })
        }
      />
      <Panel title="Queues now" isFlush>
        <Table
          caption="Queues now"
          rows={now.data?.queues}
          error={now.error}
          keyOf={({ name }) => name}
          columns={[
            {
              title: 'Queue',
              cell: ({ name }) => <QueueLink name={name} />,
            },
            { title: 'State', cell: (queue) => <QueueState queue={queue} /> },
            { title: 'Waiting', isNumber: true, cell: ({ waiting }) => formatCount(waiting) },
            { title: 'Oldest', isNumber: true, cell: ({ oldest_waiting_seconds: oldest }) => durationOrDash(oldest) },
            { title: 'Rate', isNumber: true, cell: ({ rate_per_second: rate }) => formatRate(rate) },
            {
              title: 'Wait p95',
              isNumber: true,
              isMinor: true,
              cell: ({ wait_p95_seconds: wait }) => durationOrDash(wait),
            },
            {
              title: 'Run p95',
              isNumber: true,
              isMinor: true,
              cell: ({ run_p95_seconds: run }) => durationOrDash(run),
            },
            { title: 'Workers', isNumber: true, cell: ({ consumers }) => formatCount(consumers) },
            {
              title: 'Busy',
              isNumber: true,
              isMinor: true,
              cell: ({ busy, slots }) => `${formatCount(busy)} of ${formatCount(slots)}`,
            },
          ]}
        />
      </Panel>
    </Page>
  )
}

const slotsOf = ({ queues }: Schemas['StatisticsNow']): number => queues.reduce((sum, { slots }) => sum + slots, 0)

const oldestOf = (now: Schemas['StatisticsNow'] | undefined): number | null =>
  (now?.queues ?? []).reduce<number | null>(
    (oldest, { oldest_waiting_seconds: age }) => (age === null ? oldest : Math.max(oldest ?? 0, age)),
    null,
  )
