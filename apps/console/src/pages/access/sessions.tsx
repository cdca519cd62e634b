import { Button, SegmentedControl } from '@mantine/core'
import { getRouteApi } from '@tanstack/react-router'
import { useState } from 'react'
import { api, query, type Schemas } from '../../api/client.ts'
import { livePeriod } from '../../api/query-client.ts'
import { useRefresh } from '../../api/refresh.ts'
import { useSession } from '../../session/session.tsx'
import { Confirm } from '../../ui/confirm.tsx'
import { Panel } from '../../ui/page.tsx'
import { Status } from '../../ui/status.tsx'
import { Table, type Column } from '../../ui/table.tsx'
import { Time } from '../../ui/time.tsx'

const route = getRouteApi('/access')

type Session = Schemas['Session']

const methodWords: Record<Session['method'], string> = {
  key: 'API key',
  link: 'one-time link',
  oidc: 'organisation',
}

const columns: readonly Column<Session>[] = [
  { title: 'Who', isWide: true, cell: ({ name }) => <span title={name}>{name}</span> },
  { title: 'Role', cell: ({ role }) => role },
  { title: 'By', isMinor: true, cell: ({ method }) => methodWords[method] },
  { title: 'Began', isMinor: true, cell: ({ created_at: at }) => <Time at={at} isAge /> },
  { title: 'Last seen', cell: ({ last_seen_at: at }) => <Time at={at} isAge /> },
  { title: 'Ends at the latest', isMinor: true, cell: ({ expires_at: at }) => <Time at={at} /> },
]

/** Sessions of browsers: one's own, and everyone's for administrators. */
export const Sessions = () => {
  const { all } = route.useSearch()
  const navigate = route.useNavigate()
  const { me, may } = useSession()
  const refresh = useRefresh()
  const [ended, setEnded] = useState<Session>()
  const { data, error, refetch } = query.useQuery('get', '/v1/sessions', {}, { refetchInterval: livePeriod.slow })
  const isAll = may('admin') && all === 'yes'
  // The list names no caller, so that of an administrator is narrowed down by the name of the key.
  const rows = isAll ? data?.items : data?.items.filter(({ name }) => name === me.name)
  const end: Column<Session> = {
    title: 'End',
    cell: (session) =>
      session.is_current ? (
        <Status tone="info">this one</Status>
      ) : (
        <Button
          size="compact-xs"
          variant="default"
          aria-label={`End the session of ${session.name}`}
          onClick={() => setEnded(session)}
        >
          End
        </Button>
      ),
  }
  return (
    <Panel
      title="Sessions"
      hint="A browser that is signed in. It ends by itself when it is not used, and with the key that it began with."
      actions={
        may('admin') && (
          <SegmentedControl
            aria-label="Whose sessions"
            size="xs"
            value={isAll ? 'yes' : 'no'}
            data={[
              { value: 'no', label: 'Mine' },
              { value: 'yes', label: 'Everyone’s' },
            ]}
            onChange={(value) =>
              void navigate({ search: { tab: 'sessions', ...(value === 'yes' && { all: 'yes' as const }) } })
            }
          />
        )
      }
      isFlush
    >
      <Table
        caption="Sessions"
        rows={rows}
        error={error}
        onRetry={() => void refetch()}
        keyOf={({ id }) => id}
        columns={[...columns, end]}
      />
      {ended && (
        <Confirm
          title={`End the session of ${ended.name}`}
          verb="End the session"
          isDangerous
          onClose={() => setEnded(undefined)}
          run={async () => {
            await api.DELETE('/v1/sessions/{id}', { params: { path: { id: ended.id } } })
            await refresh('/v1/sessions')
          }}
        >
          Within 5 seconds that browser shows the sign-in again. What is typed there stays on its page.
        </Confirm>
      )}
    </Panel>
  )
}
