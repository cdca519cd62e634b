import type { Schemas } from '../../../api/client.ts'
import { formatCount } from '../../../format/numbers.ts'
import { formatDuration } from '../../../format/times.ts'
import { Panel } from '../../../ui/page.tsx'
import { TaskStatus } from '../../../ui/status.tsx'
import { Table } from '../../../ui/table.tsx'
import { Time } from '../../../ui/time.tsx'
import { ShowAll } from './show-all.tsx'

interface TaskTimelineProps {
  readonly task: Schemas['Task']
  readonly isWhole: boolean
  readonly onWhole: () => void
}

/** Changes that are shown before somebody asks for all. */
const shown = 20

/** Why a task waits again. */
const reasons: Record<string, string> = {
  lost: 'its worker was lost: it is done again',
  released: 'its worker handed it back, for example to stop',
}

/** Every change of the task's state. */
export const TaskTimeline = ({ task: { timeline, created_at: made }, isWhole, onWhole }: TaskTimelineProps) => {
  const rows = timeline.map((entry, place) => ({ ...entry, place }))
  return (
    <Panel title="Timeline" hint="Newest last, with the time since it was made" isFlush>
      <Table
        caption="Timeline"
        rows={isWhole ? rows : rows.slice(-shown)}
        keyOf={({ place }) => String(place)}
        columns={[
          { title: 'When', cell: ({ at }) => <Time at={at} /> },
          {
            title: 'After',
            isNumber: true,
            cell: ({ at }) => formatDuration((new Date(at).getTime() - new Date(made).getTime()) / 1000),
          },
          { title: 'State', cell: ({ state }) => <TaskStatus state={state} /> },
          { title: 'Attempt', isNumber: true, cell: ({ attempt }) => attempt ?? '-' },
          { title: 'Worker', isMinor: true, cell: ({ worker }) => worker ?? '-' },
          {
            title: 'Why',
            isWide: true,
            cell: ({ reason }) => (reason === undefined ? '' : (reasons[reason] ?? reason)),
          },
        ]}
        footer={
          !isWhole &&
          rows.length > shown && <ShowAll words={`Show all ${formatCount(rows.length)} changes`} onClick={onWhole} />
        }
      />
    </Panel>
  )
}
