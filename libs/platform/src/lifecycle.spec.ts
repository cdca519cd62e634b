import { describe, expect, it } from 'vitest'
import { Lifecycle, type LifecycleStep } from './lifecycle.js'
import { createLogger } from './logging/index.js'

const lines: string[] = []
const log = createLogger('test', 'debug', { write: (line) => void lines.push(line) })

describe('the lifecycle of a process', () => {
  const events: string[] = []
  const step = (name: string, more: Partial<LifecycleStep> = {}): LifecycleStep => ({
    name,
    start: () => events.push(`start ${name}`),
    stop: async () => events.push(`stop ${name}`),
    ...more,
  })

  it('stops in reverse what it started, past what fails or never ends', async () => {
    events.length = 0
    const lifecycle = new Lifecycle(log)
    const failing = step('broken', { stop: () => Promise.reject(new Error('no luck')) })
    const endless = step('endless', { stop: () => new Promise(() => undefined), stopMs: 10 })
    await lifecycle.start([step('database'), failing, endless, step('queues')])
    await lifecycle.stop()
    await lifecycle.stop()
    const starts = ['start database', 'start broken', 'start endless', 'start queues']
    expect(events).toEqual([...starts, 'stop queues', 'stop database'])
    expect(lines.map((line) => JSON.parse(line) as { step: string }).map((line) => line.step)).toEqual([
      'endless',
      'broken',
    ])
  })

  it('does not start what comes after a failure, and stops what came before', async () => {
    events.length = 0
    const lifecycle = new Lifecycle(log)
    const failing = step('broken', { start: () => Promise.reject(new Error('no luck')) })
    await expect(lifecycle.start([step('database'), failing, step('queues')])).rejects.toThrow('no luck')
    await lifecycle.stop()
    expect(events).toEqual(['start database', 'stop database'])
  })

  it('stops parts that were added while they ran', async () => {
    events.length = 0
    const lifecycle = new Lifecycle(log)
    await lifecycle.start([step('database')])
    lifecycle.add(step('queues'))
    await lifecycle.stop()
    expect(events).toEqual(['start database', 'stop queues', 'stop database'])
  })
})
