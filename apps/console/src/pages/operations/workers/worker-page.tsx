import { Button, Tabs } from '@mantine/core'
import { getRouteApi, Link } from '@tanstack/react-router'
import { useState } from 'react'
import { query, type Schemas } from '../../../api/client.ts'
import { problemOf } from '../../../api/problem.ts'
import { livePeriod } from '../../../api/query-client.ts'
import { plural } from '../../../format/numbers.ts'
import { useClock } from '../../../ui/clock.ts'
import { Confirm } from '../../../ui/confirm.tsx'
import { Empty } from '../../../ui/empty.tsx'
import { Failure } from '../../../ui/failure.tsx'
import { Loading } from '../../../ui/loading.tsx'
import { Notice } from '../../../ui/notice.tsx'
import { Page, Panel } from '../../../ui/page.tsx'
import { Status } from '../../../ui/status.tsx'
import { Time } from '../../../ui/time.tsx'
import { CommandOutcome, useCommands, WorkerCommandArea } from './worker-commands.tsx'
import { BrokerTab, ConfigTab, SystemTab } from './worker-facts.tsx'
import { LimitsTab } from './worker-limits.tsx'
import { PoolTab } from './worker-pool.tsx'
import { QueuesTab } from './worker-queues.tsx'
import { WorkerTasksTab } from './worker-tasks.tsx'
import { workerTabs, type WorkerTab } from './worker-tabs.ts'
import { standingOf } from './worker-words.ts'

const route = getRouteApi('/workers/$name')

type Worker = Schemas['Worker']

const titles: Record<WorkerTab, string> = {
  pool: 'Pool',
  broker: 'Broker',
  queues: 'Queues',
  tasks: 'Tasks',
  limits: 'Limits',
  config: 'Config',
  system: 'System',
}

/** One worker: whether it is there, what it does, and the commands that it takes. */
export const WorkerPage = () => {
  const { name } = route.useParams()
  const { data, error, refetch } = query.useQuery(
    'get',
    '/v1/workers/{name}',
    { params: { path: { name } } },
    { refetchInterval: ({ state }) => (state.error ? false : livePeriod.fast) },
  )
  if (!data)
    return (
      <Page title="Worker">
        <Panel>
          {error === null && <Loading lines={6} />}
          {error !== null && problemOf(error).status === 404 && (
            <Empty title={`There is no worker ${name}`} action={<Link to="/workers">All workers</Link>}>
              None with this name was seen within the last day.
            </Empty>
          )}
          {error !== null && problemOf(error).status !== 404 && (
            <Failure error={error} onRetry={() => void refetch()} />
          )}
        </Panel>
      </Page>
    )
  return <WorkerView worker={data} />
}

const WorkerView = ({ worker }: { readonly worker: Worker }) => {
  const { tab = 'pool' } = route.useSearch()
  const navigate = route.useNavigate()
  const now = useClock()
  const { tone, words } = standingOf(worker, now)
  return (
    <WorkerCommandArea worker={worker}>
      <Page
        title={worker.name}
        badge={<Status tone={tone}>{words}</Status>}
        lead={
          <>
            On {worker.hostname}, process {worker.pid}, started <Time at={worker.started_at} isAge />, last heartbeat{' '}
            <Time at={worker.heartbeat_at} isAge />.
          </>
        }
        actions={<WorkerActions worker={worker} />}
      >
        <CommandOutcome />
        <WorkerNotices worker={worker} standing={words} />
        <Tabs
          value={tab}
          onChange={(next) => void navigate({ search: { tab: next as WorkerTab }, replace: true, resetScroll: false })}
          keepMounted={false}
        >
          <Tabs.List aria-label={`Parts of ${worker.name}`}>
            {workerTabs.map((each) => (
              <Tabs.Tab key={each} value={each}>
                {titles[each]}
              </Tabs.Tab>
            ))}
          </Tabs.List>
          <Tabs.Panel value={tab} pt="lg">
            <TabContent tab={tab} worker={worker} />
          </Tabs.Panel>
        </Tabs>
      </Page>
    </WorkerCommandArea>
  )
}

const TabContent = ({ tab, worker }: { readonly tab: WorkerTab; readonly worker: Worker }) => {
  switch (tab) {
    case 'pool':
      return <PoolTab worker={worker} />
    case 'broker':
      return <BrokerTab worker={worker} />
    case 'queues':
      return <QueuesTab worker={worker} />
    case 'tasks':
      return <WorkerTasksTab worker={worker} />
    case 'limits':
      return <LimitsTab worker={worker} />
    case 'config':
      return <ConfigTab worker={worker} />
    case 'system':
      return <SystemTab worker={worker} />
  }
}

const WorkerNotices = ({ worker, standing }: { readonly worker: Worker; readonly standing: string }) => (
  <>
    {worker.state === 'stale' && (
      <Notice kind="bad" title={`It is ${standing}`}>
        It sent no heartbeat and did not say that it stops: it was killed, hangs, or lost its network. Others take over
        its tasks when their leases end. Start it again; if it hangs, keep its log.
      </Notice>
    )}
    {worker.state === 'stopped' && (
      <Notice kind="idle" title="It has stopped">
        What you see is from its last heartbeat. It takes no commands.
      </Notice>
    )}
    {worker.duplicates > 0 && (
      <Notice
        kind="warn"
        title={`${plural(worker.duplicates, 'other live process', 'other live processes')} with this name`}
      >
        Commands reach this one alone. Give each worker a name of its own.
      </Notice>
    )}
  </>
)

const WorkerActions = ({ worker }: { readonly worker: Worker }) => {
  const { canSend, isPending, send, sendAndWait } = useCommands()
  const [open, setOpen] = useState<'warm' | 'immediate'>()
  if (!canSend && open === undefined) return undefined
  const close = () => setOpen(undefined)
  const active = worker.stats['active'] ?? 0
  return (
    <>
      {canSend && (
        <>
          <Button variant="default" loading={isPending} onClick={() => send('ping')}>
            Ping
          </Button>
          <Button variant="default" onClick={() => setOpen('warm')}>
            Shut down …
          </Button>
          <Button variant="default" onClick={() => setOpen('immediate')}>
            Stop at once …
          </Button>
        </>
      )}
      {open === 'warm' && (
        <Confirm
          title={`Shut down ${worker.name}`}
          verb="Shut down"
          typedName={worker.name}
          isDangerous
          run={() => sendAndWait('shutdown', { immediate: false })}
          onClose={close}
        >
          It takes no further task, finishes its {plural(active, 'running task')}, and ends. It does not come back by
          itself unless something starts it again.
        </Confirm>
      )}
      {open === 'immediate' && (
        <Confirm
          title={`Stop ${worker.name} at once`}
          verb="Stop at once"
          typedName={worker.name}
          isDangerous
          run={() => sendAndWait('shutdown', { immediate: true })}
          onClose={close}
        >
          It ends without finishing its {plural(active, 'running task')}: others do them again. It does not come back by
          itself unless something starts it again.
        </Confirm>
      )}
    </>
  )
}
