import { Button } from '@mantine/core'
import { useState } from 'react'
import { query, type Schemas } from '../../../api/client.ts'
import { livePeriod } from '../../../api/query-client.ts'
import { formatCount } from '../../../format/numbers.ts'
import { Confirm } from '../../../ui/confirm.tsx'
import { QueueLink } from '../../../ui/links.tsx'
import { Panel } from '../../../ui/page.tsx'
import { Status } from '../../../ui/status.tsx'
import { Table } from '../../../ui/table.tsx'
import { useCommands } from './worker-commands.tsx'

/** Which queues the worker consumes. */
export const QueuesTab = ({ worker }: { readonly worker: Schemas['Worker'] }) => {
  const { canSend, isPending, send, sendAndWait } = useCommands()
  const [leaving, setLeaving] = useState<Schemas['QueueNow']>()
  const { data, error, refetch } = query.useQuery('get', '/v1/stats/now', {}, { refetchInterval: livePeriod.fast })
  const consumes = (name: string) => worker.queues.includes(name)
  return (
    <Panel title="Queues" hint="A change lasts until the worker is started again." isFlush>
      <Table
        caption="Queues of this worker"
        rows={data?.queues}
        error={error}
        onRetry={() => void refetch()}
        keyOf={({ name }) => name}
        columns={[
          {
            title: 'Queue',
            cell: ({ name }) => <QueueLink name={name} />,
          },
          {
            title: 'This worker',
            cell: ({ name }) =>
              consumes(name) ? (
                <Status tone="ok">consumes it</Status>
              ) : (
                <Status tone="idle">does not consume it</Status>
              ),
          },
          { title: 'Waiting', isNumber: true, cell: ({ waiting }) => formatCount(waiting) },
          { title: 'Workers', isNumber: true, cell: ({ consumers }) => formatCount(consumers) },
          ...(canSend
            ? [
                {
                  title: 'Change',
                  cell: (queue: Schemas['QueueNow']) =>
                    consumes(queue.name) ? (
                      <Button
                        size="compact-sm"
                        variant="default"
                        aria-label={`Stop consuming ${queue.name}`}
                        onClick={() => setLeaving(queue)}
                      >
                        Stop consuming …
                      </Button>
                    ) : (
                      <Button
                        size="compact-sm"
                        loading={isPending}
                        aria-label={`Consume ${queue.name}`}
                        onClick={() => send('add-consumer', { queue: queue.name })}
                      >
                        Consume
                      </Button>
                    ),
                },
              ]
            : []),
        ]}
      />
      {leaving && (
        <Confirm
          title={`Stop consuming ${leaving.name}`}
          verb="Stop consuming"
          run={() => sendAndWait('cancel-consumer', { queue: leaving.name })}
          onClose={() => setLeaving(undefined)}
        >
          {worker.name} starts no further task of {leaving.name}; running ones go on.{' '}
          {leaving.consumers <= 1 && 'No other worker consumes it: its tasks will wait.'}
        </Confirm>
      )}
    </Panel>
  )
}
