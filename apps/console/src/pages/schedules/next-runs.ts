import { Cron } from 'croner'

/** When a schedule runs: a pattern with its time zone, or an interval from now on. */
export interface Timing {
  readonly cron: string | undefined
  readonly timeZone: string | undefined
  readonly intervalSeconds: number | undefined
}

/** The next times of a timing after `now`, at most `count`; undefined where it is no timing. The server decides. */
export const nextRuns = (
  { cron, timeZone, intervalSeconds }: Timing,
  now: Date,
  count: number,
): readonly Date[] | undefined => {
  if (cron === undefined) {
    if (intervalSeconds === undefined || !(intervalSeconds >= 1)) return undefined
    return Array.from({ length: count }, (_, index) => new Date(now.getTime() + (index + 1) * intervalSeconds * 1000))
  }
  // As the server reads it: a date is no pattern, and `?` would be the time of reading.
  if (cron.includes('?') || !/^@|\s/.test(cron.trim())) return undefined
  try {
    return new Cron(cron, { timezone: timeZone ?? 'UTC', mode: '5-or-6-parts', paused: true }).nextRuns(count, now)
  } catch {
    return undefined
  }
}
