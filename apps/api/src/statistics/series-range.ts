import type { SeriesRange } from '#libs/database'
import { MemoryGuardError } from '#libs/platform'
import { maxPoints } from './statistics.schemas.js'

const [minute, hour, day] = [60, 3_600, 86_400] as const
/** Steps to choose from, in seconds, and the most points of a chosen one. */
const defaultSteps = [minute, 5 * minute, 15 * minute, hour, 6 * hour, day, 7 * day, 30 * day] as const
const defaultPoints = 180
const defaultRangeSeconds = hour
/** Longest range of steps below an hour, and how long minutes and hours are kept, in seconds. */
const longestOfMinutes = day
const minutesKept = 14 * day
const hoursKept = 400 * day
/** The last time that RFC 3339 can write. */
const lastTime = Date.UTC(9999, 11, 31)

/** What a caller asks for; times in ISO 8601, durations in seconds. */
export interface WantedRange {
  readonly from?: string | undefined
  readonly to?: string | undefined
  readonly range?: number | undefined
  readonly step?: number | undefined
}

/**
 * Chooses buckets and points for a range, which grows to whole points.
 * @param now Milliseconds since the epoch.
 * @throws {MemoryGuardError} REQUEST_INVALID when the range is empty, or the step does not fit it.
 */
export const planRange = (wanted: WantedRange, now: number): SeriesRange => {
  if (wanted.from !== undefined && wanted.range !== undefined) {
    throw invalid('/range', 'must not be given together with from')
  }
  const to = wanted.to === undefined ? now : Date.parse(wanted.to)
  const from = wanted.from === undefined ? to - 1_000 * (wanted.range ?? defaultRangeSeconds) : Date.parse(wanted.from)
  if (from >= to) throw invalid('/from', wanted.to === undefined ? 'must not be in the future' : 'must be before to')
  if (from < 0) throw invalid(wanted.from === undefined ? '/range' : '/from', 'must not reach back before 1970')
  const spanSeconds = (to - from) / 1_000
  const age = (now - from) / 1_000
  const finest = age > hoursKept ? day : spanSeconds > longestOfMinutes || age > minutesKept ? hour : minute
  const stepSeconds = wanted.step ?? defaultStep(spanSeconds, finest)
  const widthSeconds = [day, hour, minute].find((width) => stepSeconds % width === 0)
  if (widthSeconds === undefined) throw invalid('/step', 'must be a whole number of minutes')
  if (widthSeconds < finest) throw invalid('/step', coarserWords(finest))
  const step = 1_000 * stepSeconds
  if (spanSeconds / stepSeconds > maxPoints) {
    const least = Math.ceil(spanSeconds / maxPoints / finest) * finest
    throw invalid('/step', `gives more than ${maxPoints} points; must be at least ${least} seconds for this range`)
  }
  const end = Math.ceil(to / step) * step
  if (end > lastTime) throw invalid(wanted.step === undefined ? '/to' : '/step', 'must not lead beyond the year 9999')
  // A range that begins and ends within points has one more than it has steps.
  return { widthSeconds, stepSeconds, from: Math.max(Math.floor(from / step) * step, end - maxPoints * step), to: end }
}

const defaultStep = (spanSeconds: number, finest: number): number =>
  defaultSteps.find((step) => step >= finest && spanSeconds / step <= defaultPoints) ??
  Math.ceil(spanSeconds / defaultPoints / day) * day

const coarserWords = (finest: number): string =>
  finest === day
    ? 'must be whole days: hours are kept for 400 days'
    : 'must be whole hours: minutes are kept for 14 days and read for at most one day at once'

const invalid = (pointer: string, message: string): MemoryGuardError =>
  new MemoryGuardError('REQUEST_INVALID', 'These statistics cannot be read; see `errors`.', {
    faults: [{ pointer, message }],
  })
