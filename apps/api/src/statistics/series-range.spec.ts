import { MemoryGuardError } from '#libs/platform'
import { describe, expect, it } from 'vitest'
import { planRange, type WantedRange } from './series-range.js'

const now = Date.parse('2026-06-15T12:34:56Z')
const ago = (seconds: number) => new Date(now - seconds * 1_000).toISOString()
const [hour, day] = [3_600, 86_400]

const faultOf = (wanted: WantedRange): unknown => {
  try {
    return planRange(wanted, now)
  } catch (error) {
    if (!(error instanceof MemoryGuardError)) throw error
    return error.faults?.[0]
  }
}

describe('the range of a series', () => {
  it.each([
    [{}, 60, 60],
    [{ range: 900 }, 60, 60],
    [{ range: 12 * hour }, 300, 60],
    [{ range: day }, 900, 60],
    [{ range: 7 * day }, hour, hour],
    [{ range: 90 * day }, day, day],
    [{ range: 900 * day }, 7 * day, day],
    [{ from: ago(20 * day), to: ago(20 * day - hour) }, hour, hour],
    [{ from: ago(500 * day), to: ago(500 * day - hour) }, day, day],
    [{ range: 2 * hour, step: 120 }, 120, 60],
    [{ range: 12 * hour, step: 60 }, 60, 60],
    [{ range: 720 * hour, step: hour }, hour, hour],
  ] as const)('of %o has points of %i s from buckets of %i s', (wanted, stepSeconds, widthSeconds) => {
    const range = planRange(wanted, now)
    expect(range).toMatchObject({ stepSeconds, widthSeconds })
    expect([range.from % (1_000 * stepSeconds), range.to % (1_000 * stepSeconds)]).toEqual([0, 0])
    expect((range.to - range.from) / 1_000 / stepSeconds).toBeLessThanOrEqual(720)
  })

  it('holds the whole range', () => {
    const { from, to } = planRange({ from: ago(1_000), to: ago(10) }, now)
    expect(from).toBeLessThanOrEqual(now - 1_000_000)
    expect(to).toBeGreaterThanOrEqual(now - 10_000)
  })

  it.each([
    [{ from: ago(10), to: ago(20) }, '/from', 'must be before to'],
    [{ from: ago(-10) }, '/from', 'must not be in the future'],
    [{ from: ago(10), range: 20 }, '/range', 'must not be given together with from'],
    [{ range: 100_000 * day }, '/range', 'must not reach back before 1970'],
    [{ step: 999_999_999 * day }, '/step', 'must not lead beyond the year 9999'],
    [{ from: '9999-12-30T00:00:00Z', to: '9999-12-31T23:59:59Z' }, '/to', 'must not lead beyond the year 9999'],
    [{ step: 90 }, '/step', 'must be a whole number of minutes'],
    [
      { range: 23 * hour, step: 60 },
      '/step',
      'gives more than 720 points; must be at least 120 seconds for this range',
    ],
    [
      { range: 2 * day, step: 300 },
      '/step',
      'must be whole hours: minutes are kept for 14 days and read for at most one day at once',
    ],
    [{ range: 500 * day, step: hour }, '/step', 'must be whole days: hours are kept for 400 days'],
  ] as const)('%o is rejected at %s', (wanted, pointer, message) => {
    expect(faultOf(wanted)).toEqual({ pointer, message })
  })
})
