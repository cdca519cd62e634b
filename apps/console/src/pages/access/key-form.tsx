import { Button, Group, NumberInput, Radio, Stack, TextInput } from '@mantine/core'
import { useMutation } from '@tanstack/react-query'
import { useState, type FormEvent } from 'react'
import { api, type Schemas } from '../../api/client.ts'
import { problemOf } from '../../api/problem.ts'
import type { Role } from '../../session/session.tsx'
import { Dialog } from '../../ui/dialog.tsx'
import { Failure } from '../../ui/failure.tsx'

const roles: readonly (readonly [Role, string])[] = [
  ['viewer', 'sees, and changes nothing'],
  ['submitter', 'also submits work and measurements'],
  ['operator', 'also controls tasks, queues, workers, schedules and models'],
  ['admin', 'also manages keys and webhooks, and reads the audit trail'],
]

interface Fields {
  readonly name: string
  readonly role: Role
  readonly userId: number | ''
  /** As a field for local times has it. */
  readonly expires: string
}

const create = async ({ name, role, userId, expires }: Fields) => {
  const { data } = await api.POST('/v1/api-keys', {
    body: {
      name: name.trim(),
      role,
      ...(userId !== '' && { user_id: userId }),
      ...(expires !== '' && { expires_at: new Date(expires).toISOString() }),
    },
  })
  return data
}

interface KeyFormProps {
  readonly onCreated: (key: Schemas['NewApiKey'] | undefined) => void
  readonly onClose: () => void
}

/** Creates a key. */
export const KeyForm = ({ onCreated, onClose }: KeyFormProps) => {
  const [fields, setFields] = useState<Fields>({ name: '', role: 'viewer', userId: '', expires: '' })
  const change = (changed: Partial<Fields>) => setFields((before) => ({ ...before, ...changed }))
  const save = useMutation({ mutationFn: () => create(fields), onSuccess: onCreated })
  const mayBeBound = fields.role === 'viewer' || fields.role === 'submitter'
  const faultOf = (pointer: string) =>
    save.isError ? problemOf(save.error).faults.find((fault) => fault.pointer === pointer)?.message : undefined
  const submit = (event: FormEvent) => {
    event.preventDefault()
    save.mutate()
  }
  return (
    <Dialog onClose={onClose} size="lg" title="Create an API key">
      <form onSubmit={submit} noValidate>
        <Stack gap="md">
          <TextInput
            label="Name"
            description="What it is for, so that it is known when it is to be revoked."
            placeholder="nightly import"
            value={fields.name}
            maxLength={120}
            autoComplete="off"
            onChange={(event) => change({ name: event.currentTarget.value })}
            error={faultOf('/name')}
            data-autofocus
          />
          <Radio.Group
            label="Role"
            value={fields.role}
            onChange={(role) =>
              change({ role, userId: role === 'viewer' || role === 'submitter' ? fields.userId : '' })
            }
          >
            <Stack gap={8} mt={6}>
              {roles.map(([role, words]) => (
                <Radio key={role} value={role} label={`${role}: ${words}`} />
              ))}
            </Stack>
          </Radio.Group>
          <NumberInput
            label="Only for person"
            description={
              mayBeBound
                ? 'The number of the person whose data alone it reaches; empty for everyone’s.'
                : 'Keys of viewers and submitters alone can be bound to a person.'
            }
            value={fields.userId}
            onChange={(value) => change({ userId: typeof value === 'number' ? value : '' })}
            min={1}
            allowDecimal={false}
            hideControls
            disabled={!mayBeBound}
            error={faultOf('/user_id')}
          />
          <TextInput
            type="datetime-local"
            label="Expires"
            description="In the time of this computer; empty for never."
            value={fields.expires}
            onChange={(event) => change({ expires: event.currentTarget.value })}
            error={faultOf('/expires_at')}
          />
          {save.isError && <Failure error={save.error} />}
          <Group justify="flex-end" gap="sm">
            <Button variant="default" onClick={onClose}>
              Cancel
            </Button>
            <Button type="submit" loading={save.isPending} disabled={fields.name.trim() === ''}>
              Create the key
            </Button>
          </Group>
        </Stack>
      </form>
    </Dialog>
  )
}
