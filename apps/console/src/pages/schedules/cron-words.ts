import { listOf } from '../../format/words.ts'

const weekdays = ['Sunday', 'Monday', 'Tuesday', 'Wednesday', 'Thursday', 'Friday', 'Saturday'] as const
const months = [
  ...['January', 'February', 'March', 'April', 'May', 'June', 'July', 'August', 'September', 'October'],
  ...['November', 'December'],
] as const

/** What the short names stand for. */
const named: Readonly<Record<string, string>> = {
  '@yearly': '0 0 1 1 *',
  '@annually': '0 0 1 1 *',
  '@monthly': '0 0 1 * *',
  '@weekly': '0 0 * * 0',
  '@daily': '0 0 * * *',
  '@midnight': '0 0 * * *',
  '@hourly': '0 * * * *',
}

const ordinal = (day: string): string => {
  const number = Number(day)
  const suffix = number % 100 >= 11 && number % 100 <= 13 ? 'th' : (['th', 'st', 'nd', 'rd'][number % 10] ?? 'th')
  return `${number}${suffix}`
}

/** A name of a day or month, from its number or its first three letters. */
const nameFrom =
  (names: readonly string[], first: number) =>
  (text: string): string => {
    const short = text.toLowerCase()
    const index = /^\d+$/.test(text) ? (Number(text) - first) % names.length : -1
    return names[index] ?? names.find((name) => name.toLowerCase().startsWith(short)) ?? text
  }

const weekday = nameFrom(weekdays, 0)
const month = nameFrom(months, 1)

/** Each part of a field in words: `1-5` by `wordOf` is `Monday to Friday`. */
const partsOf = (field: string, wordOf: (text: string) => string): string =>
  listOf(
    field.split(',').map((part) => {
      const [range = '', step] = part.split('/')
      const [from = '', to] = range.split('-')
      const words = to === undefined ? wordOf(from) : `${wordOf(from)} to ${wordOf(to)}`
      if (step === undefined) return words
      return from === '*' ? `each ${ordinal(step)}` : `each ${ordinal(step)} from ${words}`
    }),
  )

const dayOfWeek = (text: string): string => {
  const [day = '', nth] = text.split('#')
  if (nth !== undefined) return `the ${nth.toUpperCase() === 'L' ? 'last' : ordinal(nth)} ${weekday(day)} of the month`
  return /^\w+L$/i.test(text) && text.length > 1 ? `the last ${weekday(text.slice(0, -1))} of the month` : weekday(text)
}

const dayOfMonth = (text: string): string => (text.toUpperCase() === 'L' ? 'last day' : ordinal(text))

const isPlain = (field: string): boolean => /^\d+(,\d+)*$/.test(field)

const two = (number: string): string => number.padStart(2, '0')

/** `every 15 minutes` for a field of `*`, or with a step. */
const everyOf = (field: string, unit: string): string | undefined => {
  if (field === '*') return `every ${unit}`
  const step = /^(?:\*|0)\/(\d+)$/.exec(field)?.[1]
  if (step === undefined) return undefined
  return Number(step) === 1 ? `every ${unit}` : `every ${step} ${unit}s`
}

const timeOf = (second: string, minute: string, hour: string): string => {
  if (isPlain(minute) && isPlain(hour) && isPlain(second) && !second.includes(',')) {
    const end = second === '0' || second === '00' ? '' : `:${two(second)}`
    const times = hour.split(',').flatMap((h) => minute.split(',').map((m) => `${two(h)}:${two(m)}${end}`))
    if (times.length <= 6) return `at ${listOf(times)}`
  }
  const hours = everyOf(hour, 'hour')
  const inHours =
    hours === undefined
      ? ` in the hours ${partsOf(hour, (text) => text)}`
      : hours === 'every hour'
        ? ''
        : ` of ${hours}`
  const seconds = second === '0' || second === '00' ? undefined : everyOf(second, 'second')
  if (seconds !== undefined && minute === '*') return `${seconds}${inHours}`
  const secondWords =
    seconds ?? (second === '0' || second === '00' ? undefined : `at second ${partsOf(second, (text) => text)}`)
  const minutes = everyOf(minute, 'minute')
  const minuteWords =
    minutes !== undefined
      ? `${minutes}${inHours}`
      : `at minute ${partsOf(minute, (text) => text)}${inHours === '' ? ' of every hour' : inHours}`
  return secondWords === undefined ? minuteWords : `${secondWords}, ${minuteWords}`
}

const dayWords = (day: string, dayInWeek: string): string => {
  const isAnyDay = day === '*'
  const isAnyWeekday = dayInWeek === '*'
  if (isAnyDay && isAnyWeekday) return ''
  const step = /^\*\/(\d+)$/.exec(day)?.[1]
  const inMonth =
    step === undefined
      ? `on the ${partsOf(day, dayOfMonth)} of the month`
      : `on every ${ordinal(step)} day of the month`
  const inWeek = `on ${partsOf(dayInWeek, dayOfWeek)}`
  if (isAnyWeekday) return `, ${inMonth}`
  return isAnyDay ? `, ${inWeek}` : `, ${inMonth} and also ${inWeek}`
}

/**
 * A cron pattern of five or six fields as a sentence: `At 02:30, on Monday`. Undefined for what is no such pattern;
 * whether its values can be is for the server to say.
 */
export const describeCron = (cron: string): string | undefined => {
  const text = cron.trim()
  const fields = (named[text.toLowerCase()] ?? text).split(/\s+/)
  if (fields.length < 5 || fields.length > 6 || fields.includes('')) return undefined
  const [second = '', minute = '', hour = '', day = '', monthField = '', dayInWeek = ''] =
    fields.length === 6 ? fields : ['0', ...fields]
  const time = timeOf(second, minute, hour)
  const daily =
    time.startsWith('at') && day === '*' && dayInWeek === '*' && monthField === '*' && !time.includes('hour')
  const inMonth = monthField === '*' ? '' : `, in ${partsOf(monthField, month)}`
  const words = `${time}${daily ? ' every day' : ''}${dayWords(day, dayInWeek)}${inMonth}`
  return words.charAt(0).toUpperCase() + words.slice(1)
}
