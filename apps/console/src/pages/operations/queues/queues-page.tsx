import { query, type Schemas } from '../../../api/client.ts'
import { livePeriod } from '../../../api/query-client.ts'
import { formatCount, formatRate } from '../../../format/numbers.ts'
import { durationOrDash } from '../../../format/times.ts'
import { useSession } from '../../../session/session.tsx'
import { QueueLink } from '../../../ui/links.tsx'
import { Page, Panel } from '../../../ui/page.tsx'
import { Table } from '../../../ui/table.tsx'
import { QueueActions, useQueueDialog } from './queue-actions.tsx'
import { QueueState } from './queue-state.tsx'
import classes from './queues.module.css'

type QueueNow = Schemas['QueueNow']

const orDash = (seconds: number | null): string => durationOrDash(seconds, 1)
const depthOf = (state: string) => (queue: QueueNow) => formatCount(queue.depth[state] ?? 0)

/** Every queue: what waits, how many workers consume it, and whether something is wrong. */
export const QueuesPage = () => {
  const { may } = useSession()
  const [ask, dialog] = useQueueDialog()
  const { data, error, refetch } = query.useQuery('get', '/v1/stats/now', {}, { refetchInterval: livePeriod.fast })
  return (
    <Page title="Queues" lead="What is waiting, and how many workers consume it. Updated every second.">
      <Panel isFlush>
        <Table
          caption="Queues"
          rows={data?.queues}
          error={error}
          onRetry={() => void refetch()}
          keyOf={({ name }) => name}
          columns={[
            {
              title: 'Queue',
              cell: ({ name }) => <QueueLink name={name} />,
            },
            { title: 'State', cell: (queue) => <QueueState queue={queue} /> },
            { title: 'Queued', isNumber: true, cell: depthOf('queued') },
            {
              title: 'Later',
              isNumber: true,
              isMinor: true,
              cell: ({ depth }) => formatCount((depth['scheduled'] ?? 0) + (depth['retrying'] ?? 0)),
            },
            { title: 'Running', isNumber: true, cell: depthOf('running') },
            { title: 'Oldest', isNumber: true, cell: ({ oldest_waiting_seconds: oldest }) => orDash(oldest) },
            { title: 'Rate', isNumber: true, isMinor: true, cell: ({ rate_per_second: rate }) => formatRate(rate) },
            {
              title: 'p95 wait, run',
              isNumber: true,
              isMinor: true,
              cell: ({ wait_p95_seconds: wait, run_p95_seconds: run }) => `${orDash(wait)}, ${orDash(run)}`,
            },
            { title: 'Workers', isNumber: true, cell: ({ consumers }) => formatCount(consumers) },
            {
              title: 'Busy',
              isNumber: true,
              isMinor: true,
              cell: ({ busy, slots }) => (slots === 0 ? '-' : `${formatCount(busy)} of ${formatCount(slots)}`),
            },
            ...(may('operator')
              ? [
                  {
                    title: 'Change',
                    cell: (queue: QueueNow) => (
                      <span className={classes.actions}>
                        <QueueActions queue={queue} onAsk={ask} size="xs" />
                      </span>
                    ),
                  },
                ]
              : []),
          ]}
        />
      </Panel>
      {dialog}
    </Page>
  )
}
