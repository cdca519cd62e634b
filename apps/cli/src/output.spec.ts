import { afterEach, describe, expect, it, vi } from 'vitest'
import { cell, print, warn } from './output.js'

describe('the output of commands', () => {
  afterEach(() => vi.restoreAllMocks())
  const written = (stream: NodeJS.WriteStream, write: () => void): string => {
    const spy = vi.spyOn(stream, 'write').mockReturnValue(true)
    write()
    return spy.mock.calls.map(([text]) => String(text)).join('')
  }

  it('D: escapes what would steer the terminal, and keeps line breaks, tabs and colours', () => {
    const text = 'a\u001b]0;title\u0007 \u001b[2J \u009b1m \r b\n\t\u001b[31mred\u001b[39m é'
    const safe = 'a\\x1b]0;title\\x07 \\x1b[2J \\x9b1m \\x0d b\n\t\u001b[31mred\u001b[39m é\n'
    expect(written(process.stdout, () => print(text))).toBe(safe)
    expect(written(process.stderr, () => warn(text))).toBe(safe)
  })

  it('D: keeps a name within its line', () => {
    expect(cell('a\nb\u001b[31m\u0000é')).toBe('a\\x0ab\\x1b[31m\\x00é')
  })
})
