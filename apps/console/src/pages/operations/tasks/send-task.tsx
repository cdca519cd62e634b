import { Button, Group, NumberInput, SegmentedControl, Select, Stack, Textarea, TextInput } from '@mantine/core'
import { useMutation } from '@tanstack/react-query'
import { useState, type FormEvent } from 'react'
import { api, query, type Schemas } from '../../../api/client.ts'
import { newIdempotencyKey } from '../../../api/idempotency-key.ts'
import { Dialog } from '../../../ui/dialog.tsx'
import { Failure } from '../../../ui/failure.tsx'
import { queueNames } from '../../overview/ranges.ts'
import { argsFault, parseArgs } from './task-args.ts'

interface SendTaskProps {
  readonly onClose: () => void
  readonly onSent: (id: string) => void
}

type Start = 'now' | 'in' | 'at'

interface Form {
  readonly name: string | null
  readonly args: string
  readonly start: Start
  readonly countdown: number | string
  readonly eta: string
  readonly expires: number | string
  readonly priority: number | string
  readonly queue: string | null
}

const blank: Form = {
  name: null,
  args: '{}',
  start: 'now',
  countdown: 60,
  eta: '',
  expires: '',
  priority: '',
  queue: null,
}

const bodyOf = ({ name, args, start, countdown, eta, expires, priority, queue }: Form): Schemas['TaskRequest'] => ({
  name: name ?? '',
  args: parseArgs(args),
  ...(start === 'in' && { countdown: Number(countdown) }),
  ...(start === 'at' && { eta: new Date(eta).toISOString() }),
  ...(expires !== '' && { expires: Number(expires) }),
  ...(priority !== '' && { priority: Number(priority) }),
  ...(queue !== null && { queue }),
})

/** Sends any task, now or later. */
export const SendTask = ({ onClose, onSent }: SendTaskProps) => {
  const [form, setForm] = useState(blank)
  // The same form that is sent twice makes one task.
  const [idempotencyKey, setKey] = useState(newIdempotencyKey)
  const set = (change: Partial<Form>) => {
    setForm((before) => ({ ...before, ...change }))
    setKey(newIdempotencyKey())
  }
  const names = query.useQuery('get', '/v1/tasks/suggestions', { params: { query: { q: 'name:' } } })
  const send = useMutation({
    mutationFn: async () =>
      (await api.POST('/v1/tasks', { params: { header: { 'Idempotency-Key': idempotencyKey } }, body: bodyOf(form) }))
        .data,
    onSuccess: (task) => task && onSent(task.id),
  })
  const fault = argsFault(form.args)
  const isReady =
    form.name !== null && fault === undefined && (form.start !== 'at' || !Number.isNaN(new Date(form.eta).getTime()))
  const submit = (event: FormEvent) => {
    event.preventDefault()
    if (isReady) send.mutate()
  }
  return (
    <Dialog size="lg" onClose={onClose} title="Send a task">
      <form onSubmit={submit}>
        <Stack gap="md">
          <Select
            label="Task"
            placeholder="Choose a kind of task"
            data={(names.data?.items ?? []).map(({ text }) => text.slice('name:'.length))}
            value={form.name}
            onChange={(name) => set({ name })}
            error={names.isError && 'The kinds of tasks could not be read.'}
            data-autofocus
          />
          <Textarea
            label="Arguments"
            description="As JSON. They are checked when the task is sent; invalid ones are rejected, and nothing is stored."
            value={form.args}
            onChange={(event) => set({ args: event.currentTarget.value })}
            error={fault}
            minRows={5}
            autosize
            maxRows={16}
            spellCheck={false}
            styles={{ input: { fontFamily: 'var(--mantine-font-family-monospace)', fontSize: '0.8125rem' } }}
          />
          <Timing form={form} set={set} />
          {send.isError && <Failure error={send.error} />}
          <Group justify="flex-end" gap="sm">
            <Button variant="default" onClick={onClose}>
              Cancel
            </Button>
            <Button type="submit" loading={send.isPending} disabled={!isReady}>
              Send
            </Button>
          </Group>
        </Stack>
      </form>
    </Dialog>
  )
}

const Timing = ({ form, set }: { readonly form: Form; readonly set: (change: Partial<Form>) => void }) => (
  <>
    <Group gap="md" align="flex-end">
      <SegmentedControl
        aria-label="When it starts"
        value={form.start}
        onChange={(start) => set({ start })}
        data={[
          { value: 'now', label: 'Now' },
          { value: 'in', label: 'After a time' },
          { value: 'at', label: 'At a time' },
        ]}
      />
      {form.start === 'in' && (
        <NumberInput
          label="Seconds from now"
          min={0}
          value={form.countdown}
          onChange={(countdown) => set({ countdown })}
          w={160}
        />
      )}
      {form.start === 'at' && (
        <TextInput
          label="Start at (your local time)"
          type="datetime-local"
          value={form.eta}
          onChange={(event) => set({ eta: event.currentTarget.value })}
        />
      )}
    </Group>
    <Group gap="md" align="flex-start" grow preventGrowOverflow={false} wrap="wrap">
      <NumberInput
        label="Expires after (seconds)"
        description="Not started later; empty for never"
        min={0}
        value={form.expires}
        onChange={(expires) => set({ expires })}
        miw={180}
      />
      <NumberInput
        label="Priority"
        description="0 by default; smaller goes first"
        value={form.priority}
        onChange={(priority) => set({ priority })}
        allowDecimal={false}
        miw={180}
      />
      <Select
        label="Queue"
        description="The task's own by default"
        placeholder="As usual"
        clearable
        data={queueNames}
        value={form.queue}
        onChange={(queue) => set({ queue })}
        miw={180}
      />
    </Group>
  </>
)
