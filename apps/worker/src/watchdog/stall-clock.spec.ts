import { describe, expect, it } from 'vitest'
import { StallClock, type StallSight } from './stall-clock.js'

const periods = { rebuildSeconds: 30, unreadySeconds: 60, exitSeconds: 120 }
const starving: StallSight = { taken: 7, isStarving: true, isBrokerUp: true }

/** The verdicts at checks every ten seconds, each with what its seconds say. */
const watch = (until: number, sightAt: (second: number) => StallSight | 'outage') => {
  const clock = new StallClock(periods)
  const verdicts: Record<number, string> = {}
  for (let second = 0; second <= until; second += 10) {
    const sight = sightAt(second)
    if (sight === 'outage') {
      clock.reset()
      continue
    }
    const verdict = clock.judge(second * 1000, sight)
    if (verdict !== 'well') verdicts[second] = verdict
  }
  return verdicts
}

describe('the clock of a stalled worker', () => {
  it('connects anew, is then unready, and ends at last', () => {
    // The first check only learns how much had been taken before.
    expect(watch(140, () => starving)).toEqual({
      40: 'rebuild',
      70: 'unready',
      80: 'unready',
      90: 'unready',
      100: 'unready',
      110: 'unready',
      120: 'unready',
      130: 'exit',
      140: 'exit',
    })
  })

  it('does nothing while work is taken, or none waits', () => {
    expect(watch(500, (second) => ({ ...starving, taken: second }))).toEqual({})
    expect(watch(500, () => ({ ...starving, isStarving: false }))).toEqual({})
  })

  it('begins anew when work was taken in between', () => {
    const taken = (second: number) => ({ ...starving, taken: second < 100 ? 1 : 2 })
    expect(watch(140, taken)).toEqual({ 40: 'rebuild', 70: 'unready', 80: 'unready', 90: 'unready', 140: 'rebuild' })
  })

  it('tries new connections again and again while the broker does not respond, and never ends for it', () => {
    const verdicts = watch(1_000, () => ({ ...starving, isBrokerUp: false }))
    expect(new Set(Object.values(verdicts))).toEqual(new Set(['rebuild']))
    expect(Object.keys(verdicts).length).toBeGreaterThan(20)
  })

  it('counts from the end of an outage', () => {
    expect(
      watch(230, (second) => (second < 200 ? { ...starving, isBrokerUp: second >= 100 } : starving)),
    ).toMatchObject({
      190: 'unready',
    })
    expect(watch(230, (second) => (second < 200 ? 'outage' : starving))).toEqual({})
  })
})
