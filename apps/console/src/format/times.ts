/** Which clock times are shown in. */
export type Zone = 'local' | 'utc'

/** Making a format takes longer than formatting a hundred times. */
const formats = new Map<string, Intl.DateTimeFormat>()

const formatOf = (options: Intl.DateTimeFormatOptions): Intl.DateTimeFormat => {
  const key = JSON.stringify(options)
  const known = formats.get(key) ?? new Intl.DateTimeFormat('en-GB', options)
  formats.set(key, known)
  return known
}

const dateTime = (zone: Zone, options: Intl.DateTimeFormatOptions): Intl.DateTimeFormat =>
  formatOf(zone === 'utc' ? { ...options, timeZone: 'UTC' } : options)

const toTheSecond = {
  day: 'numeric',
  month: 'short',
  year: 'numeric',
  hour: '2-digit',
  minute: '2-digit',
  second: '2-digit',
  timeZoneName: 'short',
} as const

/** `30 Nov 2026, 14:05:09 GMT+1`. */
export const formatTime = (at: Date | string | number, zone: Zone): string =>
  dateTime(zone, toTheSecond).format(new Date(at))

/** A time in a zone by its name: `Mon, 30 Nov 2026, 02:30:00 CET`. */
export const formatIn = (at: string | Date, timeZone: string): string =>
  formatOf({ ...toTheSecond, weekday: 'short', timeZone }).format(new Date(at))

/** `30 Nov 2026`. */
export const formatDay = (at: Date | string | number, zone: Zone): string =>
  dateTime(zone, { day: 'numeric', month: 'short', year: 'numeric' }).format(new Date(at))

/** Label of an axis for a time, by how far two marks are apart: `14:05`, `Mon 14:00`, `30 Nov`. */
export const formatTick = (at: Date, stepSeconds: number, zone: Zone): string => {
  if (stepSeconds >= 86_400) return dateTime(zone, { day: 'numeric', month: 'short' }).format(at)
  if (stepSeconds >= 21_600) return dateTime(zone, { weekday: 'short', hour: '2-digit', minute: '2-digit' }).format(at)
  return dateTime(zone, { hour: '2-digit', minute: '2-digit' }).format(at)
}

const units = [
  [86_400, 'd'],
  [3_600, 'h'],
  [60, 'min'],
  [1, 's'],
] as const

/** `850 ms`, `4.2 s`, `3 min 20 s`, `2 h 5 min`, `3 d 4 h`; with one part, `3 min`. */
export const formatDuration = (seconds: number, parts: 1 | 2 = 2): string => {
  if (seconds < 0.001) return seconds <= 0 ? '0 s' : 'under 1 ms'
  if (seconds < 1) return `${Math.round(seconds * 1000)} ms`
  if (seconds < 60) return `${seconds < 10 ? seconds.toFixed(1).replace(/\.0$/, '') : Math.round(seconds)} s`
  const first = units.findIndex(([size]) => seconds >= size)
  const [size, unit] = units[first] ?? [1, 's']
  const [smaller, smallerUnit] = units[first + 1] ?? [1, 's']
  const rest = Math.floor((seconds % size) / smaller)
  return `${Math.floor(seconds / size)} ${unit}${parts === 2 && rest > 0 ? ` ${rest} ${smallerUnit}` : ''}`
}

/** A duration, or `-` where there is none. */
export const durationOrDash = (seconds: number | null, parts: 1 | 2 = 2): string =>
  seconds === null ? '-' : formatDuration(seconds, parts)

/** `5 min ago`, `in 2 h`; `now` within a second. */
export const formatAge = (at: Date | string, now: number): string => {
  const seconds = (now - new Date(at).getTime()) / 1000
  if (Math.abs(seconds) < 1.5) return 'now'
  const text = formatDuration(Math.floor(Math.abs(seconds)), 1)
  return seconds > 0 ? `${text} ago` : `in ${text}`
}
