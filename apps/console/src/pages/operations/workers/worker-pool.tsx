import { Button, Group, NumberInput } from '@mantine/core'
import { useState } from 'react'
import type { Schemas } from '../../../api/client.ts'
import { formatCount } from '../../../format/numbers.ts'
import { Confirm } from '../../../ui/confirm.tsx'
import { Facts, Stat, Stats } from '../../../ui/facts.tsx'
import { Columns, Panel } from '../../../ui/page.tsx'
import classes from './worker.module.css'
import { useCommands } from './worker-commands.tsx'

/** The processes that compute, and how many there are. */
export const PoolTab = ({ worker }: { readonly worker: Schemas['Worker'] }) => {
  const { stats } = worker
  const { canSend, sendAndWait } = useCommands()
  const [isRestarting, setRestarting] = useState(false)
  const [least, most] = [stats['autoscale_min'], stats['autoscale_max']]
  return (
    <div className={classes.parts}>
      <Counters stats={stats} />
      <Columns>
        <Panel title="Pool">
          <Facts
            of={[
              ['Kind', worker.pool],
              ['Slots', formatCount(worker.concurrency)],
              ['Active tasks', stats['active'] === undefined ? '-' : formatCount(stats['active'])],
              [
                'Autoscale',
                least === undefined || most === undefined
                  ? 'off'
                  : `from ${formatCount(least)} to ${formatCount(most)}, by what waits`,
              ],
            ]}
          />
        </Panel>
        {canSend && <PoolCommands isAutoscaled={most !== undefined} onRestart={() => setRestarting(true)} />}
      </Columns>
      {isRestarting && (
        <Confirm
          title={`Restart the pool of ${worker.name}`}
          verb="Restart"
          run={() => sendAndWait('pool-restart')}
          onClose={() => setRestarting(false)}
        >
          Replaces its compute processes by new ones, which load the models again. Running tasks go on first.
        </Confirm>
      )}
    </div>
  )
}

const Counters = ({ stats }: { readonly stats: Schemas['Worker']['stats'] }) => (
  <Stats>
    {(['processed', 'succeeded', 'failed', 'retried'] as const).map((name) => (
      <Stat
        key={name}
        label={`${name.charAt(0).toUpperCase()}${name.slice(1)}`}
        value={stats[name] === undefined ? '-' : formatCount(stats[name])}
        note="since it started"
      />
    ))}
  </Stats>
)

interface PoolCommandsProps {
  readonly isAutoscaled: boolean
  readonly onRestart: () => void
}

const PoolCommands = ({ isAutoscaled, onRestart }: PoolCommandsProps) => {
  const { isPending, send } = useCommands()
  const [by, setBy] = useState<number | string>(1)
  const n = Number(by)
  const isValid = Number.isInteger(n) && n >= 1 && n <= 64
  return (
    <Panel
      title="Change the pool"
      hint={
        isAutoscaled
          ? 'It is scaled by what waits: a change lasts until the next scaling.'
          : 'Until it is started again.'
      }
    >
      <Group align="flex-end" gap="sm">
        <NumberInput
          label="Compute processes"
          min={1}
          max={64}
          value={by}
          onChange={setBy}
          w={150}
          allowDecimal={false}
        />
        <Button loading={isPending} disabled={!isValid} onClick={() => send('pool-grow', { n })}>
          Grow
        </Button>
        <Button variant="default" loading={isPending} disabled={!isValid} onClick={() => send('pool-shrink', { n })}>
          Shrink
        </Button>
        <Button variant="default" onClick={onRestart}>
          Restart the pool …
        </Button>
      </Group>
    </Panel>
  )
}
