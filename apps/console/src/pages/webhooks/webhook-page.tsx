import { Button } from '@mantine/core'
import { useMutation } from '@tanstack/react-query'
import { getRouteApi, useNavigate } from '@tanstack/react-router'
import { useState } from 'react'
import { api, query, type Schemas } from '../../api/client.ts'
import { livePeriod } from '../../api/query-client.ts'
import { useRefresh } from '../../api/refresh.ts'
import { useSession } from '../../session/session.tsx'
import { Confirm } from '../../ui/confirm.tsx'
import { Facts } from '../../ui/facts.tsx'
import { Failure } from '../../ui/failure.tsx'
import { Loading } from '../../ui/loading.tsx'
import { Notice } from '../../ui/notice.tsx'
import { Page, Panel } from '../../ui/page.tsx'
import { Secret } from '../../ui/secret.tsx'
import { Time } from '../../ui/time.tsx'
import { Deliveries } from './deliveries.tsx'
import { WebhookForm } from './webhook-form.tsx'
import { WebhookStatus, wordsOfEvents } from './webhook-status.tsx'

const route = getRouteApi('/webhooks/$id')

type Webhook = Schemas['Webhook']

/** Test, change, rotate, remove; each for those who may. */
const Actions = ({ webhook, onSecret }: { readonly webhook: Webhook; readonly onSecret: (secret: string) => void }) => {
  const { id, url } = webhook
  const { may } = useSession()
  const navigate = route.useNavigate()
  const leave = useNavigate()
  const refresh = useRefresh()
  const [dialog, setDialog] = useState<'rotate' | 'delete'>()
  const path = { params: { path: { id } } }
  const test = useMutation({
    mutationFn: () => api.POST('/v1/webhooks/{id}/test', path),
    onSuccess: () => refresh('/v1/webhooks/{id}/deliveries'),
  })
  return (
    <>
      <Button variant="default" loading={test.isPending} onClick={() => test.mutate()}>
        Send a test
      </Button>
      {may('admin') && (
        <>
          <Button variant="default" onClick={() => void navigate({ search: (all) => ({ ...all, form: 'edit' }) })}>
            Change
          </Button>
          <Button variant="default" onClick={() => setDialog('rotate')}>
            Rotate the secret
          </Button>
          <Button variant="default" onClick={() => setDialog('delete')}>
            Remove
          </Button>
        </>
      )}
      {test.isError && <Failure error={test.error} />}
      {dialog === 'rotate' && (
        <Confirm
          title="Rotate the secret"
          verb="Rotate the secret"
          onClose={() => setDialog(undefined)}
          run={async () => {
            const { data } = await api.POST('/v1/webhooks/{id}/rotate-secret', path)
            if (data) onSecret(data.secret)
          }}
        >
          For 24 hours messages are signed with the present secret too; give the new one to the receiver within that
          time.
        </Confirm>
      )}
      {dialog === 'delete' && (
        <Confirm
          title="Remove the webhook"
          verb="Remove"
          isDangerous
          onClose={() => setDialog(undefined)}
          run={() => api.DELETE('/v1/webhooks/{id}', path)}
          onDone={() => {
            void refresh('/v1/webhooks')
            void leave({ to: '/webhooks' })
          }}
        >
          Nothing is sent to {url} any more, also what waits to be sent; the log of its deliveries is deleted.
        </Confirm>
      )}
    </>
  )
}

/** One webhook: what it is sent, and how that went. */
export const WebhookPage = () => {
  const { id } = route.useParams()
  const { form } = route.useSearch()
  const navigate = route.useNavigate()
  const { may } = useSession()
  const refresh = useRefresh()
  const [secret, setSecret] = useState<string>()
  const { data, error, refetch } = query.useQuery(
    'get',
    '/v1/webhooks/{id}',
    { params: { path: { id } } },
    { refetchInterval: livePeriod.slow },
  )
  const close = () => void navigate({ search: (all) => ({ ...all, form: undefined }), replace: true })
  return (
    <Page
      title={data?.description ?? 'Webhook'}
      badge={data && <WebhookStatus {...data} />}
      lead={data?.url}
      actions={data && <Actions webhook={data} onSecret={setSecret} />}
    >
      {error && !data && <Failure error={error} onRetry={() => void refetch()} />}
      {!error && !data && <Loading lines={6} />}
      {data && (
        <>
          {data.disabled_reason !== null && (
            <Notice kind="bad" title="The service has switched it off">
              {data.disabled_reason} When the receiver is well again, choose Change and switch it on.
            </Notice>
          )}
          <Panel title="What it is sent">
            <Facts
              of={[
                ['Events', wordsOfEvents(data.events)],
                ['Tasks', data.tasks === null ? 'all' : data.tasks.join(', ')],
                ['Added', <Time at={data.created_at} />],
                ['Id', <code>{id}</code>],
              ]}
            />
          </Panel>
          <Deliveries id={id} />
        </>
      )}
      {data && form === 'edit' && may('admin') && (
        <WebhookForm
          webhook={data}
          onClose={close}
          onSaved={() => {
            close()
            void refresh('/v1/webhooks', '/v1/webhooks/{id}')
          }}
        />
      )}
      {secret !== undefined && (
        <Secret title="The webhook has a new secret" label="Secret" value={secret} onClose={() => setSecret(undefined)}>
          Give it to the receiver within 24 hours: until then, messages are signed with the former one too.
        </Secret>
      )}
    </Page>
  )
}
