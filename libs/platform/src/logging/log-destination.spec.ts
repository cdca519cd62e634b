import { spawnSync } from 'node:child_process'
import { closeSync, constants, mkdtempSync, openSync, readFileSync, readSync, renameSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { LogDestination } from './log-destination.js'

const describeLoss = (lines: number, reason: string) => `lost ${lines} ${reason}\n`

describe.runIf(process.platform === 'linux')('B8: a log destination', () => {
  let folder: string
  const descriptors: number[] = []
  const open = (path: string, flags: string | number) => {
    const descriptor = openSync(path, flags)
    descriptors.push(descriptor)
    return descriptor
  }
  const fifo = () => {
    const path = join(folder, 'pipe')
    expect(spawnSync('mkfifo', [path]).status).toBe(0)
    return path
  }
  const drain = (descriptor: number): string => {
    const chunk = Buffer.alloc(65_536)
    let text = ''
    try {
      for (let size = -1; size !== 0;) {
        size = readSync(descriptor, chunk)
        text += chunk.toString('utf8', 0, size)
      }
    } catch (error) {
      expect(error).toMatchObject({ code: 'EAGAIN' })
    }
    return text
  }

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'memoryguard-log-'))
  })
  afterEach(() => {
    for (const descriptor of descriptors.splice(0)) closeSync(descriptor)
    rmSync(folder, { recursive: true })
  })

  it('outlives a full disk, without an error and without an end to what it keeps', () => {
    const destination = new LogDestination(open('/dev/full', 'w'), describeLoss)
    for (let line = 0; line < 2_000; line += 1) destination.write(`${'x'.repeat(1_000)}\n`)
  })

  it('does not wait for a reader that has stopped, keeps the order, and reports what was lost when it reads on', async () => {
    const path = fifo()
    const reader = open(path, constants.O_RDONLY | constants.O_NONBLOCK)
    // As a shell gives it: a write to it waits for the reader.
    const destination = new LogDestination(open(path, 'w'), describeLoss)
    const count = 3_000
    for (let line = 0; line < count; line += 1) destination.write(`${line} ${'x'.repeat(1_000)}\n`)
    let text = ''
    await vi.waitFor(() => {
      text += drain(reader)
      expect(text).toMatch(/lost \d+ EAGAIN\n$/)
    }, 20_000)
    const lines = text.trimEnd().split('\n')
    const lost = Number(lines.pop()?.split(' ')[1])
    expect(lost).toBeGreaterThan(0)
    expect(lines).toHaveLength(count - lost)
    lines.forEach((line, index) => expect(line).toBe(`${index} ${'x'.repeat(1_000)}`))
    destination.write('and on\n')
    expect(drain(reader)).toBe('and on\n')
  })

  it('outlives a reader that is gone, and goes on with the next one', async () => {
    const path = fifo()
    const first = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK)
    const destination = new LogDestination(open(path, 'w'), describeLoss)
    closeSync(first)
    destination.write('while nobody reads\n')
    const second = open(path, constants.O_RDONLY | constants.O_NONBLOCK)
    let text = ''
    await vi.waitFor(() => expect((text += drain(second))).toBe('while nobody reads\n'), 10_000)
  })

  it('outlives a descriptor that is closed', () => {
    const descriptor = openSync(join(folder, 'closed'), 'w')
    const destination = new LogDestination(descriptor, describeLoss)
    closeSync(descriptor)
    destination.write('nowhere\n')
  })

  it('follows a log file that was moved or removed', async () => {
    const path = join(folder, 'file.log')
    const destination = new LogDestination(open(path, 'a'), describeLoss)
    destination.write('one\n')
    renameSync(path, `${path}.1`)
    await vi.waitFor(() => {
      destination.write('two\n')
      expect(readFileSync(path, 'utf8')).toContain('two\n')
    }, 10_000)
    expect(readFileSync(`${path}.1`, 'utf8')).toContain('one\n')
    rmSync(path)
    await vi.waitFor(() => {
      destination.write('three\n')
      expect(readFileSync(path, 'utf8')).toContain('three\n')
    }, 10_000)
  })
})
