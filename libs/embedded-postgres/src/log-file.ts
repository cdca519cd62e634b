import { existsSync, openSync, readFileSync, renameSync, statSync } from 'node:fs'

const limitBytes = 10_000_000

/** A log opened for appending by one run of a process. */
export interface LogFile {
  readonly path: string
  /** File descriptor; whoever opened it closes it. */
  readonly descriptor: number
  /** Where this run's lines begin. */
  readonly start: number
}

/** Opens the log at `path` for its owner alone. One that has grown large is first set aside as `<path>.1`. */
export const openLogFile = (path: string): LogFile => {
  setAsideIfLarge(path)
  const start = sizeOf(path)
  return { path, descriptor: openSync(path, 'a', 0o600), start }
}

/** Renames a log that has grown large to `<path>.1`, in place of the last one; a server that writes it follows. */
export const setAsideIfLarge = (path: string): void => {
  if (sizeOf(path) > limitBytes) renameSync(path, `${path}.1`)
}

/** The last lines that this run has written: of JSON lines their message and error. */
export const readLastLines = ({ path, start }: LogFile, count = 12): string => {
  if (!existsSync(path)) return ''
  const lines = readFileSync(path).subarray(start).toString('utf8').trim().split('\n').slice(-count)
  return lines.map(toPlainLine).join('\n')
}

const sizeOf = (path: string): number => statSync(path, { throwIfNoEntry: false })?.size ?? 0

const toPlainLine = (line: string): string => {
  if (!line.startsWith('{')) return line
  try {
    const { level, msg, err } = JSON.parse(line) as { level?: string; msg?: string; err?: { message?: string } }
    return [level, msg, err?.message].filter((part) => part !== undefined).join(': ')
  } catch {
    // Cut off in the middle.
    return line
  }
}
