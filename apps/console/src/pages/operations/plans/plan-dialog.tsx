import { Button, Group, Stack, Switch, TextInput } from '@mantine/core'
import { useMutation } from '@tanstack/react-query'
import { useNavigate } from '@tanstack/react-router'
import { useEffect, useRef, useState } from 'react'
import { api, type Schemas } from '../../../api/client.ts'
import { useRefresh } from '../../../api/refresh.ts'
import { formatDuration } from '../../../format/times.ts'
import { useClock } from '../../../ui/clock.ts'
import { Dialog } from '../../../ui/dialog.tsx'
import { Empty } from '../../../ui/empty.tsx'
import { Failure } from '../../../ui/failure.tsx'
import { Loading } from '../../../ui/loading.tsx'
import { Notice } from '../../../ui/notice.tsx'
import { effectOf, titleOf, verbOf, type PlanAction } from './plan-words.ts'
import { PlanSample } from './plan-sample.tsx'

type Plan = Schemas['Plan']

interface PlanDialogProps {
  readonly action: PlanAction
  readonly filter: Schemas['PlanRequest']['filter']
  /** The filter as it is shown; empty for all tasks. */
  readonly words: string
  /** Has to be typed before it is run; a purge asks for its own name without it. */
  readonly typedName?: string
  /** What else is to be known before it is run. */
  readonly note?: string
  readonly onClose: () => void
}

const nothing: Record<PlanAction, string> = {
  retry: 'No matching task can be retried: each has succeeded, has not ended, or was retried before.',
  revoke: 'Every matching task has ended.',
  purge: 'No matching task waits to be started.',
}

const headings: Record<PlanAction, string> = {
  retry: 'Retry tasks',
  revoke: 'Revoke tasks',
  purge: 'Purge tasks',
}

/** The plan of a dialog: made when it opens, and again only when somebody asks for it. */
const usePlan = (action: PlanAction, filter: PlanDialogProps['filter']) => {
  const [terminate, setTerminate] = useState(false)
  const choice = useMutation({
    mutationFn: async (isTerminating: boolean) =>
      (await api.POST('/v1/plans', { body: { action, filter, terminate: isTerminating } })).data,
  })
  const { mutate } = choice
  const isAsked = useRef(false)
  useEffect(() => {
    // Once for each dialog: a second plan would be for other tasks than those that were shown.
    if (isAsked.current) return
    isAsked.current = true
    mutate(false)
  }, [mutate])
  const choose = (isTerminating: boolean) => {
    setTerminate(isTerminating)
    mutate(isTerminating)
  }
  return { plan: choice.data, error: choice.error, isPending: choice.isPending, terminate, choose }
}

/**
 * Fixes which tasks a change is for, shows how many they are and what happens to them, and then makes it of exactly
 * these. Nothing that happens on the page behind it changes the choice.
 */
export const PlanDialog = (props: PlanDialogProps) => {
  const { action, filter, words, typedName = action === 'purge' ? 'purge' : undefined, note, onClose } = props
  const { plan, error, isPending, terminate, choose } = usePlan(action, filter)
  const [typed, setTyped] = useState('')
  const now = useClock()
  const left = plan ? (new Date(plan.expires_at).getTime() - now) / 1000 : 0
  return (
    <Dialog size="lg" onClose={onClose} title={plan ? titleOf(plan) : headings[action]}>
      <Stack gap="md">
        <div>
          {words === '' ? 'All tasks' : <code>{words}</code>}
          {', as they were when this was opened.'}
        </div>
        {action === 'revoke' && (
          <Switch
            label="Kill running ones that do not end by themselves"
            checked={terminate}
            disabled={isPending}
            onChange={(event) => choose(event.currentTarget.checked)}
          />
        )}
        {error && <Failure error={error} onRetry={() => choose(terminate)} />}
        {isPending && <Loading lines={4} />}
        {plan && <Chosen plan={plan} note={note} isOver={left <= 0} />}
        {plan && plan.count > 0 && left > 0 && typedName !== undefined && (
          <TextInput
            label={
              <>
                Type <b>{typedName}</b> to confirm
              </>
            }
            value={typed}
            onChange={(event) => setTyped(event.currentTarget.value)}
            autoComplete="off"
          />
        )}
        <Footer
          plan={plan}
          left={left}
          isConfirmed={typedName === undefined || typed === typedName}
          onAgain={() => choose(terminate)}
          onClose={onClose}
        />
      </Stack>
    </Dialog>
  )
}

interface ChosenProps {
  readonly plan: Plan
  readonly note: string | undefined
  readonly isOver: boolean
}

/** What was chosen, and what running the plan does to it. */
const Chosen = ({ plan, note, isOver }: ChosenProps) => {
  if (plan.count === 0) return <Empty title="Nothing to do">{nothing[plan.action]}</Empty>
  if (isOver)
    return (
      <Notice kind="warn" title="This choice has expired">
        It was not confirmed within five minutes, so nothing was changed. Choose again to see what matches now.
      </Notice>
    )
  return (
    <>
      <Notice kind={plan.action === 'retry' ? 'info' : 'warn'} title={`${titleOf(plan)}, exactly these`}>
        {effectOf(plan)} {note} Tasks that arrive from now on are untouched; those that change before it is their turn
        are skipped.
        {plan.count_is_capped &&
          ' More tasks match than one plan can hold: it has the oldest. Plan the others afterwards.'}
      </Notice>
      <PlanSample plan={plan} />
    </>
  )
}

interface FooterProps {
  readonly plan: Plan | undefined
  /** Seconds until the plan expires. */
  readonly left: number
  readonly isConfirmed: boolean
  readonly onAgain: () => void
  readonly onClose: () => void
}

/** The buttons: to leave it, which has the focus, and to run it. */
const Footer = ({ plan, left, isConfirmed, onAgain, onClose }: FooterProps) => {
  const navigate = useNavigate()
  const refresh = useRefresh()
  const run = useMutation({
    mutationFn: async (id: string) => api.POST('/v1/plans/{id}/run', { params: { path: { id } } }),
    onSuccess: async (_, id) => {
      await navigate({ to: '/plans/$id', params: { id } })
      void refresh('/v1/tasks')
    },
  })
  const hasTasks = plan !== undefined && plan.count > 0
  return (
    <>
      {run.isError && <Failure error={run.error} />}
      <Group justify="space-between" gap="sm">
        <span>{hasTasks && left > 0 && `Valid for ${formatDuration(Math.ceil(left))}`}</span>
        <Group gap="sm">
          <Button variant="default" onClick={onClose} data-autofocus>
            {plan?.count === 0 ? 'Close' : 'Cancel'}
          </Button>
          {hasTasks && left <= 0 && <Button onClick={onAgain}>Choose again</Button>}
          {hasTasks && left > 0 && (
            <Button
              {...(plan.action !== 'retry' && { color: 'red.8' })}
              loading={run.isPending}
              disabled={!isConfirmed}
              onClick={() => run.mutate(plan.id)}
            >
              {verbOf(plan)}
            </Button>
          )}
        </Group>
      </Group>
    </>
  )
}
