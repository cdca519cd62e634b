import { Link } from '@tanstack/react-router'
import type { Schemas } from '../../../api/client.ts'
import { formatCount, plural } from '../../../format/numbers.ts'
import { plainWords } from '../../../format/words.ts'
import { Panel } from '../../../ui/page.tsx'
import { TaskStatus } from '../../../ui/status.tsx'
import { Table } from '../../../ui/table.tsx'
import { ShowAll } from './show-all.tsx'

interface TaskChildrenProps {
  readonly task: Schemas['Task']
  readonly isWhole: boolean
  readonly onWhole: () => void
}

/** Children that are shown before somebody asks for all. */
const shown = 20

/** The tasks that a task has called. */
export const TaskChildren = ({ task: { id, children }, isWhole, onWhole }: TaskChildrenProps) => {
  const counts = new Map<string, number>()
  for (const { state } of children) counts.set(state, (counts.get(state) ?? 0) + 1)
  const byState = [...counts].map(([state, count]) => `${formatCount(count)} ${plainWords(state)}`).join(', ')
  return (
    <Panel
      title={plural(children.length, 'called task')}
      hint={byState}
      actions={
        <Link to="/tasks" search={{ q: `id:${id}` }}>
          Search them
        </Link>
      }
      isFlush
    >
      <Table
        caption="Called tasks"
        rows={isWhole ? children : children.slice(0, shown)}
        keyOf={(child) => child.id}
        columns={[
          { title: 'State', cell: ({ state }) => <TaskStatus state={state} /> },
          {
            title: 'Task',
            isWide: true,
            cell: (child) => (
              <Link to="/tasks/$id" params={{ id: child.id }}>
                {child.name} <code>{child.id.slice(-6)}</code>
              </Link>
            ),
          },
        ]}
        footer={
          !isWhole &&
          children.length > shown && <ShowAll words={`Show all ${formatCount(children.length)}`} onClick={onWhole} />
        }
      />
    </Panel>
  )
}
