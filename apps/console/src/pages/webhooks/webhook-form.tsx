import { Button, Checkbox, Group, MultiSelect, Stack, Switch, TextInput } from '@mantine/core'
import { useMutation } from '@tanstack/react-query'
import { useState, type FormEvent } from 'react'
import { api, type Schemas } from '../../api/client.ts'
import { problemOf } from '../../api/problem.ts'
import { useTaskNames } from '../../api/task-names.ts'
import { Dialog } from '../../ui/dialog.tsx'
import { Failure } from '../../ui/failure.tsx'
import { wordsOfEvents } from './webhook-status.tsx'

type Webhook = Schemas['Webhook']
type Event = NonNullable<Schemas['WebhookRequest']['events']>[number]

const allEvents = [
  'task.succeeded',
  'task.failed',
  'task.cancelled',
  'task.timed_out',
  'task.expired',
] as const satisfies readonly Event[]

interface Fields {
  readonly url: string
  readonly description: string
  readonly events: readonly string[]
  readonly tasks: readonly string[]
  readonly isActive: boolean
}

const fieldsOf = (webhook: Webhook | undefined): Fields => ({
  url: webhook?.url ?? '',
  description: webhook?.description ?? '',
  events: webhook?.events ?? allEvents,
  tasks: webhook?.tasks ?? [],
  isActive: webhook?.is_active ?? true,
})

const bodyOf = ({ url, description, events, tasks, isActive }: Fields) => ({
  url: url.trim(),
  description: description.trim() || null,
  events: allEvents.filter((event) => events.includes(event)),
  tasks: tasks.length === 0 ? null : [...tasks],
  is_active: isActive,
})

interface WebhookFormProps {
  /** The webhook to change; a new one without. */
  readonly webhook?: Webhook
  /** Called with the secret of a new webhook. */
  readonly onSaved: (created?: Schemas['NewWebhook']) => void
  readonly onClose: () => void
}

/** What a webhook is sent, and where to. */
export const WebhookForm = ({ webhook, onSaved, onClose }: WebhookFormProps) => {
  const [fields, setFields] = useState(() => fieldsOf(webhook))
  const names = useTaskNames()
  const change = (changed: Partial<Fields>) => setFields((before) => ({ ...before, ...changed }))
  const save = useMutation({
    mutationFn: async () => {
      const body = bodyOf(fields)
      if (!webhook) return (await api.POST('/v1/webhooks', { body })).data
      await api.PATCH('/v1/webhooks/{id}', { params: { path: { id: webhook.id } }, body })
      return undefined
    },
    onSuccess: onSaved,
  })
  const faultOf = (pointer: string) =>
    save.isError ? problemOf(save.error).faults.find((fault) => fault.pointer.startsWith(pointer))?.message : undefined
  const submit = (event: FormEvent) => {
    event.preventDefault()
    save.mutate()
  }
  return (
    <Dialog onClose={onClose} size="lg" title={webhook ? 'Change the webhook' : 'Add a webhook'}>
      <form onSubmit={submit} noValidate>
        <Stack gap="md">
          <TextInput
            label="URL"
            type="url"
            description="Messages are posted to it: https, and an address of the public internet."
            placeholder="https://example.org/hooks/memoryguard"
            value={fields.url}
            onChange={(event) => change({ url: event.currentTarget.value })}
            error={faultOf('/url')}
            data-autofocus
          />
          <TextInput
            label="What it is for"
            value={fields.description}
            maxLength={200}
            onChange={(event) => change({ description: event.currentTarget.value })}
            error={faultOf('/description')}
          />
          <Checkbox.Group
            label="When a task has"
            value={[...fields.events]}
            onChange={(events) => change({ events })}
            error={faultOf('/events')}
          >
            <Group gap="md" mt={6}>
              {allEvents.map((event) => (
                <Checkbox key={event} value={event} label={wordsOfEvents([event])} />
              ))}
            </Group>
          </Checkbox.Group>
          <MultiSelect
            label="Tasks"
            description="All, if none is chosen."
            data={[...new Set([...names, ...fields.tasks])]}
            value={[...fields.tasks]}
            onChange={(tasks) => change({ tasks })}
            searchable
            clearable
            clearButtonProps={{ 'aria-label': 'Clear the tasks' }}
            error={faultOf('/tasks')}
          />
          <Switch
            label="On"
            checked={fields.isActive}
            onChange={(event) => change({ isActive: event.currentTarget.checked })}
          />
          {save.isError && <Failure error={save.error} />}
          <Group justify="flex-end" gap="sm">
            <Button variant="default" onClick={onClose}>
              Cancel
            </Button>
            <Button
              type="submit"
              loading={save.isPending}
              disabled={fields.url.trim() === '' || fields.events.length === 0}
            >
              {webhook ? 'Save' : 'Add the webhook'}
            </Button>
          </Group>
        </Stack>
      </form>
    </Dialog>
  )
}
