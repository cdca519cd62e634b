import { getRouteApi, Link } from '@tanstack/react-router'
import { query } from '../../../api/client.ts'
import { livePeriod } from '../../../api/query-client.ts'
import { formatCount } from '../../../format/numbers.ts'
import { Empty } from '../../../ui/empty.tsx'
import { Page, Panel } from '../../../ui/page.tsx'
import { Pager } from '../../../ui/pager.tsx'
import { Status } from '../../../ui/status.tsx'
import { Table } from '../../../ui/table.tsx'
import { Time } from '../../../ui/time.tsx'
import { filterWords, titleOf, toneOf } from './plan-words.ts'

const route = getRouteApi('/plans')

/** Changes of many tasks: what was chosen, and what has become of it. */
export const PlansPage = () => {
  const { cursor } = route.useSearch()
  const navigate = route.useNavigate()
  const { data, error, refetch } = query.useQuery(
    'get',
    '/v1/plans',
    { params: { query: { ...(cursor !== undefined && { cursor }), limit: 50 } } },
    { refetchInterval: livePeriod.slow },
  )
  return (
    <Page
      title="Plans"
      lead="A plan changes exactly the tasks that were chosen when it was created. Finished ones are kept for 30 days."
    >
      <Panel isFlush>
        <Table
          caption="Plans"
          rows={data?.items}
          error={error}
          onRetry={() => void refetch()}
          keyOf={({ id }) => id}
          empty={
            <Empty title="No plan yet" action={<Link to="/failures">Open the failures</Link>}>
              Search tasks and choose "Bulk actions": the plan appears here.
            </Empty>
          }
          columns={[
            { title: 'State', cell: ({ state }) => <Status tone={toneOf[state]}>{state}</Status> },
            {
              title: 'Plan',
              cell: (plan) => (
                <Link to="/plans/$id" params={{ id: plan.id }}>
                  {titleOf(plan)}
                </Link>
              ),
            },
            { title: 'Changed', isNumber: true, cell: ({ done }) => formatCount(done) },
            { title: 'Skipped', isNumber: true, isMinor: true, cell: ({ skipped }) => formatCount(skipped) },
            { title: 'Failed', isNumber: true, isMinor: true, cell: ({ failed }) => formatCount(failed) },
            { title: 'Created', isNumber: true, cell: ({ created_at: at }) => <Time at={at} isAge /> },
            { title: 'Chosen by', isWide: true, cell: ({ filter }) => <code>{filterWords(filter)}</code> },
          ]}
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
