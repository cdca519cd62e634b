import { Button } from '@mantine/core'
import { getRouteApi, Link } from '@tanstack/react-router'
import { useState } from 'react'
import { query, type Schemas } from '../../api/client.ts'
import { livePeriod } from '../../api/query-client.ts'
import { useRefresh } from '../../api/refresh.ts'
import { useSession } from '../../session/session.tsx'
import { Empty } from '../../ui/empty.tsx'
import { Page, Panel } from '../../ui/page.tsx'
import { Secret } from '../../ui/secret.tsx'
import { Table, type Column } from '../../ui/table.tsx'
import { Time } from '../../ui/time.tsx'
import { WebhookForm } from './webhook-form.tsx'
import { WebhookStatus, wordsOfEvents } from './webhook-status.tsx'

const route = getRouteApi('/webhooks')

type Webhook = Schemas['Webhook']

const columns: readonly Column<Webhook>[] = [
  {
    title: 'URL',
    isWide: true,
    cell: ({ id, url }) => (
      <Link to="/webhooks/$id" params={{ id }}>
        {url}
      </Link>
    ),
  },
  { title: 'State', cell: (webhook) => <WebhookStatus {...webhook} /> },
  { title: 'For', isMinor: true, cell: ({ description }) => description ?? '-' },
  { title: 'Events', isMinor: true, cell: ({ events }) => wordsOfEvents(events) },
  { title: 'Tasks', isMinor: true, cell: ({ tasks }) => (tasks === null ? 'all' : tasks.join(', ')) },
  { title: 'Added', cell: ({ created_at: at }) => <Time at={at} isAge /> },
]

/** Who is told when tasks end. */
export const WebhooksPage = () => {
  const { form } = route.useSearch()
  const navigate = route.useNavigate()
  const { may } = useSession()
  const refresh = useRefresh()
  const [created, setCreated] = useState<Schemas['NewWebhook']>()
  const { data, error, refetch } = query.useQuery('get', '/v1/webhooks', {}, { refetchInterval: livePeriod.slow })
  const close = () => void navigate({ search: {}, replace: true })
  const add = may('admin') && <Button onClick={() => void navigate({ search: { form: 'new' } })}>Add a webhook</Button>
  return (
    <Page
      title="Webhooks"
      lead="Messages to other programs when tasks end, signed as in Standard Webhooks. They hold identifiers and states, never health data."
      actions={add}
    >
      <Panel isFlush>
        <Table
          caption="Webhooks"
          rows={data?.items}
          error={error}
          onRetry={() => void refetch()}
          keyOf={({ id }) => id}
          columns={columns}
          empty={
            <Empty title="There is no webhook">
              Add one to have a program of yours told when a prediction, a batch or another task ends.
            </Empty>
          }
        />
      </Panel>
      {form === 'new' && may('admin') && (
        <WebhookForm
          onClose={close}
          onSaved={(webhook) => {
            setCreated(webhook)
            close()
            void refresh('/v1/webhooks')
          }}
        />
      )}
      {created && (
        <Secret
          title="The webhook is added"
          label="Secret"
          value={created.secret}
          onClose={() => {
            setCreated(undefined)
            void navigate({ to: '/webhooks/$id', params: { id: created.id } })
          }}
        >
          Give it to the program that receives the messages: it verifies their signature. If it is lost, rotate it.
        </Secret>
      )}
    </Page>
  )
}
