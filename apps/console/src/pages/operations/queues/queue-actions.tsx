import { Button } from '@mantine/core'
import { useState, type ReactNode } from 'react'
import { api, type Schemas } from '../../../api/client.ts'
import { useRefresh } from '../../../api/refresh.ts'
import { formatCount, plural } from '../../../format/numbers.ts'
import { useSession } from '../../../session/session.tsx'
import { Confirm } from '../../../ui/confirm.tsx'
import { PlanDialog } from '../plans/plan-dialog.tsx'

type QueueNow = Schemas['QueueNow']
type Change = 'pause' | 'resume' | 'purge'

/** A change of a queue that awaits confirmation; `queue` is its state when the dialog was opened. */
interface Asked {
  readonly queue: QueueNow
  readonly change: Change
}

export type AskForChange = (queue: QueueNow, change: Change) => void

/** A page's dialog for changes of queues, and what opens it. Queues that change or go away leave it as it is. */
export const useQueueDialog = (): readonly [ask: AskForChange, dialog: ReactNode] => {
  const [asked, setAsked] = useState<Asked>()
  const ask: AskForChange = (queue, change) => setAsked({ queue, change })
  return [ask, asked && <QueueDialog {...asked} onClose={() => setAsked(undefined)} />]
}

const QueueDialog = ({ queue, change, onClose }: Asked & { readonly onClose: () => void }) => {
  const refresh = useRefresh()
  const { name } = queue
  const done = () => {
    onClose()
    void refresh('/v1/stats/now', '/v1/queues')
  }
  const path = { params: { path: { queue: name } } }
  const running = queue.depth['running'] ?? 0
  switch (change) {
    case 'pause':
      return (
        <Confirm
          title={`Pause ${name}`}
          verb="Pause"
          run={() => api.POST('/v1/queues/{queue}/pause', path)}
          onClose={onClose}
          onDone={done}
        >
          No further task of {name} is started. {plural(running, 'running task')} {running === 1 ? 'goes' : 'go'} on,
          and new ones are still accepted: they wait.
        </Confirm>
      )
    case 'resume':
      return (
        <Confirm
          title={`Resume ${name}`}
          verb="Resume"
          run={() => api.POST('/v1/queues/{queue}/resume', path)}
          onClose={onClose}
          onDone={done}
        >
          Tasks of {name} are started again; {formatCount(queue.waiting)} {queue.waiting === 1 ? 'waits' : 'wait'} now.
        </Confirm>
      )
    case 'purge':
      return (
        <PlanDialog
          action="purge"
          filter={{ queue: name }}
          words={`queue:${name}`}
          typedName={name}
          {...(running > 0 && { note: `${plural(running, 'task')} of it run now.` })}
          onClose={onClose}
        />
      )
  }
}

interface QueueActionsProps {
  readonly queue: QueueNow
  readonly onAsk: AskForChange
  readonly size?: 'xs' | 'sm'
  /** Only what helps now: to resume it, if it is paused. */
  readonly isShort?: boolean
}

/** Buttons that pause, resume and purge a queue; none for those who may not. */
export const QueueActions = ({ queue, onAsk, size = 'sm', isShort = false }: QueueActionsProps) => {
  const { name, paused } = queue
  const { may } = useSession()
  if (!may('operator')) return undefined
  return (
    <>
      {/* One button, so that the keyboard stays on it when its meaning changes. */}
      {(paused || !isShort) && (
        <Button
          size={size}
          variant={paused ? 'filled' : 'default'}
          aria-label={`${paused ? 'Resume' : 'Pause'} ${name}`}
          onClick={() => onAsk(queue, paused ? 'resume' : 'pause')}
        >
          {paused ? 'Resume' : 'Pause'}
        </Button>
      )}
      {!isShort && (
        <Button size={size} variant="default" aria-label={`Purge ${name}`} onClick={() => onAsk(queue, 'purge')}>
          Purge …
        </Button>
      )}
    </>
  )
}
