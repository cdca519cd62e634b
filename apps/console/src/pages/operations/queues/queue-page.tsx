import { Button, SegmentedControl, Select } from '@mantine/core'
import { getRouteApi, Link } from '@tanstack/react-router'
import { query, type Schemas } from '../../../api/client.ts'
import { livePeriod } from '../../../api/query-client.ts'
import { formatCount, formatRate, plural } from '../../../format/numbers.ts'
import { durationOrDash } from '../../../format/times.ts'
import { plainWords } from '../../../format/words.ts'
import { Empty } from '../../../ui/empty.tsx'
import { Facts, Stat, Stats } from '../../../ui/facts.tsx'
import { Failure } from '../../../ui/failure.tsx'
import { WorkerLink } from '../../../ui/links.tsx'
import { Loading } from '../../../ui/loading.tsx'
import { Columns, Page, Panel } from '../../../ui/page.tsx'
import { queueNames, ranges, rangeWords, type QueueName } from '../../overview/ranges.ts'
import { TaskTable } from '../tasks/task-table.tsx'
import { QueueActions, useQueueDialog } from './queue-actions.tsx'
import { QueueCharts } from './queue-charts.tsx'
import { QueueNotice, QueueState } from './queue-state.tsx'
import classes from './queues.module.css'

const route = getRouteApi('/queues/$name')

type QueueNow = Schemas['QueueNow']

/** One queue: what is wrong, how it stands and went, its workers and its tasks. */
export const QueuePage = () => {
  const { name } = route.useParams()
  const [ask, dialog] = useQueueDialog()
  const known = queueNames.find((each) => each === name)
  const now = query.useQuery('get', '/v1/stats/now', {}, { refetchInterval: livePeriod.fast })
  const queue = now.data?.queues.find((each) => each.name === name)
  if (!known)
    return (
      <Page title="Queue">
        <Panel>
          <Empty title={`There is no queue ${name}`} action={<Link to="/queues">All queues</Link>} />
        </Panel>
      </Page>
    )
  return (
    <Page
      title={name}
      badge={queue && <QueueState queue={queue} />}
      lead="A queue: its tasks wait here until a worker that consumes it has a free slot."
      actions={queue && <QueueActions queue={queue} onAsk={ask} />}
    >
      {now.isError && !queue && <Failure error={now.error} onRetry={() => void now.refetch()} />}
      {!now.isError && !queue && <Loading lines={3} />}
      {queue && <QueueNotice queue={queue} onAsk={ask} />}
      {queue && <QueueNumbers queue={queue} />}
      <QueueTimes name={known} />
      <Columns min={320}>
        <Consumers name={known} />
        <Scaling name={known} />
      </Columns>
      <QueueTasks name={known} />
      {dialog}
    </Page>
  )
}

const QueueNumbers = ({ queue }: { readonly queue: QueueNow }) => (
  <Stats>
    {(['queued', 'retrying', 'scheduled', 'running'] as const).map((state) => (
      <Stat
        key={state}
        label={`${state.charAt(0).toUpperCase()}${plainWords(state).slice(1)}`}
        value={formatCount(queue.depth[state] ?? 0)}
        note={state === 'running' && queue.slots > 0 ? `of ${formatCount(queue.slots)} slots` : 'tasks'}
      />
    ))}
    <Stat label="Oldest waiting" value={durationOrDash(queue.oldest_waiting_seconds)} note="since it could start" />
    <Stat label="Finished" value={formatRate(queue.rate_per_second)} note="tasks, over the last minutes" />
    <Stat label="Wait p95" value={durationOrDash(queue.wait_p95_seconds)} />
    <Stat label="Run p95" value={durationOrDash(queue.run_p95_seconds)} />
  </Stats>
)

const QueueTimes = ({ name }: { readonly name: QueueName }) => {
  const { range = '1h', from, to, states } = route.useSearch()
  const navigate = route.useNavigate()
  const between = from !== undefined && to !== undefined ? { from, to } : undefined
  return (
    <Panel
      title="Over time"
      actions={
        <>
          {between && (
            <Button variant="default" size="xs" onClick={() => void navigate({ search: { range, states } })}>
              Back to {rangeWords[range].toLowerCase()}
            </Button>
          )}
          <Select
            aria-label="Time"
            size="xs"
            w={160}
            allowDeselect={false}
            value={between ? null : range}
            placeholder="Chosen part"
            data={ranges.map((value) => ({ value, label: rangeWords[value] }))}
            onChange={(value) => value && void navigate({ search: { range: value, states }, resetScroll: false })}
          />
        </>
      }
    >
      <QueueCharts
        queue={name}
        range={range}
        between={between}
        onZoom={(start, end) =>
          void navigate({
            search: { range, states, from: start.toISOString(), to: end.toISOString() },
            resetScroll: false,
          })
        }
      />
    </Panel>
  )
}

const Consumers = ({ name }: { readonly name: QueueName }) => {
  const { data, error } = query.useQuery('get', '/v1/queues', {}, { refetchInterval: livePeriod.slow })
  const queue = data?.items.find((each) => each.name === name)
  return (
    <Panel title="Workers of this queue">
      {error && !data && <Failure error={error} />}
      {!error && !data && <Loading lines={2} />}
      {queue && queue.consumers.length === 0 && (
        <Empty title="No worker" action={<Link to="/workers">Open the workers</Link>}>
          Start one with <code>memoryguard worker --queues {name}</code>.
        </Empty>
      )}
      {queue && queue.consumers.length > 0 && (
        <ul className={classes.list}>
          {queue.consumers.map((worker) => (
            <li key={worker}>
              <WorkerLink name={worker} />
            </li>
          ))}
        </ul>
      )}
      {queue && (
        <p>
          {queue.broker === null
            ? 'The broker does not respond: tasks stay in the database and are enqueued when it is back.'
            : `The broker holds ${plural(queue.broker.waiting, 'waiting job')}, ${queue.broker.active} active and ${queue.broker.delayed} delayed.`}
        </p>
      )}
    </Panel>
  )
}

const Scaling = ({ name }: { readonly name: QueueName }) => {
  const { data, error } = query.useQuery(
    'get',
    '/v1/queues/{queue}/scaling',
    { params: { path: { queue: name } } },
    { refetchInterval: livePeriod.slow },
  )
  return (
    <Panel title="Workers that it needs" hint="So that what waits starts within 30 s, at the rate of the last minutes">
      {error && !data && <Failure error={error} />}
      {!error && !data && <Loading lines={2} />}
      {data && (
        <Facts
          of={[
            ['Needed', plural(data.desired_workers, 'worker')],
            ['There are', `${plural(data.consumers, 'worker')} with ${plural(data.slots, 'slot')}`],
            ['Busy', plural(data.busy, 'slot')],
          ]}
        />
      )}
    </Panel>
  )
}

const QueueTasks = ({ name }: { readonly name: QueueName }) => {
  const { states = 'unfinished', cursor, range, from, to } = route.useSearch()
  const navigate = route.useNavigate()
  const q = `queue:${name} state:${states === 'failed' ? 'failed,timed_out' : 'queued,scheduled,retrying,running'}`
  return (
    <TaskTable
      key={q}
      title="Tasks"
      q={q}
      cursor={cursor}
      onMove={(next) => void navigate({ search: { range, from, to, states, cursor: next }, resetScroll: false })}
      empty={<Empty title={states === 'failed' ? 'Nothing failed' : 'Nothing waits or runs'} />}
      actions={
        <>
          <SegmentedControl
            size="xs"
            aria-label="Which tasks"
            value={states}
            onChange={(value) =>
              void navigate({ search: { range, from, to, states: value }, replace: true, resetScroll: false })
            }
            data={[
              { value: 'unfinished', label: 'Unfinished' },
              { value: 'failed', label: 'Failed' },
            ]}
          />
          <Link to="/tasks" search={{ q }}>
            Open the search
          </Link>
        </>
      }
    />
  )
}
