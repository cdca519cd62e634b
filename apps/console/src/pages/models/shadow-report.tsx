import { query, type Schemas } from '../../api/client.ts'
import { livePeriod } from '../../api/query-client.ts'
import { formatCount, formatNumber } from '../../format/numbers.ts'
import { Panel } from '../../ui/page.tsx'
import { Table, type Column } from '../../ui/table.tsx'
import { Time } from '../../ui/time.tsx'

type Report = Schemas['ShadowReport']['reports'][number]

/** A difference of probabilities in percentage points, with its sign. */
const points = (difference: number | null): string =>
  difference === null ? '-' : `${difference > 0 ? '+' : ''}${formatNumber(difference * 100)} points`

const changes = ({ category_changes: all }: Report): string => {
  const changed = all.filter(({ from, to }) => from !== to)
  return changed.length === 0
    ? 'none'
    : changed
        .map(({ from, to, count }) => `${from} to ${to}: ${formatCount(count)}`)
        .join(', ')
        .replaceAll('_', ' ')
}

const columns: readonly Column<Report>[] = [
  { title: 'Compared with', cell: ({ served }) => <code>{served}</code> },
  { title: 'People', isNumber: true, cell: ({ count }) => formatCount(count) },
  { title: 'Failed', isNumber: true, cell: ({ failed }) => formatCount(failed) },
  { title: 'Left out', isNumber: true, isMinor: true, cell: ({ skipped }) => formatCount(skipped) },
  { title: 'Mean difference', isNumber: true, cell: ({ mean_difference: mean }) => points(mean) },
  { title: 'Mean size', isNumber: true, isMinor: true, cell: ({ mean_absolute_difference: mean }) => points(mean) },
  { title: 'Largest', isNumber: true, cell: ({ max_absolute_difference: most }) => points(most) },
  { title: 'Changes of category', isWide: true, cell: changes },
]

/** How a shadow's results differ from those that were served; nothing for a version that never was one. */
export const ShadowReport = ({ name, version }: { readonly name: string; readonly version: string }) => {
  const { data } = query.useQuery(
    'get',
    '/v1/models/{name}/{version}/shadow',
    { params: { path: { name, version } } },
    { refetchInterval: livePeriod.slow },
  )
  if (!data || (!data.is_running && data.reports.length === 0)) return undefined
  return (
    <Panel
      title="As a shadow"
      hint={
        data.is_running ? (
          <>
            Runs since <Time at={data.since} />. Differences are this version's risk minus the served one, in percentage
            points.
          </>
        ) : (
          'Has ended. Differences are this version’s risk minus the served one, in percentage points.'
        )
      }
      isFlush
    >
      <Table
        caption="Differences of the shadow"
        rows={data.reports}
        keyOf={({ served }) => served}
        columns={columns}
        empty={
          <p style={{ padding: '0 20px 12px', margin: 0 }}>
            No prediction has been compared yet. Predictions that name a version are not compared.
          </p>
        }
      />
    </Panel>
  )
}
