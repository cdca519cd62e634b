import { Button, Group } from '@mantine/core'
import { getRouteApi } from '@tanstack/react-router'
import { useState } from 'react'
import { query, type Schemas } from '../../../api/client.ts'
import { useRefresh } from '../../../api/refresh.ts'
import { plainWords } from '../../../format/words.ts'
import { useSession } from '../../../session/session.tsx'
import { Confirm } from '../../../ui/confirm.tsx'
import { Empty } from '../../../ui/empty.tsx'
import { Panel } from '../../../ui/page.tsx'
import { Pager } from '../../../ui/pager.tsx'
import { Table, type Column } from '../../../ui/table.tsx'
import { Time } from '../../../ui/time.tsx'
import { formatValue, type ModelInput } from '../inputs.ts'
import { deleteMeasurement, useMetrics } from './metrics.ts'
import { MeasuredAt } from './measured-at.tsx'
import { MeasurementDialog } from './measurement-dialog.tsx'

type Measurement = Schemas['Measurement']

const route = getRouteApi('/people/$userId')

const wordsOf = (measurement: Measurement, metrics: readonly ModelInput[]): string =>
  Object.entries(measurement.health_metrics)
    .map(([name, value]) => {
      const input = metrics.find((each) => each.name === name)
      return input ? `${input.title} ${formatValue(input, value)}` : `${plainWords(name)} ${value}`
    })
    .join(', ')

type Open = { readonly kind: 'add' } | { readonly kind: 'correct' | 'delete'; readonly measurement: Measurement }

/** Dated measurements of a person: a forecast is made from these. */
export const Measurements = ({ userId }: { readonly userId: number }) => {
  const { may } = useSession()
  const { cursor } = route.useSearch()
  const navigate = route.useNavigate()
  const refresh = useRefresh()
  const [open, setOpen] = useState<Open>()
  const metrics = useMetrics()
  const page = query.useQuery('get', '/v1/users/{user_id}/health-metrics', {
    params: { path: { user_id: userId }, query: { limit: 25, ...(cursor !== undefined && { cursor }) } },
  })
  const close = () => setOpen(undefined)
  const readAgain = () => refresh('/v1/users/{user_id}/health-metrics')
  const done = async () => {
    await readAgain()
    close()
  }
  const actions: Column<Measurement> = {
    title: 'Change',
    cell: (measurement) => (
      <Group gap="xs" wrap="nowrap">
        <Button size="compact-sm" variant="default" onClick={() => setOpen({ kind: 'correct', measurement })}>
          Correct
        </Button>
        <Button size="compact-sm" variant="default" onClick={() => setOpen({ kind: 'delete', measurement })}>
          Delete
        </Button>
      </Group>
    ),
  }
  return (
    <Panel
      title="Measurements"
      hint="Forecasts are made from these. One that is changed does not change forecasts that stand already."
      actions={
        may('submitter') && (
          <Button disabled={metrics.length === 0} onClick={() => setOpen({ kind: 'add' })}>
            Add a measurement
          </Button>
        )
      }
      isFlush
    >
      <Table
        caption="Measurements"
        rows={page.data?.items}
        error={page.error}
        onRetry={() => void page.refetch()}
        keyOf={({ id }) => String(id)}
        empty={<Empty title="Nothing has been measured yet">With a dated MMSE score, a forecast can be made.</Empty>}
        columns={[
          { title: 'Measured', cell: ({ recorded_at: at }) => <MeasuredAt at={at} /> },
          {
            title: 'Values',
            isWide: true,
            cell: (row) => <span title={wordsOf(row, metrics)}>{wordsOf(row, metrics)}</span>,
          },
          { title: 'Recorded', isMinor: true, cell: ({ created_at: at }) => <Time at={at} isAge /> },
          ...(may('submitter') ? [actions] : []),
        ]}
      />
      <Pager
        cursor={cursor}
        nextCursor={page.data?.next_cursor}
        onMove={(next) => void navigate({ search: (before) => ({ ...before, cursor: next }) })}
      />
      {open && open.kind !== 'delete' && (
        <MeasurementDialog
          userId={userId}
          metrics={metrics}
          corrected={open.kind === 'correct' ? open.measurement : undefined}
          onChanged={readAgain}
          onClose={close}
        />
      )}
      {open?.kind === 'delete' && (
        <Confirm
          title="Delete this measurement"
          verb="Delete"
          isDangerous
          run={() => deleteMeasurement(open.measurement)}
          onDone={() => void done()}
          onClose={close}
        >
          <p>
            Removes {wordsOf(open.measurement, metrics)}, measured <MeasuredAt at={open.measurement.recorded_at} />.
            Forecasts that were made from it stay as they are.
          </p>
        </Confirm>
      )}
    </Panel>
  )
}
