import { Button } from '@mantine/core'
import { Link } from '@tanstack/react-router'
import { useState } from 'react'
import { query, type Schemas } from '../../../api/client.ts'
import { livePeriod } from '../../../api/query-client.ts'
import { formatCapped } from '../../../format/numbers.ts'
import { useSession } from '../../../session/session.tsx'
import { Empty } from '../../../ui/empty.tsx'
import { Panel } from '../../../ui/page.tsx'
import { Table } from '../../../ui/table.tsx'
import { Time } from '../../../ui/time.tsx'
import { Revoke } from '../task/task-actions.tsx'
import classes from './worker.module.css'
import { wordOf } from '../tasks/search-words.ts'

type Worker = Schemas['Worker']

/** What the worker runs, and what it has processed. */
export const WorkerTasksTab = ({ worker }: { readonly worker: Worker }) => (
  <div className={classes.parts}>
    <ActiveTasks worker={worker} />
    <Panel
      title="Processed by kind of task"
      hint="Tasks that it ran last, as far as they are kept"
      actions={
        <Link to="/tasks" search={{ q: wordOf('worker', worker.name) }}>
          Search them
        </Link>
      }
      isFlush
    >
      <Table
        caption="Processed tasks by kind"
        rows={worker.tasks}
        keyOf={(name) => name}
        columns={[
          {
            title: 'Task',
            isWide: true,
            cell: (name) => (
              <Link to="/tasks" search={{ q: `${wordOf('worker', worker.name)} ${wordOf('name', name)}` }}>
                {name}
              </Link>
            ),
          },
          {
            title: 'Succeeded',
            isNumber: true,
            cell: (name) => <Count worker={worker.name} name={name} state="succeeded" />,
          },
          {
            title: 'Failed',
            isNumber: true,
            cell: (name) => <Count worker={worker.name} name={name} state="failed,timed_out" />,
          },
        ]}
      />
    </Panel>
  </div>
)

const Count = ({ worker, name, state }: { readonly worker: string; readonly name: string; readonly state: string }) => {
  const { data } = query.useQuery(
    'get',
    '/v1/tasks',
    { params: { query: { worker, name, state, limit: 1, count: 'true' } } },
    { refetchInterval: livePeriod.slow },
  )
  return data?.count === undefined ? '-' : formatCapped(data.count, data.count_is_capped ?? false)
}

const ActiveTasks = ({ worker }: { readonly worker: Worker }) => {
  const { may } = useSession()
  const [revoking, setRevoking] = useState<Schemas['TaskSummary']>()
  const close = () => setRevoking(undefined)
  const { data, error, refetch } = query.useQuery(
    'get',
    '/v1/tasks',
    { params: { query: { worker: worker.name, state: 'running', limit: 100 } } },
    { refetchInterval: livePeriod.fast },
  )
  return (
    <Panel
      title="Active"
      hint="A worker takes a task only when it has a free slot, so it holds none in reserve; what waits is with the queues."
      isFlush
    >
      <Table
        caption="Active tasks"
        rows={data?.items}
        error={error}
        onRetry={() => void refetch()}
        keyOf={({ id }) => id}
        empty={<Empty title="It runs no task now" />}
        columns={[
          {
            title: 'Task',
            cell: ({ id, name }) => (
              <Link to="/tasks/$id" params={{ id }}>
                {name} <code>{id.slice(-6)}</code>
              </Link>
            ),
          },
          { title: 'Queue', cell: ({ queue }) => queue },
          { title: 'Attempt', isNumber: true, cell: ({ attempt }) => attempt },
          { title: 'Started', isNumber: true, cell: ({ started_at: at }) => <Time at={at} isAge /> },
          ...(may('operator')
            ? [
                {
                  title: 'Change',
                  cell: (task: Schemas['TaskSummary']) => (
                    <Button
                      size="compact-sm"
                      variant="default"
                      aria-label={`Revoke ${task.name} ${task.id.slice(-6)}`}
                      onClick={() => setRevoking(task)}
                    >
                      Revoke …
                    </Button>
                  ),
                },
              ]
            : []),
        ]}
      />
      {revoking && <Revoke task={revoking} onClose={close} onDone={close} />}
    </Panel>
  )
}
