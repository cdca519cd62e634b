import { describe, expect, it } from 'vitest'
import { AuditTally, type Observation, type TallyOptions } from './audit-tally.js'

const minuteMs = 60_000

const observe = (target: number | string, more: Partial<Observation> = {}): Observation => ({
  action: 'person.read',
  apiKeyId: 'key',
  target,
  requestId: `about-${target}`,
  facets: { routes: 'GET /v1/predictions' },
  ...more,
})

const makeTally = (more: Partial<TallyOptions> = {}) => {
  const clock = { ms: 1_000 }
  const options = { maxRows: 100, windowMs: minuteMs, makesRoom: false, ...more }
  return { clock, tally: new AuditTally(options, () => clock.ms) }
}

const totals = (tallies: readonly { target: number | string; count: number }[]) =>
  tallies.map(({ target, count }) => [target, count])

describe('A7: counts of the audit trail', () => {
  it('have the first observation at once and the repeated ones once a minute', () => {
    const { clock, tally } = makeTally()
    const taken: unknown[] = []
    for (let second = 0; second < 180; second += 1) {
      tally.add(observe(7, { requestId: `request-${second}` }))
      taken.push(...tally.take().map(({ count, requestId, firstAt, lastAt }) => [count, requestId, lastAt - firstAt]))
      clock.ms += 1_000
    }
    expect(taken).toEqual([
      [1, 'request-0', 0],
      [60, 'request-1', 59_000],
      [60, 'request-61', 59_000],
    ])
    expect(totals(tally.take(true))).toEqual([[7, 59]])
    expect(tally.take(true)).toEqual([])
  })

  it('separate actions, keys and targets, and count facets', () => {
    const { tally } = makeTally()
    tally.add(observe(7))
    tally.add(observe(7, { facets: { routes: 'GET /v1/tasks' } }))
    tally.add(observe(7))
    tally.add(observe(7, { apiKeyId: 'other' }))
    tally.add(observe(8))
    tally.add(observe('7', { action: 'people.read' }))
    const taken = tally.take()
    expect(totals(taken)).toEqual([
      [7, 3],
      [7, 1],
      [8, 1],
      ['7', 1],
    ])
    expect(taken[0]).toMatchObject({ facets: { routes: { 'GET /v1/predictions': 2, 'GET /v1/tasks': 1 } } })
  })

  it('stay bounded: what goes beyond is counted together', () => {
    const { clock, tally } = makeTally({ maxRows: 10 })
    for (let target = 0; target < 100_000; target += 1) tally.add(observe(target))
    const taken = tally.take()
    expect(taken).toHaveLength(11)
    expect(taken.at(-1)).toMatchObject({ apiKeyId: null, target: 'others', count: 99_990, requestId: null })
    for (let route = 0; route < 1_000; route += 1) tally.add(observe(0, { facets: { routes: String(route) } }))
    clock.ms += minuteMs
    const routes = tally.take()[0]?.facets['routes'] ?? {}
    expect(Object.keys(routes)).toHaveLength(21)
    expect(routes).toMatchObject({ others: 980 })
  })

  it('make room for new ones where each is to have its name', () => {
    const { tally } = makeTally({ maxRows: 10, makesRoom: true })
    for (let target = 0; target < 1_000; target += 1) {
      tally.add(observe(target))
      if (tally.fresh === 10) expect(tally.take().map((taken) => taken.target)).not.toContain('others')
    }
    expect(tally.take(true)).toEqual([])
  })

  it('keep what could not be stored, and what came meanwhile', () => {
    const { clock, tally } = makeTally({ maxRows: 2 })
    tally.add(observe(1))
    tally.add(observe(2))
    for (let attempt = 0; attempt < 5; attempt += 1) {
      const taken = tally.take()
      clock.ms += 1_000
      tally.add(observe(1, { requestId: 'later' }))
      tally.add(observe(3))
      tally.giveBack(taken)
    }
    const taken = tally.take()
    expect(totals(taken)).toEqual([
      [1, 6],
      [2, 1],
      ['others', 5],
    ])
    expect(taken[0]).toMatchObject({ requestId: 'about-1', firstAt: 1_000, lastAt: 6_000 })
    expect(tally.take()).toEqual([])
  })
})
