import { Button, Group, NumberInput, Select, TextInput } from '@mantine/core'
import { useState, type FormEvent } from 'react'
import type { Schemas } from '../../../api/client.ts'
import { formatRate } from '../../../format/numbers.ts'
import { formatDuration } from '../../../format/times.ts'
import { Columns, Panel } from '../../../ui/page.tsx'
import { Table } from '../../../ui/table.tsx'
import classes from './worker.module.css'
import { useCommands } from './worker-commands.tsx'

type Worker = Schemas['Worker']

const orConfigured = (seconds: number | undefined): string =>
  seconds === undefined ? 'as configured' : formatDuration(seconds)

/** How fast and for how long tasks may run on this worker. */
export const LimitsTab = ({ worker }: { readonly worker: Worker }) => {
  const { canSend } = useCommands()
  const rows = worker.tasks.map((name) => ({ name, ...worker.limits[name] }))
  return (
    <div className={classes.parts}>
      <Panel title="Limits" hint="Set on this worker, until it is started again." isFlush>
        <Table
          caption="Limits by kind of task"
          rows={rows}
          keyOf={({ name }) => name}
          columns={[
            { title: 'Task', isWide: true, cell: ({ name }) => name },
            {
              title: 'Starts at most',
              isNumber: true,
              cell: ({ rate_per_second: rate }) => (rate === undefined ? 'no limit' : formatRate(rate)),
            },
            { title: 'Asked to end after', isNumber: true, cell: ({ soft_seconds: soft }) => orConfigured(soft) },
            { title: 'Killed after', isNumber: true, cell: ({ hard_seconds: hard }) => orConfigured(hard) },
          ]}
        />
      </Panel>
      {canSend && (
        <Columns>
          <RateForm tasks={worker.tasks} />
          <TimeForm tasks={worker.tasks} />
        </Columns>
      )}
    </div>
  )
}

const RateForm = ({ tasks }: { readonly tasks: readonly string[] }) => {
  const { isPending, send } = useCommands()
  const [task, setTask] = useState<string | null>(null)
  const [rate, setRate] = useState('')
  const isValid = /^\d{1,6}(\.\d{1,3})?(\/[smh])?$/.test(rate)
  const submit = (event: FormEvent) => {
    event.preventDefault()
    if (task !== null && isValid) send('rate-limit', { task, rate })
  }
  return (
    <Panel title="Limit the rate">
      <form onSubmit={submit}>
        <Group align="flex-end" gap="sm">
          <Select label="Task" data={[...tasks]} value={task} onChange={setTask} w={220} />
          <TextInput
            label="Starts at most"
            description="10/s, 10/m or 10/h; 0 for no limit"
            value={rate}
            onChange={(event) => setRate(event.currentTarget.value)}
            error={rate !== '' && !isValid && 'Such as 10/m'}
            w={220}
          />
          <Button type="submit" loading={isPending} disabled={task === null || !isValid}>
            Set the rate
          </Button>
        </Group>
      </form>
    </Panel>
  )
}

const TimeForm = ({ tasks }: { readonly tasks: readonly string[] }) => {
  const { isPending, send } = useCommands()
  const [task, setTask] = useState<string | null>(null)
  const [soft, setSoft] = useState<number | string>('')
  const [hard, setHard] = useState<number | string>('')
  const isReady = task !== null && (soft !== '' || hard !== '')
  const submit = (event: FormEvent) => {
    event.preventDefault()
    if (!isReady) return
    send('time-limit', { task, ...(soft !== '' && { soft: Number(soft) }), ...(hard !== '' && { hard: Number(hard) }) })
  }
  return (
    <Panel title="Limit the time">
      <form onSubmit={submit}>
        <Group align="flex-end" gap="sm">
          <Select label="Task" data={[...tasks]} value={task} onChange={setTask} w={220} />
          <NumberInput label="Asked to end after (s)" min={0.1} value={soft} onChange={setSoft} w={180} />
          <NumberInput label="Killed after (s)" min={0.1} value={hard} onChange={setHard} w={160} />
          <Button type="submit" loading={isPending} disabled={!isReady}>
            Set the time
          </Button>
        </Group>
      </form>
    </Panel>
  )
}
