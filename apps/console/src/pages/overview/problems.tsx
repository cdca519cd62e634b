import { Link } from '@tanstack/react-router'
import type { ReactNode } from 'react'
import { query, type Schemas } from '../../api/client.ts'
import { livePeriod } from '../../api/query-client.ts'
import { formatCount, plural } from '../../format/numbers.ts'
import { formatDuration } from '../../format/times.ts'
import { Failure } from '../../ui/failure.tsx'
import { QueueActions, useQueueDialog, type AskForChange } from '../operations/queues/queue-actions.tsx'
import classes from '../operations/queues/queues.module.css'
import { Notice } from '../../ui/notice.tsx'
import type { Tone } from '../../ui/status.tsx'

interface ProblemNow {
  /** The same for as long as it lasts, while its numbers change. */
  readonly id: string
  readonly tone: Tone
  readonly title: string
  readonly next: ReactNode
  /** Where the next step is taken. */
  readonly action?: ReactNode
}

const OpenQueue = ({ name }: { readonly name: string }) => (
  <Link to="/queues/$name" params={{ name }}>
    Open the queue
  </Link>
)

/** Above this age of the oldest waiting task, in seconds, work is said to be late. */
const lateSeconds = 60

type Now = Schemas['StatisticsNow']
type Failures = Schemas['TaskFailures']

const problemsOfQueues = ({ queues }: Now, ask: AskForChange): ProblemNow[] =>
  queues.flatMap((queue): ProblemNow[] => {
    const { name, problem, waiting, oldest_waiting_seconds: oldest, busy, slots } = queue
    if (problem === 'no_consumers') {
      return [
        {
          id: `unconsumed ${name}`,
          tone: 'bad',
          title: `${plural(waiting, 'task')} of ${name} ${waiting === 1 ? 'waits' : 'wait'}, and no worker consumes this queue`,
          next: (
            <>
              Start one: <code>memoryguard worker --queues {name}</code>. If one should be running, read the log of its
              host.
            </>
          ),
          action: <OpenQueue name={name} />,
        },
      ]
    }
    if (problem === 'paused') {
      return [
        {
          id: `paused ${name}`,
          tone: 'warn',
          title: `${name} is paused, and ${plural(waiting, 'task')} ${waiting === 1 ? 'waits' : 'wait'}`,
          next: 'Resume it when what it was paused for is over.',
          action: (
            <span className={classes.actions}>
              <OpenQueue name={name} /> <QueueActions queue={queue} onAsk={ask} size="xs" isShort />
            </span>
          ),
        },
      ]
    }
    if (oldest !== null && oldest > lateSeconds) {
      const isFull = slots > 0 && busy >= slots
      return [
        {
          id: `late ${name}`,
          tone: 'warn',
          title: `${name} is late: its oldest task waits for ${formatDuration(oldest, 1)}`,
          next: isFull
            ? `All ${formatCount(slots)} slots are busy: start another worker, or let one grow.`
            : 'Its workers have free slots: look at the running tasks, and at the logs of the workers.',
          action: <OpenQueue name={name} />,
        },
      ]
    }
    return []
  })

const problemOfFailures = ({ items }: Failures): ProblemNow[] => {
  const [most] = items
  if (!most) return []
  const count = items.reduce((sum, { count }) => sum + count, 0)
  return [
    {
      id: 'failures',
      tone: 'warn',
      title: `${plural(count, 'task')} failed in the last hour`,
      next: (
        <>
          Most often <code>{most.error_code}</code> in {most.name}
          {most.sample[0]?.message && `: ${most.sample[0].message}`}
        </>
      ),
      action: (
        <Link to="/failures" search={{ since: '1h' }}>
          Open the failures
        </Link>
      ),
    },
  ]
}

/** What is wrong now, worst first, each with the next step. */
export const Problems = ({ now }: { readonly now: Now }) => {
  const [ask, dialog] = useQueueDialog()
  const failures = query.useQuery(
    'get',
    '/v1/tasks/errors',
    { params: { query: { since: '1h' } } },
    { refetchInterval: livePeriod.slow },
  )
  const problems = [...problemsOfQueues(now, ask), ...(failures.data ? problemOfFailures(failures.data) : [])].sort(
    (left, right) => Number(right.tone === 'bad') - Number(left.tone === 'bad'),
  )
  return (
    <>
      {failures.isError && !failures.data && <Failure error={failures.error} onRetry={() => void failures.refetch()} />}
      {problems.length === 0 && failures.data && (
        <Notice kind="ok" title="All is well">
          No queue is late, paused or without a worker, and no task failed in the last hour.
        </Notice>
      )}
      {problems.map(({ id, tone, title, next, action }) => (
        <Notice key={id} kind={tone} title={title} action={action}>
          {next}
        </Notice>
      ))}
      {dialog}
    </>
  )
}
