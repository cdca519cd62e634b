import { Button } from '@mantine/core'
import { Link } from '@tanstack/react-router'
import type { ReactNode } from 'react'
import { problemOf } from '../../../api/problem.ts'
import { plural } from '../../../format/numbers.ts'
import { formatDuration } from '../../../format/times.ts'
import { useClock } from '../../../ui/clock.ts'
import { Empty } from '../../../ui/empty.tsx'
import { PersonLink, PredictionLink, QueueLink } from '../../../ui/links.tsx'
import { Panel } from '../../../ui/page.tsx'
import { Pager } from '../../../ui/pager.tsx'
import { Status, TaskStatus } from '../../../ui/status.tsx'
import { Table, type Column } from '../../../ui/table.tsx'
import { Time } from '../../../ui/time.tsx'
import { useTaskRows, type TaskRow } from './use-task-rows.ts'
import classes from './task-table.module.css'

/** How long a task has run or ran; '-' before it starts. */
const RunTime = ({ task }: { readonly task: TaskRow }) => {
  const isRunning = task.state === 'running'
  const now = useClock(isRunning)
  if (task.started_at === null || (task.finished_at === null && !isRunning)) return '-'
  const end = task.finished_at === null ? now : new Date(task.finished_at).getTime()
  return formatDuration(Math.max(end - new Date(task.started_at).getTime(), 0) / 1000)
}

const TaskCell = ({ task: { id, name, prediction_id: prediction, user_id: person } }: { readonly task: TaskRow }) => (
  <div className={classes.task}>
    <Link to="/tasks/$id" params={{ id }}>
      {name}
    </Link>
    <div>
      <code>{id.slice(-6)}</code>
      {prediction !== null && (
        <>
          {' · '}
          <PredictionLink id={prediction} />
        </>
      )}
      {person !== null && (
        <>
          {' · '}
          <PersonLink id={person} />
        </>
      )}
    </div>
  </div>
)

const columns: readonly Column<TaskRow>[] = [
  {
    title: 'State',
    cell: ({ state, hasLeft }) =>
      hasLeft ? <Status tone="idle">no longer matches</Status> : <TaskStatus state={state} />,
  },
  { title: 'Task', cell: (task) => <TaskCell task={task} /> },
  {
    title: 'Queue',
    isMinor: true,
    cell: ({ queue }) => <QueueLink name={queue} />,
  },
  {
    title: 'Worker',
    isMinor: true,
    cell: ({ worker }) =>
      worker === null ? (
        '-'
      ) : (
        <Link to="/workers/$name" params={{ name: worker }} className={classes.worker} title={worker}>
          {worker}
        </Link>
      ),
  },
  { title: 'Attempt', isNumber: true, isMinor: true, cell: ({ attempt }) => (attempt === 0 ? '-' : attempt) },
  { title: 'Created', isNumber: true, cell: ({ created_at: at }) => <Time at={at} isAge /> },
  { title: 'Took', isNumber: true, cell: (task) => <RunTime task={task} /> },
  {
    title: 'Error',
    isWide: true,
    cell: ({ error }) =>
      error && (
        <span title={error.message}>
          <code>{error.code}</code> {error.message}
        </span>
      ),
  },
]

interface TaskTableProps {
  readonly title: ReactNode
  readonly actions?: ReactNode
  readonly q: string
  readonly cursor: string | undefined
  readonly onMove: (cursor: string | undefined) => void
  readonly empty: ReactNode
}

/** What a search finds, newest first. */
export const TaskTable = ({ title, actions, q, cursor, onMove, empty }: TaskTableProps) => {
  const { rows, newCount, hasMoreNew, showNew, nextCursor, error } = useTaskRows(q, cursor)
  // The search box says which part, and why.
  const isNotUnderstood = error !== null && problemOf(error).status === 422 && rows === undefined
  const news = hasMoreNew ? `${newCount}+ new tasks` : plural(newCount, 'new task')
  return (
    <Panel
      title={title}
      isFlush
      actions={
        <div className={classes.actions}>
          <span role="status">
            {newCount > 0 && (
              <Button variant="light" size="xs" onClick={showNew}>
                {news}
              </Button>
            )}
          </span>
          {actions}
        </div>
      }
    >
      {isNotUnderstood && (
        <Empty title="Not searched yet">A part of the search is not understood: change or remove it.</Empty>
      )}
      {!isNotUnderstood && (
        <Table
          caption="Tasks"
          columns={columns}
          rows={rows}
          keyOf={({ id }) => id}
          error={error}
          onRetry={showNew}
          empty={empty}
          footer={<Pager cursor={cursor} nextCursor={nextCursor} onMove={onMove} />}
        />
      )}
    </Panel>
  )
}
