import { Progress } from '@mantine/core'
import { getRouteApi, Link } from '@tanstack/react-router'
import { query, type Schemas } from '../../../api/client.ts'
import { livePeriod } from '../../../api/query-client.ts'
import { formatCount, plural } from '../../../format/numbers.ts'
import { formatDuration } from '../../../format/times.ts'
import { problemOf } from '../../../api/problem.ts'
import { Id } from '../../../ui/copy.tsx'
import { Empty } from '../../../ui/empty.tsx'
import { Facts } from '../../../ui/facts.tsx'
import { Failure } from '../../../ui/failure.tsx'
import { Json } from '../../../ui/json.tsx'
import { ModelLink, PersonLink, PredictionLink, QueueLink, TaskLink, WorkerLink } from '../../../ui/links.tsx'
import { Loading } from '../../../ui/loading.tsx'
import { Notice } from '../../../ui/notice.tsx'
import { Columns, Page, Panel } from '../../../ui/page.tsx'
import { isEnded, TaskStatus } from '../../../ui/status.tsx'
import { Time } from '../../../ui/time.tsx'
import { AttemptLanes } from './attempt-lanes.tsx'
import { TaskActions } from './task-actions.tsx'
import { TaskChildren } from './task-children.tsx'
import { TaskResult } from './task-result.tsx'
import { TaskTimeline } from './task-timeline.tsx'

const route = getRouteApi('/tasks/$id')

type Task = Schemas['Task']

/** A task with its attempts, what it belongs to, and what can be done with it. */
export const TaskPage = () => {
  const { id } = route.useParams()
  const { all, result } = route.useSearch()
  const navigate = route.useNavigate()
  const { data, error, refetch } = query.useQuery(
    'get',
    '/v1/tasks/{id}',
    { params: { path: { id } } },
    {
      refetchInterval: ({ state }) =>
        state.data && isEnded(state.data.state) ? livePeriod.slow : state.error ? false : livePeriod.fast,
    },
  )
  const reason = useReason(data)
  if (!data) return <TaskAbsent error={error} onRetry={() => void refetch()} />
  const show = (search: { all?: 'attempts' | 'children' | 'timeline'; result?: 'shown' }) =>
    void navigate({ search: { all, result, ...search }, replace: true, resetScroll: false })
  return (
    <Page
      title={data.name}
      badge={<TaskStatus state={data.state} />}
      lead={<Id id={data.id} isWhole />}
      actions={<TaskActions task={data} />}
    >
      <TaskNotices task={data} reason={reason} />
      {data.progress && !isEnded(data.state) && <TaskProgress progress={data.progress} />}
      <Panel title="Attempts" hint="On one scale of time">
        <AttemptLanes
          task={data}
          isWhole={all === 'attempts'}
          onWhole={() => show({ all: 'attempts' })}
          reason={reason}
        />
      </Panel>
      <Columns min={360}>
        <Panel title="About it">
          <TaskFacts task={data} />
        </Panel>
        <Panel title="Arguments" hint="Identifiers only; health data stands with the prediction">
          <Json value={data.args} label="the arguments" />
        </Panel>
      </Columns>
      {data.state === 'succeeded' && (
        <TaskResult id={data.id} isShown={result === 'shown'} onShow={() => show({ result: 'shown' })} />
      )}
      {data.children.length > 0 && (
        <TaskChildren task={data} isWhole={all === 'children'} onWhole={() => show({ all: 'children' })} />
      )}
      <TaskTimeline task={data} isWhole={all === 'timeline'} onWhole={() => show({ all: 'timeline' })} />
    </Page>
  )
}

const TaskAbsent = ({ error, onRetry }: { readonly error: unknown; readonly onRetry: () => void }) => (
  <Page title="Task">
    <Panel>
      {error === null && <Loading lines={6} />}
      {error !== null && [404, 410].includes(problemOf(error).status) && (
        <Empty title="There is no such task" action={<Link to="/tasks">Search tasks</Link>}>
          Its id may be mistyped, or it has been deleted since: ended tasks are kept for a time, and tasks about an
          erased person are removed with the person. Request <code>{problemOf(error).requestId}</code>
        </Empty>
      )}
      {error !== null && ![404, 410].includes(problemOf(error).status) && <Failure error={error} onRetry={onRetry} />}
    </Panel>
  </Page>
)

/** Why a task waits, from how its queue stands. */
const useReason = (task: Task | undefined): string | undefined => {
  const isWaiting = task?.state === 'queued' || task?.state === 'retrying'
  const { data } = query.useQuery('get', '/v1/stats/now', {}, { enabled: isWaiting, refetchInterval: livePeriod.slow })
  const queue = isWaiting ? data?.queues.find(({ name }) => name === task?.queue) : undefined
  if (queue?.problem === 'paused') return `the queue ${queue.name} is paused`
  if (queue?.problem === 'no_consumers') return `no worker consumes the queue ${queue.name}`
  return undefined
}

const TaskNotices = ({ task, reason }: { readonly task: Task; readonly reason: string | undefined }) => (
  <>
    {task.error && (
      <Notice kind={task.state === 'retrying' ? 'warn' : 'bad'} title={<code>{task.error.code}</code>}>
        {task.error.message}
        {task.crashes > 0 && ` Its process died ${plural(task.crashes, 'time')}.`}
      </Notice>
    )}
    {reason !== undefined && (
      <Notice
        kind="bad"
        title={`It waits because ${reason}`}
        action={
          <Link to="/queues/$name" params={{ name: task.queue }}>
            Open the queue
          </Link>
        }
      />
    )}
    {task.replay_id !== null && (
      <Notice
        kind="info"
        title="It was retried"
        action={
          <Link to="/tasks/$id" params={{ id: task.replay_id }}>
            Open the new task
          </Link>
        }
      />
    )}
    {task.revoke_requested_at !== null && !isEnded(task.state) && (
      <Notice kind="warn" title="A stop was requested">
        <Time at={task.revoke_requested_at} isAge />. It is not started again.
      </Notice>
    )}
  </>
)

const TaskProgress = ({ progress }: { readonly progress: NonNullable<Task['progress']> }) => (
  <Panel title="Progress">
    {progress.percent !== null && <Progress value={progress.percent} size="lg" aria-label="Progress of the task" />}
    <p>
      {[
        progress.percent !== null && `${Math.floor(progress.percent)} %`,
        progress.stage,
        progress.done !== null &&
          `${formatCount(progress.done)}${progress.total === null ? '' : ` of ${formatCount(progress.total)}`}`,
        progress.eta_seconds !== null && `about ${formatDuration(progress.eta_seconds)} more, at the pace so far`,
      ]
        .filter(Boolean)
        .join(', ')}
    </p>
  </Panel>
)

const TaskFacts = ({ task }: { readonly task: Task }) => {
  const isBatch = task.name === 'ml.batch_predictions'
  return (
    <Facts
      of={[
        ['Queue', <QueueLink key="queue" name={task.queue} />],
        ['Worker', task.worker === null ? '-' : <WorkerLink key="worker" name={task.worker} />],
        ['Prediction', task.prediction_id === null ? undefined : <PredictionLink key="p" id={task.prediction_id} />],
        ['Person', task.user_id === null ? undefined : <PersonLink key="u" id={task.user_id} />],
        [
          'Batch',
          isBatch ? (
            <Link key="b" to="/batches/$id" params={{ id: task.parent_id ?? task.id }}>
              this batch
            </Link>
          ) : undefined,
        ],
        ['Model', task.model === null ? undefined : <ModelLink key="m" reference={task.model} />],
        ['Called by', task.parent_id === null ? undefined : <TaskLink key="parent" id={task.parent_id} />],
        ['Retry of', task.replay_of === null ? undefined : <TaskLink key="original" id={task.replay_of} />],
        [
          'Sent by schedule',
          task.schedule === null ? undefined : task.schedule.name === null ? (
            'one that was deleted'
          ) : (
            <Link key="schedule" to="/schedules/$name" params={{ name: task.schedule.name }}>
              {task.schedule.name}
            </Link>
          ),
        ],
        ['Priority', task.priority],
        ['Attempts', `${task.attempt} started, ${task.retries} retried, ${task.crashes} lost to a crash`],
        ['Created', <Time key="created" at={task.created_at} />],
        ['Could start', <Time key="available" at={task.available_at} />],
        ['Expires', task.expires_at === null ? undefined : <Time key="expires" at={task.expires_at} />],
        ['Finished', task.finished_at === null ? undefined : <Time key="finished" at={task.finished_at} />],
        ['Sent with key', task.submitted_by === null ? 'the service itself' : <Id key="key" id={task.submitted_by} />],
        ['Celery id', task.celery_id === null ? undefined : <Id key="celery" id={task.celery_id} isWhole />],
        ['Trace', task.trace_id === null ? undefined : <Id key="trace" id={task.trace_id} isWhole />],
      ]}
    />
  )
}
