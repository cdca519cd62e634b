import { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { findProcessStart } from './process-identity.js'
import { acquireProcessLock, type LockHolder, type ProcessLock } from './process-lock.js'

const held = (lock: ProcessLock | LockHolder): ProcessLock => {
  if ('heldBy' in lock) throw new Error(`the lock is held by ${lock.heldBy}`)
  return lock
}

describe('process lock', () => {
  let folder: string
  let path: string

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'memoryguard-lock-'))
    path = join(folder, 'start.lock')
  })

  afterEach(() => rmSync(folder, { recursive: true, force: true }))

  it('is had by one process at a time, and leaves nothing behind', () => {
    const lock = held(acquireProcessLock(path))
    expect(lock.isAfterCrash).toBe(false)
    expect(acquireProcessLock(path)).toEqual({ heldBy: process.pid })
    lock.release()
    expect(readdirSync(folder)).toEqual([])
    expect(held(acquireProcessLock(path)).isAfterCrash).toBe(false)
  })

  it.each([
    ['a dead process', JSON.stringify({ pid: 2 ** 30, start: '1' })],
    ['a process whose pid is now that of another', JSON.stringify({ pid: process.pid, start: 'another start' })],
    ['nobody, being torn', ''],
    ['nobody, being of another shape', '[]'],
  ])('is taken over from %s', (_whose, content) => {
    writeFileSync(path, content)
    const lock = held(acquireProcessLock(path))
    expect(lock.isAfterCrash).toBe(true)
    expect(acquireProcessLock(path)).toEqual({ heldBy: process.pid })
    lock.release()
    expect(existsSync(path)).toBe(false)
  })
})

describe('start of a process', () => {
  it('stays the same while it lives, and is unknown of no process', () => {
    expect(findProcessStart(process.pid)).toBe(findProcessStart(process.pid))
    expect(findProcessStart(process.pid)).not.toBe('')
    expect(findProcessStart(process.ppid)).toBeDefined()
    expect([0, -1, 1.5, Number.NaN, 2 ** 30].map(findProcessStart)).toEqual(Array(5).fill(undefined))
  })
})
