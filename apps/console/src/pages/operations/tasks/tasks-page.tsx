import { Button, Menu } from '@mantine/core'
import { getRouteApi, Link } from '@tanstack/react-router'
import { useEffect, useState } from 'react'
import { query } from '../../../api/client.ts'
import { livePeriod } from '../../../api/query-client.ts'
import { formatCapped } from '../../../format/numbers.ts'
import { useSession } from '../../../session/session.tsx'
import { Empty } from '../../../ui/empty.tsx'
import { Page } from '../../../ui/page.tsx'
import { PlanDialog } from '../plans/plan-dialog.tsx'
import type { PlanAction } from '../plans/plan-words.ts'
import { SendTask } from './send-task.tsx'
import { isFreeId } from './search-words.ts'
import { TaskSearch } from './task-search.tsx'
import { TaskTable } from './task-table.tsx'

const route = getRouteApi('/tasks')

/** How many tasks match, in words; counting stops at 10,000. */
const CountOf = ({ q }: { readonly q: string }) => {
  const { data, isError } = query.useQuery(
    'get',
    '/v1/tasks',
    { params: { query: { ...(q !== '' && { q }), limit: 1, count: 'true' } } },
    { refetchInterval: ({ state }) => (state.error ? false : livePeriod.slow) },
  )
  if (data?.count === undefined) return <>{isError ? 'Tasks' : 'Counting …'}</>
  const count = formatCapped(data.count, data.count_is_capped ?? false)
  return <>{data.count === 1 && !data.count_is_capped ? '1 task matches' : `${count} tasks match`}</>
}

/** Opens the task that a search by an id alone has found, if it is the only one. */
const useOnlyTask = (q: string) => {
  const navigate = route.useNavigate()
  const { data } = query.useQuery('get', '/v1/tasks', { params: { query: { q, limit: 2 } } }, { enabled: isFreeId(q) })
  const only = isFreeId(q) && data?.items.length === 1 ? data.items[0]?.id : undefined
  useEffect(() => {
    if (only !== undefined) void navigate({ to: '/tasks/$id', params: { id: only }, replace: true })
  }, [only, navigate])
}

/** Tasks by a search, newest first, and what can be done with all that it finds. */
export const TasksPage = () => {
  const { q = '', cursor, open } = route.useSearch()
  const navigate = route.useNavigate()
  const { may } = useSession()
  const [action, setAction] = useState<PlanAction>()
  useOnlyTask(q)
  const isSending = open === 'send' && may('submitter')
  return (
    <Page
      title="Tasks"
      lead="Newest first. Rows keep their place while they change."
      actions={
        <>
          {may('submitter') && (
            <Button variant="default" onClick={() => void navigate({ search: { q, cursor, open: 'send' } })}>
              Send a task
            </Button>
          )}
          {may('operator') && <BulkMenu onChoose={setAction} />}
        </>
      }
    >
      <TaskSearch q={q} onSearch={(next) => void navigate({ search: { q: next } })} />
      <TaskTable
        key={q}
        title={<CountOf q={q} />}
        q={q}
        cursor={cursor}
        onMove={(next) => void navigate({ search: { q, cursor: next } })}
        empty={
          <Empty
            title={q === '' ? 'No task has been sent yet' : 'No task matches'}
            action={q !== '' && <Link to="/tasks">Show all tasks</Link>}
          >
            {q === ''
              ? 'Tasks appear here as soon as predictions, batches or forecasts are submitted.'
              : 'Remove a part of the search. Ended tasks are kept for the time that the configuration says.'}
          </Empty>
        }
      />
      {isSending && (
        <SendTask
          onClose={() => void navigate({ search: { q, cursor } })}
          onSent={(id) => void navigate({ to: '/tasks/$id', params: { id } })}
        />
      )}
      {action && (
        <PlanDialog action={action} filter={q === '' ? {} : { q }} words={q} onClose={() => setAction(undefined)} />
      )}
    </Page>
  )
}

const BulkMenu = ({ onChoose }: { readonly onChoose: (action: PlanAction) => void }) => (
  <Menu position="bottom-end" withinPortal>
    <Menu.Target>
      <Button>Bulk actions</Button>
    </Menu.Target>
    <Menu.Dropdown>
      <Menu.Item onClick={() => onChoose('retry')}>Retry those that failed …</Menu.Item>
      <Menu.Item onClick={() => onChoose('revoke')}>Revoke those that have not ended …</Menu.Item>
      <Menu.Item onClick={() => onChoose('purge')}>Purge those that have not started …</Menu.Item>
    </Menu.Dropdown>
  </Menu>
)
