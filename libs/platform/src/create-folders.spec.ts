import { existsSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { createFolders } from './create-folders.js'

describe('folders', () => {
  let root: string
  beforeEach(() => {
    root = mkdtempSync(join(tmpdir(), 'memoryguard-folders-'))
  })
  afterEach(() => rmSync(root, { recursive: true }))

  it('are created level by level, and stay as they are the second time', () => {
    const path = join(root, 'a', 'b', 'c')
    expect(createFolders(path, 0o700)).toBe(true)
    expect(statSync(path).mode & 0o777).toBe(0o700)
    expect(createFolders(path)).toBe(false)
  })

  it('are not created below a file, and the error says so', () => {
    writeFileSync(join(root, 'file'), '')
    expect(() => createFolders(join(root, 'file'))).toThrow(/EEXIST/)
    expect(() => createFolders(join(root, 'file', 'below'))).toThrow(/EEXIST|ENOTDIR/)
  })

  it.skipIf(!existsSync('/proc/self'))('are not tried for ever where none can be made', () => {
    expect(() => createFolders('/proc/x/y')).toThrow(/ENOENT/)
  })
})
