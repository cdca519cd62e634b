import { linkSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { findProcessStart } from './process-identity.js'

/** A lock of which at most one living process is the holder. */
export interface ProcessLock {
  /** The last holder ended without releasing: it was killed, or the machine went down. */
  readonly isAfterCrash: boolean
  release(): void
}

/** Who holds a lock: a process that lives now. */
export interface LockHolder {
  readonly heldBy: number
}

interface LockRecord {
  readonly pid: number
  readonly start: string
}

/**
 * Takes the lock file at `path` (its folder must exist), or returns the living process that holds it. A file left by a dead
 * process, also one whose pid now names another process, is taken over.
 */
export const acquireProcessLock = (path: string): ProcessLock | LockHolder => {
  const own: LockRecord = { pid: process.pid, start: findProcessStart(process.pid) ?? '' }
  const draft = `${path}.${process.pid}`
  writeFileSync(draft, JSON.stringify(own), { mode: 0o600 })
  try {
    let isAfterCrash = false
    // A link appears with its content or not at all, and only if nothing has that name.
    while (!link(draft, path)) {
      const holder = findRecord(path)
      if (holder && findProcessStart(holder.pid) === holder.start) return { heldBy: holder.pid }
      isAfterCrash = true
      discard(path, holder)
    }
    return { isAfterCrash, release: () => rmSync(path, { force: true }) }
  } finally {
    rmSync(draft, { force: true })
  }
}

/** The living process that holds the lock file at `path`, if there is one. */
export const findLockHolder = (path: string): number | undefined => {
  const holder = findRecord(path)
  return holder && findProcessStart(holder.pid) === holder.start ? holder.pid : undefined
}

/** Moves the stale file away; a rival's fresh lock that took its place meanwhile is put back. */
const discard = (path: string, stale: LockRecord | undefined): void => {
  const aside = `${path}.${process.pid}.stale`
  try {
    renameSync(path, aside)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return
    throw error
  }
  const moved = findRecord(aside)
  if (JSON.stringify(moved) !== JSON.stringify(stale)) link(aside, path)
  rmSync(aside, { force: true })
}

const link = (from: string, to: string): boolean => {
  try {
    linkSync(from, to)
    return true
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false
    throw error
  }
}

/** What the lock file says; undefined if it is gone or is not one of ours. */
const findRecord = (path: string): LockRecord | undefined => {
  try {
    const record: unknown = JSON.parse(readFileSync(path, 'utf8'))
    if (typeof record !== 'object' || record === null) return undefined
    const { pid, start } = record as Partial<LockRecord>
    return typeof pid === 'number' && typeof start === 'string' ? { pid, start } : undefined
  } catch (error) {
    if (error instanceof SyntaxError || (error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
}
