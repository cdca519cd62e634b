import { Autocomplete, Button, Group, NumberInput, Select, Stack, Textarea, TextInput } from '@mantine/core'
import { useMutation } from '@tanstack/react-query'
import { useState, type FormEvent } from 'react'
import { api, type Schemas } from '../../api/client.ts'
import { problemOf } from '../../api/problem.ts'
import { useTaskNames } from '../../api/task-names.ts'
import { Dialog } from '../../ui/dialog.tsx'
import { Failure } from '../../ui/failure.tsx'
import { queueNames } from '../overview/ranges.ts'
import { argsOf, bodyOf, fieldsOf, type ScheduleFields } from './schedule-fields.ts'
import { catchUpWords } from './schedule-words.tsx'
import classes from './schedules.module.css'
import { TimingFields } from './timing-fields.tsx'

type Schedule = Schemas['Schedule']

interface PartProps {
  readonly fields: ScheduleFields
  readonly change: (changed: Partial<ScheduleFields>) => void
  readonly faultOf: (pointer: string) => string | undefined
}

const numberOf = (value: string | number): number | '' => (typeof value === 'number' ? value : '')

/** What is run. */
const TaskFields = ({ fields, change, faultOf, isNew }: PartProps & { readonly isNew: boolean }) => (
  <>
    {isNew && (
      <TextInput
        label="Name"
        description="It names the schedule in links and commands, and cannot be changed."
        value={fields.name}
        onChange={(event) => change({ name: event.currentTarget.value })}
        error={faultOf('/name')}
        data-autofocus
      />
    )}
    <Autocomplete
      label="Task"
      data={[...useTaskNames()]}
      value={fields.task}
      onChange={(task) => change({ task })}
      placeholder="ml.update_forecasts"
      error={faultOf('/task')}
      {...(!isNew && { 'data-autofocus': true })}
    />
    <Textarea
      label="Arguments"
      description="As JSON. No health values: name a stored prediction_id, or a user_id."
      className={classes.code}
      autosize
      minRows={3}
      maxRows={10}
      value={fields.args}
      spellCheck={false}
      onChange={(event) => change({ args: event.currentTarget.value })}
      error={argsOf(fields.args) === undefined ? 'This is no JSON object.' : faultOf('/args')}
    />
  </>
)

/** How it is run. */
const RunFields = ({ fields, change, faultOf }: PartProps) => (
  <>
    <Select
      label="Times that passed while no worker ran"
      data={Object.entries(catchUpWords).map(([value, label]) => ({ value, label }))}
      value={fields.catchUp}
      allowDeselect={false}
      onChange={(catchUp) => catchUp && change({ catchUp: catchUp as ScheduleFields['catchUp'] })}
    />
    <div className={classes.pair}>
      <Select
        label="Queue"
        data={queueNames}
        value={fields.queue}
        clearable
        clearButtonProps={{ 'aria-label': 'The queue of the task' }}
        placeholder="that of the task"
        onChange={(queue) => change({ queue })}
        error={faultOf('/queue')}
      />
      <NumberInput
        label="Priority"
        description="A smaller number goes first"
        min={0}
        max={32_767}
        allowDecimal={false}
        hideControls
        value={fields.priority}
        onChange={(value) => change({ priority: numberOf(value) })}
        error={faultOf('/priority')}
      />
      <NumberInput
        label="Expires"
        description="Not started after this wait"
        suffix=" s"
        min={1}
        allowDecimal={false}
        hideControls
        placeholder="never"
        value={fields.expiresSeconds}
        onChange={(value) => change({ expiresSeconds: numberOf(value) })}
        error={faultOf('/expires_seconds')}
      />
    </div>
  </>
)

interface ScheduleFormProps {
  /** The schedule to change; a new one without. */
  readonly schedule?: Schedule
  readonly onSaved: (schedule: Schedule | undefined) => void
  readonly onClose: () => void
}

/** Creates or changes a schedule. */
export const ScheduleForm = ({ schedule, onSaved, onClose }: ScheduleFormProps) => {
  const [fields, setFields] = useState(() =>
    fieldsOf(schedule, Intl.DateTimeFormat().resolvedOptions().timeZone || 'UTC'),
  )
  const change = (changed: Partial<ScheduleFields>) => setFields((before) => ({ ...before, ...changed }))
  const args = argsOf(fields.args)
  const save = useMutation({
    mutationFn: async () => {
      const body = bodyOf(fields, args ?? {})
      if (!schedule)
        return (await api.POST('/v1/schedules', { body: { ...body, name: fields.name.trim(), is_paused: false } })).data
      return (await api.PATCH('/v1/schedules/{id}', { params: { path: { id: schedule.name } }, body })).data
    },
    onSuccess: onSaved,
  })
  const faultOf = (pointer: string) =>
    save.isError ? problemOf(save.error).faults.find((fault) => fault.pointer.startsWith(pointer))?.message : undefined
  const isReady =
    args !== undefined && fields.task.trim() !== '' && (schedule !== undefined || fields.name.trim() !== '')
  const submit = (event: FormEvent) => {
    event.preventDefault()
    if (isReady) save.mutate()
  }
  return (
    <Dialog onClose={onClose} size="lg" title={schedule ? `Change ${schedule.name}` : 'Create a schedule'}>
      <form onSubmit={submit} noValidate>
        <Stack gap="md">
          <TaskFields fields={fields} change={change} faultOf={faultOf} isNew={schedule === undefined} />
          <TimingFields fields={fields} change={change} faultOf={faultOf} />
          <RunFields fields={fields} change={change} faultOf={faultOf} />
          {save.isError && <Failure error={save.error} />}
          <Group justify="flex-end" gap="sm">
            <Button variant="default" onClick={onClose}>
              Cancel
            </Button>
            <Button type="submit" loading={save.isPending} disabled={!isReady}>
              {schedule ? 'Save' : 'Create the schedule'}
            </Button>
          </Group>
        </Stack>
      </form>
    </Dialog>
  )
}
