import { Button } from '@mantine/core'
import { useMutation } from '@tanstack/react-query'
import { getRouteApi, useNavigate } from '@tanstack/react-router'
import { useState } from 'react'
import { api, type Schemas } from '../../api/client.ts'
import { useRefresh } from '../../api/refresh.ts'
import { Confirm } from '../../ui/confirm.tsx'

const route = getRouteApi('/schedules/$name')

interface ScheduleActionsProps {
  readonly schedule: Schemas['Schedule']
  /** Called with what was done, or why not. */
  readonly onDone: (outcome: { readonly words: string; readonly taskId?: string } | { readonly error: unknown }) => void
}

/** Run now, pause, resume, change, delete; for operators. */
export const ScheduleActions = ({ schedule, onDone }: ScheduleActionsProps) => {
  const { name, is_paused: isPaused } = schedule
  const navigate = route.useNavigate()
  const leave = useNavigate()
  const refresh = useRefresh()
  const [isDeleting, setDeleting] = useState(false)
  const path = { params: { path: { id: name } } }
  const onError = (error: unknown) => onDone({ error })
  const read = () => refresh('/v1/schedules', '/v1/schedules/{id}')
  const runNow = useMutation({
    mutationFn: async () => (await api.POST('/v1/schedules/{id}/run', path)).data,
    onSuccess: (task) => {
      onDone({ words: 'Its task was sent.', ...(task && { taskId: task.id }) })
      return read()
    },
    onError,
  })
  const pause = useMutation({
    mutationFn: (paused: boolean) => api.PATCH('/v1/schedules/{id}', { ...path, body: { is_paused: paused } }),
    onSuccess: (_, paused) => {
      onDone({
        words: paused
          ? 'It is paused: it sends nothing until it is resumed.'
          : 'It is resumed, and goes on with its next time. Times that passed meanwhile are skipped.',
      })
      return read()
    },
    onError,
  })
  return (
    <>
      <Button variant="default" loading={runNow.isPending} onClick={() => runNow.mutate()}>
        Run now
      </Button>
      <Button variant="default" loading={pause.isPending} onClick={() => pause.mutate(!isPaused)}>
        {isPaused ? 'Resume' : 'Pause'}
      </Button>
      <Button variant="default" onClick={() => void navigate({ search: { form: 'edit' } })}>
        Change
      </Button>
      <Button variant="default" onClick={() => setDeleting(true)}>
        Delete
      </Button>
      {isDeleting && (
        <Confirm
          title={`Delete the schedule ${name}`}
          verb="Delete"
          isDangerous
          onClose={() => setDeleting(false)}
          run={() => api.DELETE('/v1/schedules/{id}', path)}
          onDone={() => {
            void refresh('/v1/schedules')
            void leave({ to: '/schedules' })
          }}
        >
          It sends no task any more. The tasks that it has sent stay. To stop it for a while, pause it instead.
        </Confirm>
      )}
    </>
  )
}
