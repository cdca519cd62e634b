import { getRouteApi } from '@tanstack/react-router'
import { useState, type ComponentProps } from 'react'
import { query, type Schemas } from '../../api/client.ts'
import { livePeriod } from '../../api/query-client.ts'
import { useRefresh } from '../../api/refresh.ts'
import { formatDuration, formatIn } from '../../format/times.ts'
import { useZone } from '../../format/zone.tsx'
import { useSession } from '../../session/session.tsx'
import { Empty } from '../../ui/empty.tsx'
import { Facts } from '../../ui/facts.tsx'
import { Failure } from '../../ui/failure.tsx'
import { Json } from '../../ui/json.tsx'
import { TaskLink } from '../../ui/links.tsx'
import { Loading } from '../../ui/loading.tsx'
import { Notice } from '../../ui/notice.tsx'
import { Columns, Page, Panel } from '../../ui/page.tsx'
import { TaskStatus } from '../../ui/status.tsx'
import { Table } from '../../ui/table.tsx'
import { Time } from '../../ui/time.tsx'
import { ScheduleActions } from './schedule-actions.tsx'
import { ScheduleForm } from './schedule-form.tsx'
import { catchUpWords, isShownZone, ScheduleStatus, timingOf } from './schedule-words.tsx'
import classes from './schedules.module.css'

const route = getRouteApi('/schedules/$name')

type Detail = Schemas['ScheduleDetail']
type Outcome = Parameters<ComponentProps<typeof ScheduleActions>['onDone']>[0]

const NextRuns = ({ schedule }: { readonly schedule: Detail }) => {
  const { zone } = useZone()
  const own = schedule.time_zone
  return (
    <Panel title="Next times" hint={timingOf(schedule)}>
      {schedule.next_runs.length === 0 ? (
        schedule.is_paused ? (
          'It is paused.'
        ) : (
          'None can be computed: look at its pattern and time zone.'
        )
      ) : (
        <ol className={classes.runs}>
          {schedule.next_runs.map((at) => (
            <li key={at}>
              <Time at={at} />
              {own !== null && !isShownZone(own, zone) && <span className={classes.own}>{formatIn(at, own)}</span>}
            </li>
          ))}
        </ol>
      )}
    </Panel>
  )
}

const Settings = ({ schedule }: { readonly schedule: Detail }) => (
  <Panel title="What it sends">
    <Facts
      of={[
        ['Task', schedule.task],
        [
          'Arguments',
          Object.keys(schedule.args).length === 0 ? 'none' : <Json value={schedule.args} label="Arguments" />,
        ],
        ['Pattern', schedule.cron === null ? undefined : <code>{schedule.cron}</code>],
        ['Missed times', catchUpWords[schedule.catch_up]],
        ['Queue', schedule.queue],
        ['Priority', String(schedule.priority)],
        ['Expires', schedule.expires_seconds === null ? 'never' : `after ${formatDuration(schedule.expires_seconds)}`],
        ['Changed', <Time at={schedule.updated_at} />],
        ['Created', <Time at={schedule.created_at} />],
      ]}
    />
  </Panel>
)

const RecentRuns = ({ runs }: { readonly runs: Detail['recent_runs'] }) => (
  <Panel title="Last tasks" isFlush>
    <Table
      caption="Last tasks"
      rows={runs}
      keyOf={({ task_id: id }) => id}
      columns={[
        { title: 'For', cell: ({ at }) => <Time at={at} /> },
        { title: 'State', cell: ({ state }) => <TaskStatus state={state} /> },
        { title: 'Task', cell: ({ task_id: id }) => <TaskLink id={id} /> },
      ]}
      empty={<Empty title="It has sent nothing yet" />}
    />
  </Panel>
)

const OutcomeNotice = ({ outcome }: { readonly outcome: Outcome }) =>
  'error' in outcome ? (
    <Failure error={outcome.error} />
  ) : (
    <Notice kind="ok">
      {outcome.words} {outcome.taskId !== undefined && <TaskLink id={outcome.taskId} />}
    </Notice>
  )

/** One schedule: when it runs, what it sends, and how that went. */
export const SchedulePage = () => {
  const { name } = route.useParams()
  const { form } = route.useSearch()
  const navigate = route.useNavigate()
  const { may } = useSession()
  const refresh = useRefresh()
  const [outcome, setOutcome] = useState<Outcome>()
  const { data, error, refetch } = query.useQuery(
    'get',
    '/v1/schedules/{id}',
    { params: { path: { id: name } } },
    { refetchInterval: livePeriod.fast },
  )
  const close = () => void navigate({ search: {}, replace: true })
  return (
    <Page
      title={name}
      badge={data && <ScheduleStatus {...data} />}
      lead={data && timingOf(data)}
      actions={data && may('operator') && <ScheduleActions schedule={data} onDone={setOutcome} />}
    >
      {error && !data && <Failure error={error} onRetry={() => void refetch()} />}
      {!error && !data && <Loading lines={6} />}
      {outcome && <OutcomeNotice outcome={outcome} />}
      {data && (
        <>
          <Columns>
            <NextRuns schedule={data} />
            <Settings schedule={data} />
          </Columns>
          <RecentRuns runs={data.recent_runs} />
        </>
      )}
      {data && form === 'edit' && may('operator') && (
        <ScheduleForm
          schedule={data}
          onClose={close}
          onSaved={() => {
            close()
            setOutcome({ words: 'It is saved; new times count from now.' })
            void refresh('/v1/schedules', '/v1/schedules/{id}')
          }}
        />
      )}
    </Page>
  )
}
