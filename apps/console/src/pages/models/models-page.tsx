import { Link } from '@tanstack/react-router'
import { query, type Schemas } from '../../api/client.ts'
import { livePeriod } from '../../api/query-client.ts'
import { formatNumber, plural } from '../../format/numbers.ts'
import { Empty } from '../../ui/empty.tsx'
import { Notice } from '../../ui/notice.tsx'
import { Page, Panel } from '../../ui/page.tsx'
import { Table, type Column } from '../../ui/table.tsx'
import { ModelStatus, ModelUse, wordsOfMetric } from './model-status.tsx'
import classes from './models.module.css'

type Model = Schemas['Model']

const columns: readonly Column<Model>[] = [
  {
    title: 'Model',
    isWide: true,
    cell: ({ name, version, title }) => (
      <div>
        <Link to="/models/$name/$version" params={{ name, version }} className={classes.name}>
          {title}
        </Link>
        <div className={classes.note}>
          <code>
            {name}@{version}
          </code>
        </div>
      </div>
    ),
  },
  { title: 'Gives', cell: ({ kind }) => kind },
  { title: 'State', cell: ({ state }) => <ModelStatus state={state} /> },
  { title: 'In use', cell: (model) => <ModelUse {...model} /> },
  {
    title: 'Workers',
    isNumber: true,
    cell: ({ workers }) => `${workers.filter(({ state }) => state === 'ready').length} of ${workers.length}`,
  },
  { title: 'Inputs', isNumber: true, isMinor: true, cell: ({ inputs }) => formatNumber(inputs.length) },
  {
    title: 'Quality',
    isMinor: true,
    cell: ({ metrics }) => {
      const [first] = Object.entries(metrics)
      return first ? `${wordsOfMetric(first[0])} ${formatNumber(first[1])}` : '-'
    },
  },
]

/** The models of the service, their versions, and which of them serve. */
export const ModelsPage = () => {
  const { data, error, refetch } = query.useQuery('get', '/v1/models', {}, { refetchInterval: livePeriod.slow })
  const broken = data?.items.filter(({ state }) => state === 'broken') ?? []
  return (
    <Page
      title="Models"
      lead="The active version of a model serves requests that name none. A shadow runs on the same inputs, only to be compared."
    >
      {broken.map(({ name, version, reason }) => (
        <Notice key={`${name}@${version}`} kind="bad" title={`${name}@${version} is broken on its workers`}>
          {reason ?? 'The worker gave no reason; its log has more.'}
        </Notice>
      ))}
      {data && data.unreadable.length > 0 && (
        <Notice kind="warn" title={`${plural(data.unreadable.length, 'folder holds', 'folders hold')} no usable model`}>
          <ul className={classes.list}>
            {data.unreadable.map(({ model, reason }) => (
              <li key={model}>
                <code>{model}</code>: {reason}
              </li>
            ))}
          </ul>
        </Notice>
      )}
      <Panel isFlush>
        <Table
          caption="Models"
          rows={data?.items}
          error={error}
          onRetry={() => void refetch()}
          keyOf={({ name, version }) => `${name}@${version}`}
          columns={columns}
          empty={
            <Empty title="There is no model">
              Put a model into the folder that <code>MODELS_DIR</code> names; the service finds it by itself.
            </Empty>
          }
        />
      </Panel>
    </Page>
  )
}
