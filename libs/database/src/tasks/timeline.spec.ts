import { describe, expect, it } from 'vitest'
import type { AttemptOutcome } from './task-attempt.entity.js'
import { timelineOf, type TimelineAttempt, type TimelineTask } from './timeline.js'

const at = (second: number) => new Date(Date.UTC(2030, 0, 1, 0, 0, second))
const task = (more: Partial<TimelineTask>): TimelineTask => ({
  state: 'queued',
  eta: null,
  attempt: 0,
  worker: null,
  createdAt: at(0),
  startedAt: null,
  finishedAt: null,
  ...more,
})
const attempt = (number: number, outcome: AttemptOutcome, second: number): TimelineAttempt => ({
  attempt: number,
  outcome,
  worker: 'w',
  startedAt: at(second),
  endedAt: at(second + 1),
})
const read = (row: TimelineTask, attempts: readonly TimelineAttempt[] = []) =>
  timelineOf(row, attempts).map(({ place, state }) => `${place} ${state}`)

/** A task as it is read again and again, from its making to its end. */
const lives: Record<string, readonly (readonly [TimelineTask, readonly TimelineAttempt[]])[]> = {
  'succeeds at the second try': [
    [task({}), []],
    [task({ state: 'running', attempt: 1, startedAt: at(1) }), []],
    [task({ state: 'retrying', attempt: 1, startedAt: at(1) }), [attempt(1, 'retried', 1)]],
    [task({ state: 'running', attempt: 2, startedAt: at(5) }), [attempt(1, 'retried', 1)]],
    [
      task({ state: 'succeeded', attempt: 2, startedAt: at(5), finishedAt: at(6) }),
      [attempt(1, 'retried', 1), attempt(2, 'succeeded', 5)],
    ],
  ],
  'is cancelled while it waits for a retry': [
    [task({ state: 'retrying', attempt: 1, startedAt: at(1) }), [attempt(1, 'retried', 1)]],
    [task({ state: 'cancelled', attempt: 1, startedAt: at(1), finishedAt: at(4) }), [attempt(1, 'retried', 1)]],
  ],
  'is ended from outside while it runs': [
    [task({ state: 'running', attempt: 1, startedAt: at(1) }), []],
    [task({ state: 'cancelled', attempt: 1, startedAt: at(1), finishedAt: at(4) }), []],
  ],
  'is lost and then poison': [
    [task({ attempt: 1, startedAt: at(1) }), [attempt(1, 'lost', 1)]],
    [
      task({ state: 'failed', attempt: 2, startedAt: at(5), finishedAt: at(6) }),
      [attempt(1, 'lost', 1), attempt(2, 'lost', 5)],
    ],
  ],
  'expires before it starts': [
    [task({ state: 'scheduled', eta: at(9) }), []],
    [task({ state: 'expired', eta: at(9), finishedAt: at(10) }), []],
  ],
}

describe('the timeline of a task', () => {
  it.each(Object.keys(lives))('only grows when the task %s', (name) => {
    let before: readonly string[] = []
    for (const [row, attempts] of lives[name] ?? []) {
      const now = read(row, attempts)
      expect(now.slice(0, before.length)).toEqual(before)
      const places = now.map((line) => Number.parseInt(line, 10))
      expect(places).toEqual([...new Set(places)].toSorted((a, b) => a - b))
      before = now
    }
  })

  it('has every change once', () => {
    const [row, attempts] = lives['succeeds at the second try']?.at(-1) ?? [task({}), []]
    expect(read(row, attempts)).toEqual(['0 queued', '1 running', '2 retrying', '3 running', '4 succeeded'])
    const [poison, lost] = lives['is lost and then poison']?.at(-1) ?? [task({}), []]
    expect(read(poison, lost)).toEqual(['0 queued', '1 running', '2 queued', '3 running', '4 failed'])
  })
})
