import { describe, expect, it } from 'vitest'
import { formatSeconds, Progress } from './progress.js'

describe('progress', () => {
  it('is a bar that is drawn over itself on a terminal', () => {
    const written: string[] = []
    const progress = new Progress({ isTTY: true, write: (text) => written.push(text) })
    progress.show('Computing', 50, 75)
    progress.show('Computing', 100, 0)
    progress.end()
    expect(written).toEqual([
      `\r\u001b[2K[${'#'.repeat(12)}${' '.repeat(12)}] Computing 50 %, 1 min 15 s left`,
      `\r\u001b[2K[${'#'.repeat(24)}] Computing 100 %`,
      '\n',
    ])
  })

  it('is a line for each stage and tenth elsewhere', () => {
    const written: string[] = []
    const progress = new Progress({ write: (text) => written.push(text) })
    for (const percent of [0, 3, 9.9, 12, 13, 100]) progress.show('Uploading', percent, null)
    progress.show('Computing', 100, 0)
    progress.end()
    expect(written).toEqual(['Uploading 0 %\n', 'Uploading 12 %\n', 'Uploading 100 %\n', 'Computing 100 %\n'])
  })

  it.each([
    [0, '0 s'],
    [59.2, '1 min 0 s'],
    [200, '3 min 20 s'],
  ])('shows %d seconds as %s', (seconds, text) => {
    expect(formatSeconds(seconds)).toBe(text)
  })
})
