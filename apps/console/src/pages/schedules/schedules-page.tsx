import { Button } from '@mantine/core'
import { getRouteApi, Link } from '@tanstack/react-router'
import { query, type Schemas } from '../../api/client.ts'
import { livePeriod } from '../../api/query-client.ts'
import { useRefresh } from '../../api/refresh.ts'
import { formatIn } from '../../format/times.ts'
import { useZone } from '../../format/zone.tsx'
import { useSession } from '../../session/session.tsx'
import { Empty } from '../../ui/empty.tsx'
import { TaskLink } from '../../ui/links.tsx'
import { Page, Panel } from '../../ui/page.tsx'
import { Pager } from '../../ui/pager.tsx'
import { Table, type Column } from '../../ui/table.tsx'
import { Time } from '../../ui/time.tsx'
import { ScheduleForm } from './schedule-form.tsx'
import { isShownZone, ScheduleStatus, timingOf } from './schedule-words.tsx'
import classes from './schedules.module.css'

const route = getRouteApi('/schedules')

type Schedule = Schemas['Schedule']

const Next = ({ next_run_at: next, time_zone: own }: Schedule) => {
  const { zone } = useZone()
  return (
    <div>
      <Time at={next} />
      {next !== null && own !== null && !isShownZone(own, zone) && (
        <div className={classes.note}>{formatIn(next, own)}</div>
      )}
    </div>
  )
}

const columns: readonly Column<Schedule>[] = [
  {
    title: 'Schedule',
    cell: ({ name, task }) => (
      <div>
        <Link to="/schedules/$name" params={{ name }}>
          {name}
        </Link>
        <div className={classes.note}>{task}</div>
      </div>
    ),
  },
  { title: 'State', cell: (schedule) => <ScheduleStatus {...schedule} /> },
  { title: 'When', isWide: true, cell: (schedule) => <span title={timingOf(schedule)}>{timingOf(schedule)}</span> },
  {
    title: 'Next',
    cell: (schedule) => <Next {...schedule} />,
  },
  {
    title: 'Last',
    isMinor: true,
    cell: ({ last_run_at: at, last_task_id: task }) => (
      <div>
        <Time at={at} isAge />
        {task !== null && (
          <div className={classes.note}>
            <TaskLink id={task} />
          </div>
        )}
      </div>
    ),
  },
]

/** Tasks that are sent again and again. */
export const SchedulesPage = () => {
  const { form, cursor } = route.useSearch()
  const navigate = route.useNavigate()
  const { may } = useSession()
  const refresh = useRefresh()
  const { data, error, refetch } = query.useQuery(
    'get',
    '/v1/schedules',
    { params: { query: { ...(cursor !== undefined && { cursor }) } } },
    { refetchInterval: livePeriod.fast },
  )
  const close = () => void navigate({ search: { cursor }, replace: true })
  const create = may('operator') && (
    <Button onClick={() => void navigate({ search: { cursor, form: 'new' } })}>Create a schedule</Button>
  )
  return (
    <Page
      title="Schedules"
      lead="Tasks that are sent again and again, by the clock or at an interval. Each time makes exactly one task."
      actions={create}
    >
      <Panel isFlush>
        <Table
          caption="Schedules"
          rows={data?.items}
          error={error}
          onRetry={() => void refetch()}
          keyOf={({ id }) => id}
          columns={columns}
          empty={
            <Empty title="There is no schedule">
              A schedule sends a task such as ml.update_forecasts each night, without anybody asking for it.
            </Empty>
          }
          footer={
            <Pager
              cursor={cursor}
              nextCursor={data?.next_cursor}
              onMove={(next) => void navigate({ search: { cursor: next } })}
            />
          }
        />
      </Panel>
      {form === 'new' && may('operator') && (
        <ScheduleForm
          onClose={close}
          onSaved={(schedule) => {
            void refresh('/v1/schedules')
            if (schedule) void navigate({ to: '/schedules/$name', params: { name: schedule.name }, search: {} })
          }}
        />
      )}
    </Page>
  )
}
