import { format } from 'node:util'
import type { LoggerService } from '@nestjs/common'
import type { Logger } from './logger.js'

/** Text and errors of what a library prints; other values may hold anything and are named by their type alone. */
const describePrinted = (values: readonly unknown[]) => {
  const err = values.find((value) => value instanceof Error)
  const words = values.filter((value) => value !== err)
  const text = words.map((value) => (typeof value === 'object' && value !== null ? `[${typeof value}]` : value))
  return { fields: err === undefined ? {} : { err }, message: format(...text) || 'an error was printed' }
}

/** A library prints the same words for each of its connections; once in this time is enough, in milliseconds. */
const repeatedAfterMs = 60_000
/** Texts whose last time is known, so that a library that prints something new each time takes no memory. */
const knownTexts = 100

/** Returns whether a text was not given within the last minute. */
const newTexts = () => {
  const lastTimes = new Map<string, number>()
  return (text: string): boolean => {
    const now = performance.now()
    const last = lastTimes.get(text)
    if (last !== undefined && now - last < repeatedAfterMs) return false
    if (lastTimes.size >= knownTexts) lastTimes.clear()
    lastTimes.set(text, now)
    return true
  }
}

/**
 * Makes the log the only output of a server: what libraries print, Node's warnings, and errors that nobody has caught
 * become log lines, those of a library once a minute at most. After an uncaught error the process ends with exit code 1, for its supervisor to start another.
 */
export const routeProcessOutput = (log: Logger): void => {
  const levels = { log: 'info', info: 'info', debug: 'debug', trace: 'debug', warn: 'warn', error: 'error' } as const
  const isNew = newTexts()
  for (const [method, level] of Object.entries(levels)) {
    const print = (...values: unknown[]) => {
      const { fields, message } = describePrinted(values)
      if (isNew(`${message} ${String(fields.err)}`)) log[level](fields, message)
    }
    Object.defineProperty(console, method, { value: print, configurable: true, writable: true })
  }
  // Node's own listener prints to standard error.
  process.removeAllListeners('warning')
  process.on('warning', (warning) => log.warn({ err: warning }, 'runtime warning'))
  process.on('uncaughtException', (error, origin) => {
    log.fatal({ err: error, origin }, 'uncaught error: ending')
    process.exit(1)
  })
}

/** Nest's log lines as ours; its words of normal progress are left out. */
export const nestLogger = (log: Logger): LoggerService => {
  const write =
    (level: 'warn' | 'error' | 'fatal') =>
    (message: unknown, ...more: unknown[]) => {
      const { fields, message: text } = describePrinted([message])
      const context = more.at(-1)
      log[level]({ ...fields, ...(typeof context === 'string' && { context }) }, text)
    }
  return { log: () => undefined, warn: write('warn'), error: write('error'), fatal: write('fatal') }
}
