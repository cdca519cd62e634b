import { Link } from '@tanstack/react-router'
import type { Schemas } from '../../../api/client.ts'
import { plural } from '../../../format/numbers.ts'
import { Notice } from '../../../ui/notice.tsx'
import { Status } from '../../../ui/status.tsx'
import { QueueActions, type AskForChange } from './queue-actions.tsx'

type QueueNow = Schemas['QueueNow']

/** How a queue stands, in a word. */
export const QueueState = ({ queue: { problem, paused, consumers } }: { readonly queue: QueueNow }) => {
  if (problem === 'no_consumers') return <Status tone="bad">waits, no worker</Status>
  if (paused) return <Status tone="warn">paused</Status>
  if (consumers === 0) return <Status tone="idle">no worker</Status>
  return <Status tone="ok">healthy</Status>
}

const wait = (count: number): string => `${plural(count, 'task')} ${count === 1 ? 'waits' : 'wait'}`

interface QueueNoticeProps {
  readonly queue: QueueNow
  readonly onAsk: AskForChange
}

/** What is wrong with a queue, and the next step; nothing if all is well. */
export const QueueNotice = ({ queue, onAsk }: QueueNoticeProps) => {
  const { name, problem, paused, waiting } = queue
  if (problem === 'no_consumers')
    return (
      <Notice
        kind="bad"
        title={`${wait(waiting)}, and no worker consumes this queue`}
        action={<Link to="/workers">Open the workers</Link>}
      >
        Start one: <code>memoryguard worker --queues {name}</code>, or let a running one consume {name} too. If one
        should be running, read the log of its host.
      </Notice>
    )
  if (paused)
    return (
      <Notice
        kind="warn"
        title={waiting === 0 ? 'It is paused' : `It is paused, and ${wait(waiting)}`}
        action={<QueueActions queue={queue} onAsk={onAsk} size="xs" isShort />}
      >
        No task is started until it is resumed.
      </Notice>
    )
  return undefined
}
