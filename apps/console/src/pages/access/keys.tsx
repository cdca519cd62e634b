import { Button } from '@mantine/core'
import { getRouteApi } from '@tanstack/react-router'
import { useState } from 'react'
import { api, query, type Schemas } from '../../api/client.ts'
import { livePeriod } from '../../api/query-client.ts'
import { useRefresh } from '../../api/refresh.ts'
import { useSession } from '../../session/session.tsx'
import { useClock } from '../../ui/clock.ts'
import { Confirm } from '../../ui/confirm.tsx'
import { Id } from '../../ui/copy.tsx'
import { Panel } from '../../ui/page.tsx'
import { Secret } from '../../ui/secret.tsx'
import { Status } from '../../ui/status.tsx'
import { Table, type Column } from '../../ui/table.tsx'
import { Time } from '../../ui/time.tsx'
import { KeyForm } from './key-form.tsx'

const route = getRouteApi('/access')

type ApiKey = Schemas['ApiKey']

const isOver = (at: string | null, now: number): boolean => at !== null && new Date(at).getTime() <= now

const KeyStatus = ({ revoked_at: revoked, expires_at: expires }: ApiKey) => {
  const now = useClock()
  if (revoked !== null) return <Status tone="idle">revoked</Status>
  return isOver(expires, now) ? <Status tone="idle">expired</Status> : <Status tone="ok">valid</Status>
}

const columns: readonly Column<ApiKey>[] = [
  { title: 'Name', isWide: true, cell: ({ name }) => <span title={name}>{name}</span> },
  { title: 'Role', cell: ({ role }) => role },
  { title: 'State', cell: (key) => <KeyStatus {...key} /> },
  { title: 'Bound to', isMinor: true, cell: ({ user_id: user }) => (user === null ? '-' : `person ${user}`) },
  { title: 'Created', isMinor: true, cell: ({ created_at: at }) => <Time at={at} isAge /> },
  { title: 'Expires', cell: ({ expires_at: at }) => (at === null ? 'never' : <Time at={at} />) },
  { title: 'Id', isMinor: true, cell: ({ id }) => <Id id={id} /> },
]

/** What stops when a key is revoked. */
const Effect = ({ apiKey, isMine }: { readonly apiKey: ApiKey; readonly isMine: boolean }) => (
  <>
    Within 5 seconds every process rejects the {apiKey.role} key “{apiKey.name}”: what uses it stops working, its event
    streams end, and so do the sessions that began with it. It cannot be made valid again.
    {isMine && <b> You are signed in with this key: your session ends too.</b>}
  </>
)

/** The API keys; for administrators. */
export const Keys = () => {
  const { form } = route.useSearch()
  const navigate = route.useNavigate()
  const { me } = useSession()
  const refresh = useRefresh()
  const [created, setCreated] = useState<Schemas['NewApiKey']>()
  const [revoked, setRevoked] = useState<ApiKey>()
  const { data, error, refetch } = query.useQuery('get', '/v1/api-keys', {}, { refetchInterval: livePeriod.slow })
  const close = () => void navigate({ search: { tab: 'keys' }, replace: true })
  const revoke: Column<ApiKey> = {
    title: 'Revoke',
    cell: (key) =>
      key.revoked_at === null && (
        <Button size="compact-xs" variant="default" aria-label={`Revoke ${key.name}`} onClick={() => setRevoked(key)}>
          Revoke
        </Button>
      ),
  }
  return (
    <Panel
      title="API keys"
      hint="One for each program. Only a hash of a key is stored."
      actions={<Button onClick={() => void navigate({ search: { tab: 'keys', form: 'new' } })}>Create a key</Button>}
      isFlush
    >
      <Table
        caption="API keys"
        rows={data?.items}
        error={error}
        onRetry={() => void refetch()}
        keyOf={({ id }) => id}
        columns={[...columns, revoke]}
      />
      {form === 'new' && (
        <KeyForm
          onClose={close}
          onCreated={(key) => {
            setCreated(key)
            close()
            void refresh('/v1/api-keys')
          }}
        />
      )}
      {created && (
        <Secret
          title={`The key “${created.name}” was created`}
          label="API key"
          value={created.key}
          onClose={() => setCreated(undefined)}
        >
          Copy it now and give it to the program that needs it. If it is lost, revoke it and create another.
        </Secret>
      )}
      {revoked && (
        <Confirm
          title={`Revoke the key “${revoked.name}”`}
          verb="Revoke"
          isDangerous
          onClose={() => setRevoked(undefined)}
          run={async () => {
            await api.DELETE('/v1/api-keys/{id}', { params: { path: { id: revoked.id } } })
            await refresh('/v1/api-keys', '/v1/sessions')
          }}
        >
          <Effect apiKey={revoked} isMine={revoked.id === me.id} />
        </Confirm>
      )}
    </Panel>
  )
}
