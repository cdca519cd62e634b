import { NumberInput, SegmentedControl, Select, Stack, TextInput } from '@mantine/core'
import { useMemo } from 'react'
import { formatDuration, formatIn, formatTime } from '../../format/times.ts'
import { useZone } from '../../format/zone.tsx'
import { useClock } from '../../ui/clock.ts'
import { describeCron } from './cron-words.ts'
import { nextRuns } from './next-runs.ts'
import type { ScheduleFields } from './schedule-fields.ts'
import { isShownZone } from './schedule-words.tsx'
import classes from './schedules.module.css'

interface TimingFieldsProps {
  readonly fields: ScheduleFields
  readonly change: (changed: Partial<ScheduleFields>) => void
  /** What the server said of a field. */
  readonly faultOf: (pointer: string) => string | undefined
}

/** What the timing means, and when it would run next, in the chosen clock and in its own. */
const Preview = ({ fields }: { readonly fields: ScheduleFields }) => {
  const { zone } = useZone()
  const minute = Math.floor(useClock() / 60_000) * 60_000
  const { kind, cron, timeZone, intervalSeconds } = fields
  const isCron = kind === 'cron'
  const runs = useMemo(
    () =>
      nextRuns(
        {
          cron: isCron ? cron : undefined,
          timeZone,
          intervalSeconds: intervalSeconds === '' ? undefined : intervalSeconds,
        },
        new Date(Math.max(minute, Date.now())),
        3,
      ),
    [isCron, cron, timeZone, intervalSeconds, minute],
  )
  if (runs === undefined) return <div className={classes.preview}>This is not a valid schedule yet.</div>
  const words = isCron ? (describeCron(cron) ?? cron) : `Every ${formatDuration(Number(intervalSeconds))} from now on`
  return (
    <div className={classes.preview} aria-live="polite">
      <b>{words}</b>
      {runs.length === 0 ? (
        <div>It never runs.</div>
      ) : (
        <ul>
          {runs.map((at) => (
            <li key={at.getTime()}>
              {formatTime(at, zone)}
              {isCron && !isShownZone(timeZone, zone) && <span className={classes.own}>{formatIn(at, timeZone)}</span>}
            </li>
          ))}
        </ul>
      )}
    </div>
  )
}

const zones = ['UTC', ...Intl.supportedValuesOf('timeZone').filter((name) => name !== 'UTC')]

/** When the schedule runs. */
export const TimingFields = ({ fields, change, faultOf }: TimingFieldsProps) => (
  <Stack gap="sm">
    <SegmentedControl
      aria-label="Runs"
      value={fields.kind}
      data={[
        { value: 'cron', label: 'By the clock' },
        { value: 'interval', label: 'At an interval' },
      ]}
      onChange={(kind) => change({ kind: kind === 'interval' ? 'interval' : 'cron' })}
    />
    {fields.kind === 'cron' ? (
      <div className={classes.pair}>
        <TextInput
          label="Cron pattern"
          description="Minute, hour, day, month, weekday; or @daily"
          value={fields.cron}
          onChange={(event) => change({ cron: event.currentTarget.value })}
          error={faultOf('/cron')}
          spellCheck={false}
        />
        <Select
          label="Time zone"
          description="That of the pattern"
          data={[...new Set([fields.timeZone, ...zones])]}
          value={fields.timeZone}
          onChange={(timeZone) => timeZone !== null && change({ timeZone })}
          searchable
          allowDeselect={false}
          error={faultOf('/time_zone')}
          limit={100}
        />
      </div>
    ) : (
      <NumberInput
        label="Every"
        suffix=" s"
        min={1}
        max={315_360_000}
        allowDecimal={false}
        hideControls
        value={fields.intervalSeconds}
        onChange={(value) => change({ intervalSeconds: typeof value === 'number' ? value : '' })}
        error={faultOf('/interval_seconds')}
      />
    )}
    <Preview fields={fields} />
  </Stack>
)
