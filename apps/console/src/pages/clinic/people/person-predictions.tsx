import { getRouteApi, Link } from '@tanstack/react-router'
import { query, type Schemas } from '../../../api/client.ts'
import { livePeriod } from '../../../api/query-client.ts'
import { referenceOf } from '../../../format/words.ts'
import { useSession } from '../../../session/session.tsx'
import { Empty } from '../../../ui/empty.tsx'
import { Columns, Panel } from '../../../ui/page.tsx'
import { Pager } from '../../../ui/pager.tsx'
import { PredictionTable } from './prediction-table.tsx'
import { RiskChart, type RiskPoint } from './risk-chart.tsx'

const route = getRouteApi('/people/$userId')

/** Predictions of one model, oldest first. */
const pointsByModel = (predictions: readonly Schemas['Prediction'][]): ReadonlyMap<string, readonly RiskPoint[]> => {
  const found = new Map<string, RiskPoint[]>()
  for (const { model, risk_score: risk, confidence_interval: interval, created_at: at } of predictions.toReversed()) {
    if (risk === null) continue
    const name = referenceOf(model)
    found.set(name, [...(found.get(name) ?? []), { at, risk, interval }])
  }
  return found
}

/** What was predicted of a person: a chart for each model, and every prediction. */
export const PersonPredictions = ({ userId }: { readonly userId: number }) => {
  const { may } = useSession()
  const { cursor } = route.useSearch()
  const navigate = route.useNavigate()
  const page = query.useQuery(
    'get',
    '/v1/predictions',
    { params: { query: { user_id: userId, limit: 50, ...(cursor !== undefined && { cursor }) } } },
    { refetchInterval: cursor === undefined && livePeriod.slow },
  )
  const models = query.useQuery('get', '/v1/models', {}, { staleTime: 60_000 })
  const charts = pointsByModel(page.data?.items ?? [])
  const titleOf = (reference: string): string =>
    models.data?.items.find((model) => referenceOf(model) === reference)?.title ?? reference
  return (
    <>
      {charts.size > 0 && (
        <Columns min={420}>
          {[...charts].map(([reference, points]) => (
            <Panel key={reference}>
              <RiskChart title={titleOf(reference)} points={points} />
            </Panel>
          ))}
        </Columns>
      )}
      <Panel title="Predictions" hint={page.data?.items[0]?.disclaimer} isFlush>
        <PredictionTable
          page={page}
          empty={
            <Empty
              title="Nothing has been predicted of this person"
              action={
                may('submitter') && (
                  <Link to="/predict" search={{ person: String(userId) }}>
                    Make a prediction
                  </Link>
                )
              }
            />
          }
        />
        <Pager
          cursor={cursor}
          nextCursor={page.data?.next_cursor}
          onMove={(next) => void navigate({ search: (before) => ({ ...before, cursor: next }) })}
        />
      </Panel>
    </>
  )
}
