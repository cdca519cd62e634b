import type { Schemas } from '../../api/client.ts'
import { formatDuration, type Zone } from '../../format/times.ts'
import { Status } from '../../ui/status.tsx'
import { describeCron } from './cron-words.ts'

type Schedule = Schemas['Schedule']

/** When a schedule runs, as a sentence. */
export const timingOf = ({ cron, time_zone: zone, interval_seconds: seconds }: Schedule): string => {
  if (cron === null) return seconds === null ? '-' : `Every ${formatDuration(seconds)}`
  return `${describeCron(cron) ?? cron}, ${zone ?? 'UTC'}`
}

export const ScheduleStatus = ({ is_paused: isPaused, next_run_at: next }: Schedule) => {
  if (isPaused) return <Status tone="warn">paused</Status>
  return next === null ? <Status tone="bad">has no next time</Status> : <Status tone="ok">on</Status>
}

/** Whether times are shown in this zone anyway. */
export const isShownZone = (timeZone: string, zone: Zone): boolean =>
  timeZone === (zone === 'utc' ? 'UTC' : Intl.DateTimeFormat().resolvedOptions().timeZone)

export const catchUpWords = {
  none: 'Skip them',
  one: 'Run the newest once',
  all: 'Run all, at most the last 100',
} as const satisfies Record<Schedule['catch_up'], string>
