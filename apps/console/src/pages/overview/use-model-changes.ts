import { query } from '../../api/client.ts'
import { useSession } from '../../session/session.tsx'
import type { TimeMark } from '../../charts/time-chart.tsx'

/** When another model became active, for the charts. Only administrators may read it, from the audit trail. */
export const useModelChanges = (): readonly TimeMark[] => {
  const { may } = useSession()
  const options = { enabled: may('admin'), staleTime: 60_000 }
  const activated = query.useQuery(
    'get',
    '/v1/audit',
    { params: { query: { action: 'model.activate', limit: 20 } } },
    options,
  )
  const rolledBack = query.useQuery(
    'get',
    '/v1/audit',
    { params: { query: { action: 'model.rollback', limit: 20 } } },
    options,
  )
  return [...(activated.data?.items ?? []), ...(rolledBack.data?.items ?? [])].map(({ at, action, target }) => ({
    at,
    label: action === 'model.rollback' ? `${target} rolled back` : target,
  }))
}
