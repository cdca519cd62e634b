import { Link } from '@tanstack/react-router'
import type { Schemas } from '../../../api/client.ts'
import { TaskStatus } from '../../../ui/status.tsx'
import { Table } from '../../../ui/table.tsx'
import { Time } from '../../../ui/time.tsx'

/** The newest of the tasks of a plan. */
export const PlanSample = ({ plan: { sample, count } }: { readonly plan: Schemas['Plan'] }) => (
  <Table
    caption={sample.length < count ? `The newest ${sample.length} of them` : 'Its tasks'}
    rows={sample}
    keyOf={({ id }) => id}
    columns={[
      { title: 'State', cell: ({ state }) => <TaskStatus state={state} /> },
      {
        title: sample.length < count ? `Task (newest ${sample.length})` : 'Task',
        cell: ({ id, name }) => (
          <Link to="/tasks/$id" params={{ id }} target="_blank">
            {name} <code>{id.slice(-6)}</code>
          </Link>
        ),
      },
      { title: 'Queue', isMinor: true, cell: ({ queue }) => queue },
      { title: 'Error', cell: ({ error_code: code }) => (code === null ? '-' : <code>{code}</code>) },
      { title: 'Created', isNumber: true, cell: ({ created_at: at }) => <Time at={at} isAge /> },
    ]}
  />
)
