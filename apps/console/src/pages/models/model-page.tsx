import { getRouteApi, Link } from '@tanstack/react-router'
import { useState } from 'react'
import { query, type Schemas } from '../../api/client.ts'
import { livePeriod } from '../../api/query-client.ts'
import { useSession } from '../../session/session.tsx'
import { Failure } from '../../ui/failure.tsx'
import { Loading } from '../../ui/loading.tsx'
import { Notice } from '../../ui/notice.tsx'
import { Page, Panel } from '../../ui/page.tsx'
import { Table } from '../../ui/table.tsx'
import { ModelActions } from './model-actions.tsx'
import { ModelCard } from './model-card.tsx'
import { ModelStatus, ModelUse } from './model-status.tsx'
import { ShadowReport } from './shadow-report.tsx'

const route = getRouteApi('/models/$name/$version')

const Workers = ({ workers }: Pick<Schemas['ModelDetail'], 'workers'>) => (
  <Panel title="Workers that hold it" isFlush>
    <Table
      caption="Workers"
      rows={workers}
      keyOf={({ worker }) => worker}
      columns={[
        { title: 'Worker', cell: ({ worker }) => worker },
        { title: 'State', cell: ({ state }) => <ModelStatus state={state} /> },
        { title: 'Reason', isWide: true, cell: ({ reason }) => reason ?? '-' },
      ]}
      empty={<p style={{ padding: '0 20px 12px', margin: 0 }}>No running worker has it.</p>}
    />
  </Panel>
)

const OtherVersions = ({
  name,
  version,
  models,
}: {
  name: string
  version: string
  models: readonly Schemas['Model'][]
}) => {
  const others = models.filter((other) => other.name === name && other.version !== version)
  if (others.length === 0) return undefined
  return (
    <Panel title="Other versions" isFlush>
      <Table
        caption="Other versions"
        rows={others}
        keyOf={(other) => other.version}
        columns={[
          {
            title: 'Version',
            cell: (other) => (
              <Link to="/models/$name/$version" params={{ name, version: other.version }}>
                {other.version}
              </Link>
            ),
          },
          { title: 'State', cell: ({ state }) => <ModelStatus state={state} /> },
          { title: 'In use', cell: (other) => <ModelUse {...other} /> },
          { title: 'Title', isWide: true, cell: ({ title }) => title },
        ]}
      />
    </Panel>
  )
}

/** One version of a model: its card, and what it is used for. */
export const ModelPage = () => {
  const { name, version } = route.useParams()
  const { may } = useSession()
  const [done, setDone] = useState<string>()
  const { data, error, refetch } = query.useQuery(
    'get',
    '/v1/models/{name}/{version}',
    { params: { path: { name, version } } },
    { refetchInterval: livePeriod.slow },
  )
  const all = query.useQuery('get', '/v1/models', {}, { refetchInterval: livePeriod.slow })
  const models = all.data?.items ?? []
  const active = models.find((other) => other.name === name && other.is_active)?.version
  return (
    <Page
      title={data?.title ?? `${name}@${version}`}
      badge={
        data && (
          <>
            <code>
              {name}@{version}
            </code>
            <ModelStatus state={data.state} />
            <ModelUse {...data} />
          </>
        )
      }
      lead={data?.summary}
      actions={data && may('operator') && <ModelActions detail={data} active={active} onDone={setDone} />}
    >
      {error && !data && <Failure error={error} onRetry={() => void refetch()} />}
      {!error && !data && <Loading lines={8} />}
      {done !== undefined && <Notice kind="ok">{done}</Notice>}
      {data && (
        <>
          {data.reason !== null && (
            <Notice kind="bad" title="This version is broken on its workers">
              {data.reason}
            </Notice>
          )}
          <Notice kind="info">{data.disclaimer}</Notice>
          <ShadowReport name={name} version={version} />
          <ModelCard detail={data} />
          <Workers workers={data.workers} />
          <OtherVersions name={name} version={version} models={models} />
        </>
      )}
    </Page>
  )
}
