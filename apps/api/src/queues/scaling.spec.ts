import { describe, expect, it } from 'vitest'
import { desiredWorkers, type ScalingFacts } from './scaling.js'

const idle: ScalingFacts = {
  isPaused: false,
  waiting: 0,
  depth: {},
  secondsOfTask: null,
  slots: 8,
  busy: 0,
  consumers: 2,
}

describe('the workers that a queue needs', () => {
  it.each([
    ['none when nothing waits or runs', {}, 0],
    ['one when nobody is there', { waiting: 5, consumers: 0, slots: 0 }, 1],
    ['those that run something', { depth: { running: 3 }, busy: 3 }, 1],
    ['all of them when all slots are busy', { depth: { running: 8 }, busy: 8 }, 2],
    ['enough to clear the queue in time', { waiting: 3_000, depth: { running: 8 }, busy: 8, secondsOfTask: 0.4 }, 10],
    ['no fewer than what runs needs', { waiting: 1, depth: { running: 8 }, busy: 8, secondsOfTask: 0.4 }, 2],
    ['few for a burst of quick tasks after a quiet time', { waiting: 300, secondsOfTask: 0.1 }, 1],
    ['more while other queues hold slots', { waiting: 3_000, busy: 4, secondsOfTask: 0.4 }, 20],
    ['one more while other queues hold every slot', { waiting: 9, busy: 8, secondsOfTask: 0.4 }, 3],
    ['one more while nothing has ended', { waiting: 9, depth: { running: 8 }, busy: 8 }, 3],
    ['none for a paused queue', { isPaused: true, waiting: 3_000, secondsOfTask: 0.4 }, 0],
  ])('are %s', (_, facts, expected) => {
    expect(desiredWorkers({ ...idle, ...facts }, 30)).toBe(expected)
  })
})
