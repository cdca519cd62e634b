import { Button, SegmentedControl } from '@mantine/core'
import { useMutation } from '@tanstack/react-query'
import { getRouteApi } from '@tanstack/react-router'
import { api, query, type Schemas } from '../../api/client.ts'
import { livePeriod } from '../../api/query-client.ts'
import { useRefresh } from '../../api/refresh.ts'
import { Empty } from '../../ui/empty.tsx'
import { Failure } from '../../ui/failure.tsx'
import { TaskLink } from '../../ui/links.tsx'
import { Panel } from '../../ui/page.tsx'
import { Pager } from '../../ui/pager.tsx'
import { Status, type Tone } from '../../ui/status.tsx'
import { Table, type Column } from '../../ui/table.tsx'
import { Time } from '../../ui/time.tsx'

const route = getRouteApi('/webhooks/$id')

type Delivery = Schemas['WebhookDelivery']

const toneOf: Record<Delivery['state'], Tone> = { pending: 'info', delivered: 'ok', failed: 'bad' }

const columns: readonly Column<Delivery>[] = [
  { title: 'Created', cell: ({ created_at: at }) => <Time at={at} isAge /> },
  { title: 'Event', cell: ({ event }) => event },
  { title: 'Task', cell: ({ task_id: task }) => (task === null ? '-' : <TaskLink id={task} />) },
  { title: 'State', cell: ({ state }) => <Status tone={toneOf[state]}>{state}</Status> },
  { title: 'Attempts', isNumber: true, cell: ({ attempts }) => attempts },
  {
    title: 'Last response',
    isWide: true,
    cell: ({ status_code: status, error }) => [status, error].filter((part) => part !== null).join(': ') || '-',
  },
  { title: 'Next attempt', isMinor: true, cell: ({ next_attempt_at: at }) => <Time at={at} isAge /> },
]

/** What was sent to a webhook, and what came back. */
export const Deliveries = ({ id }: { readonly id: string }) => {
  const { state, cursor } = route.useSearch()
  const navigate = route.useNavigate()
  const refresh = useRefresh()
  const { data, error, refetch } = query.useQuery(
    'get',
    '/v1/webhooks/{id}/deliveries',
    { params: { path: { id }, query: { ...(state && { state }), ...(cursor !== undefined && { cursor }) } } },
    { refetchInterval: livePeriod.fast },
  )
  const redeliver = useMutation({
    mutationFn: (delivery: string) =>
      api.POST('/v1/webhooks/{id}/deliveries/{delivery}/redeliver', { params: { path: { id, delivery } } }),
    onSuccess: () => refresh('/v1/webhooks/{id}/deliveries'),
  })
  const again: Column<Delivery> = {
    title: 'Again',
    cell: (delivery) =>
      delivery.state === 'pending' ? undefined : (
        <Button
          size="compact-xs"
          variant="default"
          aria-label={`Send the message of ${delivery.event} again`}
          loading={redeliver.isPending && redeliver.variables === delivery.id}
          onClick={() => redeliver.mutate(delivery.id)}
        >
          Send again
        </Button>
      ),
  }
  return (
    <Panel
      title="Deliveries"
      hint="Newest first, kept for 30 days. A message that is sent again has the same id."
      actions={
        <SegmentedControl
          aria-label="Show"
          size="xs"
          value={state ?? 'all'}
          data={['all', 'pending', 'delivered', 'failed']}
          onChange={(value) => void navigate({ search: value === 'all' ? {} : { state: value } })}
        />
      }
      isFlush
    >
      {redeliver.isError && <Failure error={redeliver.error} />}
      <Table
        caption="Deliveries"
        rows={data?.items}
        error={error}
        onRetry={() => void refetch()}
        keyOf={(delivery) => delivery.id}
        columns={[...columns, again]}
        empty={<Empty title="Nothing was sent">Send a test message, or wait until a task ends.</Empty>}
        footer={
          <Pager
            cursor={cursor}
            nextCursor={data?.next_cursor}
            onMove={(next) => void navigate({ search: (before) => ({ ...before, cursor: next }) })}
          />
        }
      />
    </Panel>
  )
}
