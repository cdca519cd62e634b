import { Button, Stack, Switch } from '@mantine/core'
import { useState } from 'react'
import { api, type Schemas } from '../../../api/client.ts'
import { useRefresh } from '../../../api/refresh.ts'
import { useSession } from '../../../session/session.tsx'
import { Confirm } from '../../../ui/confirm.tsx'
import { isEnded } from '../../../ui/status.tsx'

type Task = Schemas['Task']

/** What can be done with a task in its state, by whoever looks at it. */
export const TaskActions = ({ task }: { readonly task: Task }) => {
  const { may } = useSession()
  const [open, setOpen] = useState<'revoke' | 'retry' | 'forget'>()
  const refresh = useRefresh()
  const close = () => setOpen(undefined)
  const done = () => {
    close()
    void refresh('/v1/tasks/{id}')
  }
  const path = { params: { path: { id: task.id } } }
  const isOver = isEnded(task.state)
  const mayRetry =
    isOver && task.state !== 'succeeded' && task.replay_id === null && task.name !== 'ml.batch_predictions'
  return (
    <>
      {may('operator') && !isOver && (
        <Button variant="default" onClick={() => setOpen('revoke')}>
          Revoke …
        </Button>
      )}
      {may('operator') && mayRetry && <Button onClick={() => setOpen('retry')}>Retry …</Button>}
      {may('submitter') && task.state === 'succeeded' && (
        <Button variant="default" onClick={() => setOpen('forget')}>
          Forget the result …
        </Button>
      )}
      {open === 'revoke' && <Revoke task={task} onClose={close} onDone={done} />}
      {open === 'retry' && (
        <Confirm
          title={`Retry ${task.name}`}
          verb="Retry"
          run={() => api.POST('/v1/tasks/{id}/retry', path)}
          onClose={close}
          onDone={done}
        >
          Makes a new task with the same arguments and model. This one stays as it is and leads to the new one.
        </Confirm>
      )}
      {open === 'forget' && (
        <Confirm
          title="Forget the result"
          verb="Forget"
          isDangerous
          run={() => api.DELETE('/v1/tasks/{id}/result', path)}
          onClose={close}
          onDone={done}
        >
          Deletes the stored result of this task. Its history stays. It does not come back; a retry is not possible.
        </Confirm>
      )}
    </>
  )
}

interface RevokeProps {
  readonly task: Pick<Task, 'id' | 'name'>
  readonly onClose: () => void
  readonly onDone: () => void
}

/** Asks before a task is revoked. */
export const Revoke = ({ task, onClose, onDone }: RevokeProps) => {
  const [terminate, setTerminate] = useState(false)
  return (
    <Confirm
      title={`Revoke ${task.name}`}
      verb="Revoke the task"
      isDangerous
      run={() => api.POST('/v1/tasks/{id}/revoke', { params: { path: { id: task.id } }, body: { terminate } })}
      onClose={onClose}
      onDone={onDone}
    >
      <Stack gap="sm">
        <div>
          A waiting task is not started. A running task gets a signal to stop. If it has ended by the time you confirm,
          nothing is changed, and a message says so.
        </div>
        <Switch
          label="Kill it if it does not end by itself"
          description="Other tasks of the same compute process are killed with it and done again"
          checked={terminate}
          onChange={(event) => setTerminate(event.currentTarget.checked)}
        />
      </Stack>
    </Confirm>
  )
}
