import { closeSync, constants, fstatSync, openSync, readlinkSync, statSync, writeSync } from 'node:fs'
import type { DestinationStream } from 'pino'

/** Most bytes that wait while the target takes none; further lines are counted and dropped. */
const maxPendingBytes = 1_048_576
/** Time between two attempts while the target takes nothing, and while it takes some, in milliseconds. */
const retryMs = 250
const resumeMs = 10
/** Longest time that the end of a process waits for a slow reader, in milliseconds. */
const lastFlushMs = 250
/** Time between two checks whether the log file has been moved or removed, in milliseconds. */
const fileCheckMs = 1_000

const codeOf = (error: unknown): string =>
  error instanceof Error && 'code' in error ? String(error.code) : 'unknown error'

/** The file behind a descriptor; undefined if it is not a file or the system does not show it. */
const filePathOf = (descriptor: number): string | undefined => {
  try {
    const path = fstatSync(descriptor).isFile() ? readlinkSync(`/proc/self/fd/${descriptor}`) : undefined
    return path?.endsWith(' (deleted)') ? undefined : path
  } catch {
    // No /proc, or no such descriptor: the next write fails if there is none.
    return undefined
  }
}

/**
 * A descriptor on the same target that never waits for a reader. A pipe or terminal is opened anew, so that processes
 * that share the descriptor keep theirs as it is; a socket cannot be.
 */
const withoutWaiting = (descriptor: number): number => {
  try {
    if (fstatSync(descriptor).isFile()) return descriptor
    return openSync(`/proc/self/fd/${descriptor}`, constants.O_WRONLY | constants.O_NONBLOCK | constants.O_NOCTTY)
  } catch {
    // Where it cannot be opened anew, Node's own stream switches the shared descriptor to writes that do not wait.
    return descriptor === 1 ? process.stdout.fd : descriptor
  }
}

/**
 * Writes log lines to a descriptor, and never fails or waits: a full disk, a reader that is gone or has stopped, and a
 * closed descriptor cost lines, not the process. What cannot be written waits, up to 1 MiB; then lines are dropped, and
 * once there is room again one line says how many. A log file that is moved or removed is created anew.
 */
export class LogDestination implements DestinationStream {
  private readonly filePath: string | undefined
  private target: number
  private pending: Buffer[] = []
  private pendingBytes = 0
  private lost = 0
  private reason = ''
  private timer: NodeJS.Timeout | undefined
  private checkedAt = 0

  /** `describeLoss` makes the line that reports lost lines, with its line break. */
  constructor(
    private readonly descriptor: number,
    private readonly describeLoss: (lines: number, reason: string) => string,
  ) {
    this.filePath = filePathOf(descriptor)
    this.target = withoutWaiting(descriptor)
    process.once('exit', () => this.flushAtExit())
  }

  write(line: string): void {
    if (this.pending.length === 0) {
      const rest = this.tryToWrite(Buffer.from(line))
      if (rest.length === 0) return
      this.keep(rest)
    } else if (this.pendingBytes + line.length > maxPendingBytes) this.lost += 1
    else this.keep(Buffer.from(line))
    this.timer ??= setTimeout(() => this.retry(), retryMs).unref()
  }

  private keep(bytes: Buffer): void {
    this.pending.push(bytes)
    this.pendingBytes += bytes.length
  }

  private retry(): void {
    this.timer = undefined
    const before = this.pendingBytes
    this.flush()
    if (this.pending.length === 0) return
    this.timer = setTimeout(() => this.retry(), this.pendingBytes < before ? resumeMs : retryMs).unref()
  }

  /** Writes what waits, as far as the target takes it. */
  private flush(): void {
    if (this.pending.length === 0) return
    const rest = this.tryToWrite(Buffer.concat(this.pending))
    this.pending = rest.length === 0 ? [] : [rest]
    this.pendingBytes = rest.length
    if (rest.length > 0 || this.lost === 0) return
    const { lost, reason } = this
    this.lost = 0
    this.write(this.describeLoss(lost, reason))
  }

  /** Returns what was not written. */
  private tryToWrite(bytes: Buffer): Buffer {
    let written = 0
    try {
      this.followFile()
      while (written < bytes.length) written += writeSync(this.target, bytes, written)
    } catch (error) {
      this.reason = codeOf(error)
    }
    return bytes.subarray(written)
  }

  /** Opens the log file anew if another process has moved or removed it. */
  private followFile(): void {
    const now = performance.now()
    if (this.filePath === undefined || now - this.checkedAt < fileCheckMs) return
    this.checkedAt = now
    const there = statSync(this.filePath, { throwIfNoEntry: false })
    if (there?.ino === fstatSync(this.target).ino) return
    const opened = openSync(this.filePath, 'a', 0o600)
    if (this.target !== this.descriptor) closeSync(this.target)
    this.target = opened
  }

  private flushAtExit(): void {
    const deadline = performance.now() + lastFlushMs
    const clock = new Int32Array(new SharedArrayBuffer(4))
    this.flush()
    while (this.pending.length > 0 && this.reason === 'EAGAIN' && performance.now() < deadline) {
      Atomics.wait(clock, 0, 0, 10)
      this.flush()
    }
  }
}
