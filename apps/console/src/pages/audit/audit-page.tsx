import { Button } from '@mantine/core'
import { getRouteApi, Link } from '@tanstack/react-router'
import { query, type Schemas } from '../../api/client.ts'
import { livePeriod } from '../../api/query-client.ts'
import { Empty } from '../../ui/empty.tsx'
import { Page, Panel } from '../../ui/page.tsx'
import { Pager } from '../../ui/pager.tsx'
import { Table, type Column } from '../../ui/table.tsx'
import { Time } from '../../ui/time.tsx'
import { AuditFilters, type AuditSearch } from './audit-filters.tsx'
import { EntryDialog } from './entry-dialog.tsx'
import { useKeyNames } from './key-names.ts'
import { Verification } from './verification.tsx'

const route = getRouteApi('/audit')

type Entry = Schemas['AuditEntry']

const queryOf = ({ action, target, key, from, to }: AuditSearch) => ({
  ...(action !== undefined && { action }),
  ...(target !== undefined && { target }),
  ...(key !== undefined && { api_key_id: key }),
  ...(from !== undefined && { since: from }),
  ...(to !== undefined && { until: to }),
})

const columnsOf = (names: ReadonlyMap<string, string>): readonly Column<Entry>[] => [
  {
    title: 'Entry',
    cell: ({ id }) => (
      <Link to="/audit" search={(before) => ({ ...before, entry: String(id) })}>
        {id}
      </Link>
    ),
  },
  { title: 'When', cell: ({ at }) => <Time at={at} /> },
  {
    title: 'Who',
    cell: ({ api_key_id: key }) => (key === null ? '-' : (names.get(key) ?? <code title={key}>{key.slice(-6)}</code>)),
  },
  { title: 'What', cell: ({ action }) => <code>{action}</code> },
  { title: 'Target', isWide: true, cell: ({ target }) => <span title={target}>{target}</span> },
  {
    title: 'Request',
    isMinor: true,
    cell: ({ request_id: request }) => (request === null ? '-' : <code title={request}>{request.slice(0, 8)}…</code>),
  },
]

/** Who changed something, was rejected, or read whose data. */
export const AuditPage = () => {
  const { cursor, entry, ...search } = route.useSearch()
  const navigate = route.useNavigate()
  const names = useKeyNames()
  const { data, error, refetch } = query.useQuery(
    'get',
    '/v1/audit',
    { params: { query: { ...queryOf(search), ...(cursor !== undefined && { cursor }) } } },
    { refetchInterval: cursor === undefined ? livePeriod.slow : false },
  )
  const isFiltered = Object.values(search).some((value) => value !== undefined)
  return (
    <Page title="Audit" lead="Who changed something, was rejected, or read whose data. People are named by pseudonyms.">
      <Verification />
      <Panel
        title="Entries"
        actions={
          isFiltered && (
            <Button variant="default" size="xs" onClick={() => void navigate({ search: {} })}>
              Show all
            </Button>
          )
        }
        isFlush
      >
        <AuditFilters
          key={JSON.stringify(search)}
          search={search}
          names={names}
          onSearch={(wanted) => void navigate({ search: wanted })}
        />
        <Table
          caption="Entries"
          rows={data?.items}
          error={error}
          onRetry={() => void refetch()}
          keyOf={({ id }) => String(id)}
          columns={columnsOf(names)}
          empty={
            <Empty title="No entry matches">
              {isFiltered ? 'Search for less, or for another time.' : 'Nothing has been changed yet.'}
            </Empty>
          }
          footer={
            <Pager
              cursor={cursor}
              nextCursor={data?.next_cursor}
              onMove={(next) => void navigate({ search: (before) => ({ ...before, cursor: next }) })}
            />
          }
        />
      </Panel>
      {entry !== undefined && (
        <EntryDialog
          id={Number(entry)}
          names={names}
          onClose={() => void navigate({ search: (before) => ({ ...before, entry: undefined }), replace: true })}
        />
      )}
    </Page>
  )
}
