import { Button, Progress } from '@mantine/core'
import { useMutation } from '@tanstack/react-query'
import { getRouteApi, Link } from '@tanstack/react-router'
import { api, query, type Schemas } from '../../../api/client.ts'
import { livePeriod } from '../../../api/query-client.ts'
import { formatCount } from '../../../format/numbers.ts'
import { formatDuration } from '../../../format/times.ts'
import { useClock } from '../../../ui/clock.ts'
import { Id } from '../../../ui/copy.tsx'
import { Facts, Stat, Stats } from '../../../ui/facts.tsx'
import { Failure } from '../../../ui/failure.tsx'
import { Loading } from '../../../ui/loading.tsx'
import { Notice } from '../../../ui/notice.tsx'
import { Page, Panel } from '../../../ui/page.tsx'
import { Status } from '../../../ui/status.tsx'
import { Time } from '../../../ui/time.tsx'
import { PlanSample } from './plan-sample.tsx'
import { effectOf, filterWords, progressOf, titleOf, toneOf, verbOf } from './plan-words.ts'

const route = getRouteApi('/plans/$id')

type Plan = Schemas['Plan']

/** How far a plan is. It goes on without this page. */
export const PlanPage = () => {
  const { id } = route.useParams()
  const { data, error, refetch } = query.useQuery(
    'get',
    '/v1/plans/{id}',
    { params: { path: { id } } },
    {
      refetchInterval: ({ state }) =>
        state.data?.state === 'running' || state.data?.state === 'planned' ? livePeriod.fast : livePeriod.slow,
    },
  )
  if (!data)
    return (
      <Page title="Plan">
        <Panel>{error ? <Failure error={error} onRetry={() => void refetch()} /> : <Loading lines={6} />}</Panel>
      </Page>
    )
  return (
    <Page
      title={titleOf(data)}
      badge={<Status tone={toneOf[data.state]}>{data.state}</Status>}
      lead={effectOf(data)}
      actions={<Link to="/plans">All plans</Link>}
    >
      <Standing plan={data} onRun={() => void refetch()} />
      <Stats>
        <Stat label="Chosen" value={formatCount(data.total)} note="tasks, when it was created" />
        <Stat label="Changed" value={formatCount(data.done)} />
        <Stat label="Skipped" value={formatCount(data.skipped)} note="had changed before" />
        <Stat label="Failed" value={formatCount(data.failed)} note="the log says why" />
      </Stats>
      <Panel title="How it was chosen">
        <Facts
          of={[
            ['Search', <code key="filter">{filterWords(data.filter)}</code>],
            ['Created', <Time key="created" at={data.created_at} />],
            ['Started', <Time key="started" at={data.started_at} />],
            ['Finished', <Time key="finished" at={data.finished_at} />],
            ['Created by', <Id key="by" id={data.planned_by} />],
            ['Run by', data.by === null ? '-' : <Id key="runner" id={data.by} />],
          ]}
        />
      </Panel>
      {data.sample.length > 0 && (
        <Panel title="Its newest tasks" hint="As they are now" isFlush>
          <PlanSample plan={data} />
        </Panel>
      )}
    </Page>
  )
}

const Standing = ({ plan, onRun }: { readonly plan: Plan; readonly onRun: () => void }) => {
  const now = useClock(plan.state === 'planned')
  const run = useMutation({
    mutationFn: async () => api.POST('/v1/plans/{id}/run', { params: { path: { id: plan.id } } }),
    onSuccess: onRun,
  })
  if (run.isError) return <Failure error={run.error} />
  if (plan.state === 'expired')
    return (
      <Notice kind="warn" title="This plan has expired">
        It was not run within five minutes: nothing was changed, and nothing will be. Search again and make a new one.
      </Notice>
    )
  if (plan.state === 'planned')
    return (
      <Notice
        kind="info"
        title="Nothing has changed yet"
        action={
          // What does not come back is confirmed where it was chosen, with its name typed.
          plan.action === 'retry' && (
            <Button size="xs" loading={run.isPending} onClick={() => run.mutate()}>
              {verbOf(plan)}
            </Button>
          )
        }
      >
        It can be run for {formatDuration(Math.max((new Date(plan.expires_at).getTime() - now) / 1000, 0), 2)} more.
        Tasks that arrived since it was created are untouched.
      </Notice>
    )
  const part = plan.total === 0 ? 1 : (plan.done + plan.skipped + plan.failed) / plan.total
  return (
    <Panel>
      <Progress value={part * 100} size="lg" aria-label="Progress of the plan" />
      <p role="status">
        {progressOf(plan)}.{' '}
        {plan.state === 'running'
          ? 'It goes on if you close this page.'
          : 'It has finished. Tasks that arrived after it was created were not touched.'}
      </p>
    </Panel>
  )
}
