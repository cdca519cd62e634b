import { describe, expect, it } from 'vitest'
import { lanesOf } from './lanes.ts'

type Task = Parameters<typeof lanesOf>[0]

const at = (seconds: number): string => new Date(Date.UTC(2026, 10, 30, 12, 0, 0) + seconds * 1000).toISOString()
const now = (seconds: number): number => new Date(at(seconds)).getTime()

const task = (more: Partial<Task>): Task => ({
  id: '0192b3e4-0000-7000-8000-000000000001',
  name: 'ml.health_check',
  queue: 'predictions',
  state: 'queued',
  celery_state: 'PENDING',
  args: {},
  user_id: null,
  prediction_id: null,
  priority: 0,
  attempt: 0,
  retries: 0,
  crashes: 0,
  worker: null,
  error: null,
  replay_of: null,
  parent_id: null,
  submitted_by: null,
  revoke_requested_at: null,
  created_at: at(0),
  available_at: at(0),
  expires_at: null,
  started_at: null,
  finished_at: null,
  model: null,
  eta: null,
  replay_id: null,
  celery_id: null,
  trace_id: null,
  progress: null,
  attempts: [],
  timeline: [],
  children: [],
  schedule: null,
  ...more,
})

const attempt = (number: number, outcome: string, start: number, end: number): Task['attempts'][number] => ({
  attempt: number,
  worker: 'w1',
  outcome,
  error: null,
  started_at: at(start),
  ended_at: at(end),
})

const words = (given: Task, seconds: number) =>
  lanesOf(given, now(seconds)).map(({ attempt: number, outcome, parts }) => [
    number,
    outcome,
    ...parts.map((part) => part.words),
  ])

describe('the lanes of a task', () => {
  it('name what it waits for now', () => {
    expect(words(task({}), 12)).toEqual([[1, undefined, 'waiting 12 s for a free slot']])
    expect(words(task({ state: 'scheduled', eta: at(3600), available_at: at(3600) }), 60)).toEqual([
      [1, undefined, 'planned for 1 h later: it can start in 59 min'],
    ])
  })

  it('name each gap before an attempt, and how long it ran', () => {
    const ended = task({
      state: 'succeeded',
      attempt: 1,
      eta: at(60),
      available_at: at(60),
      started_at: at(72),
      finished_at: at(75),
      attempts: [attempt(1, 'succeeded', 72, 75)],
    })
    expect(words(ended, 100)).toEqual([
      [1, 'succeeded', 'planned for 1 min later', 'waited 12 s for a free slot', 'ran 3 s'],
    ])
  })

  it('part the wait before the last try from that for a slot', () => {
    const running = task({
      state: 'running',
      attempt: 3,
      available_at: at(40),
      started_at: at(45),
      worker: 'w2',
      attempts: [attempt(1, 'retried', 1, 2), attempt(2, 'retried', 10, 20)],
    })
    expect(words(running, 50)).toEqual([
      [1, 'retried', 'waited 1 s for a free slot', 'ran 1 s'],
      [2, 'retried', 'waited 8 s to be tried again', 'ran 10 s'],
      [3, undefined, 'waited 20 s before the next try', 'waited 5 s for a free slot', 'running for 5 s'],
    ])
    expect(lanesOf(running, now(50)).at(-1)).toMatchObject({ worker: 'w2', storedAt: undefined })
  })

  it('say in how long it is tried again', () => {
    const retrying = task({
      state: 'retrying',
      attempt: 1,
      available_at: at(30),
      attempts: [attempt(1, 'retried', 1, 2)],
    })
    expect(words(retrying, 10).at(-1)).toEqual([2, undefined, 'tried again in 20 s'])
  })

  it('say that a worker was lost or handed it back', () => {
    const lost = task({ attempt: 2, attempts: [attempt(1, 'lost', 1, 2), attempt(2, 'released', 5, 6)] })
    expect(words(lost, 8)).toEqual([
      [1, 'lost', 'waited 1 s for a free slot', 'ran 1 s'],
      [2, 'released', 'waited 3 s after its worker was lost', 'ran 1 s'],
      [3, undefined, 'waited 2 s after its worker handed it back'],
    ])
  })

  it('end where it was ended from outside, before it started or while it ran', () => {
    expect(words(task({ state: 'expired', finished_at: at(60) }), 100)).toEqual([
      [1, 'expired', 'waited 1 min for a free slot'],
    ])
    const killed = task({ state: 'cancelled', attempt: 1, started_at: at(5), finished_at: at(9), worker: 'w1' })
    expect(words(killed, 100)).toEqual([[1, 'cancelled', 'waited 5 s for a free slot', 'ran 4 s']])
  })
})
