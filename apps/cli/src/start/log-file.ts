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
export function openLogFile(path: string): LogFile {
  const size = existsSync(path) ? statSync(path).size : 0
  const isFull = size > limitBytes
  if (isFull) renameSync(path, `${path}.1`)
  return { path, descriptor: openSync(path, 'a', 0o600), start: isFull ? 0 : size }
}

/** The last lines that this run has written. */
export function readLastLines({ path, start }: LogFile, count = 12): string {
  return readFileSync(path).subarray(start).toString('utf8').trim().split('\n').slice(-count).join('\n')
}
