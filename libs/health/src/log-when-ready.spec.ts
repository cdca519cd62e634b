import { createLogger } from '#libs/platform'
import { describe, expect, it, vi } from 'vitest'
import { logWhenReady } from './log-when-ready.js'
import type { ReadinessReport } from './readiness.js'

describe('B10: the log of a process that has started', () => {
  it('says ready when the probe does, and before that what is wrong, once', async () => {
    vi.useFakeTimers()
    const lines: Record<string, unknown>[] = []
    const log = createLogger('test', 'info', { write: (line) => lines.push(JSON.parse(line)) })
    const down: ReadinessReport = { isReady: false, faults: { database: 'can only be read' }, body: {} }
    const reports = [down, down, { isReady: true, faults: {}, body: {} }]
    const report = async () => reports.shift() ?? down
    const logged = logWhenReady({ log, fields: async () => ({ url: 'x' }), report, isOver: () => false })
    await vi.runAllTimersAsync()
    await logged
    vi.useRealTimers()
    expect(lines).toEqual([
      expect.objectContaining({ msg: 'started, not ready', url: 'x', faults: { database: 'can only be read' } }),
      expect.objectContaining({ msg: 'ready', url: 'x' }),
    ])
  })

  it('says nothing of a process that stops', async () => {
    const lines: string[] = []
    const log = createLogger('test', 'info', { write: (line) => lines.push(line) })
    const report = async (): Promise<ReadinessReport> => ({ isReady: true, faults: {}, body: {} })
    await logWhenReady({ log, fields: async () => ({}), report, isOver: () => true })
    expect(lines).toEqual([])
  })
})
