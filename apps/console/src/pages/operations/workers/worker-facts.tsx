import { query, type Schemas } from '../../../api/client.ts'
import { livePeriod } from '../../../api/query-client.ts'
import { formatBytes, formatCount, formatNumber } from '../../../format/numbers.ts'
import { plainWords } from '../../../format/words.ts'
import { Id } from '../../../ui/copy.tsx'
import { Facts } from '../../../ui/facts.tsx'
import { ModelLink } from '../../../ui/links.tsx'
import { Columns, Panel } from '../../../ui/page.tsx'
import { Status } from '../../../ui/status.tsx'
import { Table } from '../../../ui/table.tsx'
import { Time } from '../../../ui/time.tsx'

type Worker = Schemas['Worker']

/** What the broker holds for the queues of this worker. */
export const BrokerTab = ({ worker }: { readonly worker: Worker }) => {
  const { data, error, refetch } = query.useQuery('get', '/v1/queues', {}, { refetchInterval: livePeriod.slow })
  return (
    <Panel
      title="Broker"
      hint="It carries ids of tasks; the tasks themselves are in the database. If it is lost, its queues are filled again from there."
      isFlush
    >
      <Table
        caption="Jobs in the broker"
        rows={data?.items.filter(({ name }) => worker.queues.includes(name))}
        error={error}
        onRetry={() => void refetch()}
        keyOf={({ name }) => name}
        columns={[
          { title: 'Queue', cell: ({ name }) => name },
          {
            title: 'Broker',
            cell: ({ broker }) =>
              broker === null ? <Status tone="bad">does not respond</Status> : <Status tone="ok">responds</Status>,
          },
          { title: 'Waiting', isNumber: true, cell: ({ broker }) => (broker ? formatCount(broker.waiting) : '-') },
          { title: 'Active', isNumber: true, cell: ({ broker }) => (broker ? formatCount(broker.active) : '-') },
          { title: 'Delayed', isNumber: true, cell: ({ broker }) => (broker ? formatCount(broker.delayed) : '-') },
        ]}
      />
    </Panel>
  )
}

/** How the worker was started. */
export const ConfigTab = ({ worker }: { readonly worker: Worker }) => (
  <Columns>
    <Panel title="Configuration" hint="As it reports it; secrets and addresses are not reported.">
      <Facts
        of={[
          ['Name', worker.name],
          ['Pool', worker.pool],
          ['Slots', formatCount(worker.concurrency)],
          ['Queues', worker.queues.join(', ') || 'none'],
          [
            'Autoscale',
            worker.stats['autoscale_max'] === undefined
              ? 'off'
              : `${worker.stats['autoscale_min']} to ${worker.stats['autoscale_max']}`,
          ],
          ['Tasks', worker.tasks.join(', ')],
        ]}
      />
    </Panel>
    <Panel title="Models that are ready">
      <ul>
        {worker.models.map((reference) => (
          <li key={reference}>
            <ModelLink reference={reference} />
          </li>
        ))}
      </ul>
    </Panel>
  </Columns>
)

/** Numbers that are no counters of tasks, by how they are written. */
const written = (name: string, value: number): string => {
  if (name.endsWith('_bytes')) return formatBytes(value)
  if (name.endsWith('_ms')) return `${formatNumber(value)} ms`
  return formatNumber(value)
}

/** Where the worker runs, and how it is. */
export const SystemTab = ({ worker }: { readonly worker: Worker }) => (
  <Columns>
    <Panel title="Process">
      <Facts
        of={[
          ['Host', worker.hostname],
          ['Process', worker.pid],
          ['Id', <Id key="id" id={worker.id} />],
          ['Started', <Time key="started" at={worker.started_at} />],
          ['Last heartbeat', <Time key="heartbeat" at={worker.heartbeat_at} isAge />],
        ]}
      />
    </Panel>
    <Panel title="Numbers" hint="From its last heartbeat">
      <Facts of={Object.entries(worker.stats).map(([name, value]) => [plainWords(name), written(name, value)])} />
    </Panel>
    <Panel title="Versions">
      <Facts of={Object.entries(worker.versions)} />
    </Panel>
  </Columns>
)
