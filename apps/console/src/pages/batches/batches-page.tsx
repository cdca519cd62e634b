import { Button, Progress } from '@mantine/core'
import { getRouteApi, Link } from '@tanstack/react-router'
import { query, type Schemas } from '../../api/client.ts'
import { livePeriod } from '../../api/query-client.ts'
import { formatCount, formatPercent } from '../../format/numbers.ts'
import { referenceOf } from '../../format/words.ts'
import { useSession } from '../../session/session.tsx'
import { Empty } from '../../ui/empty.tsx'
import { ModelLink } from '../../ui/links.tsx'
import { Page, Panel } from '../../ui/page.tsx'
import { Pager } from '../../ui/pager.tsx'
import { TaskStatus } from '../../ui/status.tsx'
import { Table, type Column } from '../../ui/table.tsx'
import { Time } from '../../ui/time.tsx'

const route = getRouteApi('/batches')

type Batch = Schemas['BatchPage']['items'][number]

const columns: readonly Column<Batch>[] = [
  {
    title: 'Batch',
    cell: ({ id, created_at: at }) => (
      <Link to="/batches/$id" params={{ id }} title={id}>
        <Time at={at} />
      </Link>
    ),
  },
  { title: 'State', cell: ({ state }) => <TaskStatus state={state} /> },
  {
    title: 'Done',
    cell: ({ percent, id }) => (
      <div style={{ minWidth: 110 }}>
        <span className="mg-numbers">{formatPercent(percent / 100)}</span>
        <Progress value={percent} size="sm" aria-label={`Done of the batch ${id.slice(-4)}`} />
      </div>
    ),
  },
  { title: 'Rows', isNumber: true, cell: ({ total }) => formatCount(total) },
  { title: 'With a result', isNumber: true, isMinor: true, cell: ({ succeeded }) => formatCount(succeeded) },
  { title: 'Without', isNumber: true, cell: ({ failed }) => formatCount(failed) },
  {
    title: 'Model',
    isMinor: true,
    isWide: true,
    cell: ({ model }) => <ModelLink reference={referenceOf(model)} />,
  },
]

/** Many people at once: the batches, newest first. */
export const BatchesPage = () => {
  const { cursor } = route.useSearch()
  const navigate = route.useNavigate()
  const { may } = useSession()
  const { data, error, refetch } = query.useQuery(
    'get',
    '/v1/batches',
    { params: { query: { ...(cursor !== undefined && { cursor }) } } },
    { refetchInterval: livePeriod.fast },
  )
  const send = may('submitter') && (
    <Button renderRoot={(props) => <Link to="/batches/new" {...props} />}>Send a file</Button>
  )
  return (
    <Page title="Batches" lead="The risks of many people at once, from a file of up to 1,000,000 rows." actions={send}>
      <Panel isFlush>
        <Table
          caption="Batches"
          rows={data?.items}
          error={error}
          onRetry={() => void refetch()}
          keyOf={({ id }) => id}
          columns={columns}
          empty={
            <Empty title="There is no batch yet">
              A CSV file with a column user_id and one for each measurement is enough.
            </Empty>
          }
          footer={
            <Pager
              cursor={cursor}
              nextCursor={data?.next_cursor}
              onMove={(next) => void navigate({ search: { cursor: next } })}
            />
          }
        />
      </Panel>
    </Page>
  )
}
