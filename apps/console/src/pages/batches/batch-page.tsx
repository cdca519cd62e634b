import { Button, Group, Progress } from '@mantine/core'
import { getRouteApi } from '@tanstack/react-router'
import { useState } from 'react'
import { api, basePath, query, type Schemas } from '../../api/client.ts'
import { livePeriod } from '../../api/query-client.ts'
import { useRefresh } from '../../api/refresh.ts'
import { formatCount, formatPercent, plural } from '../../format/numbers.ts'
import { formatDuration, formatTime } from '../../format/times.ts'
import { referenceOf } from '../../format/words.ts'
import { useZone } from '../../format/zone.tsx'
import { useSession } from '../../session/session.tsx'
import { Confirm } from '../../ui/confirm.tsx'
import { Id } from '../../ui/copy.tsx'
import { Facts, Stat, Stats } from '../../ui/facts.tsx'
import { Failure } from '../../ui/failure.tsx'
import { ModelLink, PersonLink, TaskLink } from '../../ui/links.tsx'
import { Loading } from '../../ui/loading.tsx'
import { Notice } from '../../ui/notice.tsx'
import { Page, Panel } from '../../ui/page.tsx'
import { isEnded, TaskStatus } from '../../ui/status.tsx'
import { Table } from '../../ui/table.tsx'
import { Time } from '../../ui/time.tsx'
import classes from './batches.module.css'
import { DistributionPanel } from './distribution-panel.tsx'

const route = getRouteApi('/batches/$id')

type Batch = Schemas['Batch']

const remainingOf = ({ eta_seconds: seconds }: Batch): string =>
  seconds === null ? 'not known before the first rows' : `about ${formatDuration(Math.ceil(seconds))} to go`

const tookOf = ({ started_at: from, completed_at: to }: Batch): string | undefined =>
  from !== null && to !== null ? formatDuration((new Date(to).getTime() - new Date(from).getTime()) / 1000) : undefined

/** How far it is; written over in place. */
const Standing = ({ batch }: { readonly batch: Batch }) => (
  <Stats>
    <Stat
      label="Done"
      value={formatPercent(batch.percent / 100)}
      note={
        <>
          <Progress value={batch.percent} size="sm" aria-label="Done" mb={4} />
          {isEnded(batch.state) ? (tookOf(batch) === undefined ? '' : `in ${tookOf(batch)}`) : remainingOf(batch)}
        </>
      }
    />
    <Stat label="Rows" value={formatCount(batch.total)} note="of the file" />
    <Stat label="With a result" value={formatCount(batch.succeeded)} />
    <Stat label="Without a result" value={formatCount(batch.failed)} note="refused, or not computed" />
    {batch.cancelled > 0 && <Stat label="Cancelled" value={formatCount(batch.cancelled)} />}
  </Stats>
)

/** Rows without a result that are shown unasked. */
const foldedErrors = 10

const Errors = ({ batch }: { readonly batch: Batch }) => {
  const { errors, failed } = batch
  const isAll = route.useSearch().errors === 'all'
  const navigate = route.useNavigate()
  if (failed === 0) return undefined
  const isPart = failed > errors.length
  const isFolded = !isAll && errors.length > foldedErrors
  return (
    <Panel
      title="Rows without a result"
      hint={
        isPart
          ? `The first ${formatCount(errors.length)} of ${formatCount(failed)}; the results have line and reason of each.`
          : 'Correct these rows and send them in a new file.'
      }
      isFlush
    >
      <Table
        caption="Rows without a result"
        rows={isFolded ? errors.slice(0, foldedErrors) : errors}
        keyOf={({ line, code }) => `${line} ${code}`}
        columns={[
          { title: 'Line', isNumber: true, cell: ({ line }) => formatCount(line) },
          {
            title: 'Person',
            isNumber: true,
            cell: ({ user_id: user }) => (user === null ? '-' : <PersonLink id={user}>{user}</PersonLink>),
          },
          { title: 'Reason', cell: ({ message }) => <div className={classes.errorText}>{message}</div> },
          { title: 'Code', isMinor: true, cell: ({ code }) => <code>{code}</code> },
        ]}
        footer={
          isFolded && (
            <Group justify="flex-end" p="sm">
              <Button
                variant="default"
                size="xs"
                onClick={() => void navigate({ search: { errors: 'all' }, replace: true, resetScroll: false })}
              >
                Show {formatCount(errors.length - foldedErrors)} more
              </Button>
            </Group>
          )
        }
      />
    </Panel>
  )
}

const Downloads = ({ id }: Pick<Batch, 'id'>) => (
  <>
    {(['csv', 'ndjson'] as const).map((format) => (
      <Button
        key={format}
        component="a"
        variant="default"
        href={`${basePath}/v1/batches/${id}/results?format=${format}`}
        download={`results-${id}.${format}`}
      >
        Results as {format.toUpperCase()}
      </Button>
    ))}
  </>
)

const CancelButton = ({ batch }: { readonly batch: Batch }) => {
  const [isOpen, setOpen] = useState(false)
  const refresh = useRefresh()
  const { id, total, succeeded, failed } = batch
  return (
    <>
      <Button variant="default" onClick={() => setOpen(true)}>
        Cancel the batch
      </Button>
      {isOpen && (
        <Confirm
          title="Cancel the batch"
          verb="Cancel the batch"
          isDangerous
          onClose={() => setOpen(false)}
          run={async () => {
            await api.DELETE('/v1/batches/{id}', { params: { path: { id } } })
            await refresh('/v1/batches', '/v1/batches/{id}')
          }}
        >
          About {plural(Math.max(total - succeeded - failed, 0), 'row')} that have not ended are not computed. The{' '}
          {plural(succeeded, 'result')} that are stored stay. What was cancelled is not taken up again: its rows have to
          be sent in a new file.
        </Confirm>
      )}
    </>
  )
}

const endWords = (batch: Batch): string | undefined => {
  if (batch.state === 'cancelled') return `It was cancelled. ${plural(batch.succeeded, 'result')} are kept.`
  if (batch.state === 'failed') return 'No row has a result, or a part of the rows could not be computed.'
  return undefined
}

/** One batch: how far it is, what failed, and its results. */
export const BatchPage = () => {
  const { id } = route.useParams()
  const { may } = useSession()
  const { zone } = useZone()
  const { data, error, refetch } = query.useQuery(
    'get',
    '/v1/batches/{id}',
    { params: { path: { id } } },
    { refetchInterval: ({ state }) => (isEnded(state.data?.state) ? false : livePeriod.fast) },
  )
  const words = data && endWords(data)
  return (
    <Page
      title={data ? `Batch of ${formatTime(data.created_at, zone)}` : 'Batch'}
      badge={data && <TaskStatus state={data.state} />}
      actions={
        data && (
          <>
            {!isEnded(data.state) && may('submitter') && <CancelButton batch={data} />}
            {data.total > 0 && <Downloads id={id} />}
          </>
        )
      }
    >
      {error && !data && <Failure error={error} onRetry={() => void refetch()} />}
      {!error && !data && <Loading lines={6} />}
      {data && (
        <>
          <Standing batch={data} />
          {words !== undefined && (
            <Notice
              kind={data.state === 'failed' ? 'bad' : 'idle'}
              title={data.state === 'failed' ? 'It failed' : undefined}
            >
              {words}
            </Notice>
          )}
          <DistributionPanel key={id} batch={data} isOver={isEnded(data.state)} />
          <Errors batch={data} />
          <Panel title="About it">
            <Facts
              of={[
                ['Model', <ModelLink reference={referenceOf(data.model)} />],
                ['Sent', <Time at={data.created_at} />],
                ['Started', <Time at={data.started_at} />],
                ['Ended', <Time at={data.completed_at} />],
                ['Task', <TaskLink id={data.task_id} />],
                ['Id', <Id id={id} />],
              ]}
            />
          </Panel>
        </>
      )}
    </Page>
  )
}
