import { query } from '../../../api/client.ts'
import { livePeriod } from '../../../api/query-client.ts'
import { formatCount } from '../../../format/numbers.ts'
import { useClock } from '../../../ui/clock.ts'
import { Empty } from '../../../ui/empty.tsx'
import { WorkerLink } from '../../../ui/links.tsx'
import { Page, Panel } from '../../../ui/page.tsx'
import { Status } from '../../../ui/status.tsx'
import { Table } from '../../../ui/table.tsx'
import { Time } from '../../../ui/time.tsx'
import { standingOf } from './worker-words.ts'

/** The workers of the last day: which are there, and what they do. */
export const WorkersPage = () => {
  const now = useClock()
  const { data, error, refetch } = query.useQuery('get', '/v1/workers', {}, { refetchInterval: livePeriod.fast })
  return (
    <Page title="Workers" lead="Every worker of the last day, also those that have stopped or fell silent.">
      <Panel isFlush>
        <Table
          caption="Workers"
          rows={data?.items}
          error={error}
          onRetry={() => void refetch()}
          keyOf={({ id }) => id}
          empty={
            <Empty title="No worker in the last day">
              Start one with <code>memoryguard worker</code>. Until then tasks are accepted and wait.
            </Empty>
          }
          columns={[
            {
              title: 'Worker',
              cell: ({ name }) => <WorkerLink name={name} />,
            },
            {
              title: 'State',
              cell: (worker) => {
                const { tone, words } = standingOf(worker, now)
                return <Status tone={tone}>{words}</Status>
              },
            },
            { title: 'Active', isNumber: true, cell: ({ stats }) => countOf(stats['active']) },
            { title: 'Slots', isNumber: true, cell: ({ concurrency }) => formatCount(concurrency) },
            { title: 'Processed', isNumber: true, cell: ({ stats }) => countOf(stats['processed']) },
            { title: 'Failed', isNumber: true, isMinor: true, cell: ({ stats }) => countOf(stats['failed']) },
            { title: 'Heartbeat', isNumber: true, cell: ({ heartbeat_at: at }) => <Time at={at} isAge /> },
            { title: 'Started', isNumber: true, isMinor: true, cell: ({ started_at: at }) => <Time at={at} isAge /> },
            {
              title: 'Queues',
              isWide: true,
              cell: ({ queues }) => (queues.length === 0 ? 'none' : queues.join(', ')),
            },
          ]}
        />
      </Panel>
    </Page>
  )
}

const countOf = (count: number | undefined): string => (count === undefined ? '-' : formatCount(count))
