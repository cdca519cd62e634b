import type { ClaimedTask } from '#libs/database'
import { loadConfig, MemoryGuardError } from '#libs/platform'
import { describe, expect, it } from 'vitest'
import { RetryPolicy } from './retry-policy.js'

const limits = loadConfig({}).task
const policyWith = (random: number) => new RetryPolicy(limits, () => random)
const policy = policyWith(0.5)

const task = (more: Partial<ClaimedTask> = {}): ClaimedTask => ({
  id: 'a',
  name: 'ml.process_prediction',
  queue: 'predictions',
  priority: 0,
  attempt: 1,
  retries: 0,
  crashes: 0,
  args: {},
  limits: null,
  userId: null,
  predictionId: null,
  traceparent: null,
  waitMs: 0,
  prediction: null,
  ...more,
})
const transient = new MemoryGuardError('MODEL_OUTPUT_INVALID', 'It failed.', { retryable: true })
const lost = new MemoryGuardError('TASK_CHILD_LOST', 'It died.', { retryable: true })

describe('retry policy', () => {
  it('retries a failure that may pass three times, so that there are four attempts', () => {
    const states: string[] = []
    for (let retries = 0; retries < 5; retries += 1) states.push(policy.endOf(task({ retries }), transient).state)
    expect(states).toEqual(['retrying', 'retrying', 'retrying', 'failed', 'failed'])
    expect(policy.endOf(task({ retries: 3 }), transient)).toMatchObject({
      outcome: 'failed',
      errorCode: 'MODEL_OUTPUT_INVALID',
    })
  })

  it('waits a minute before a retry, give or take a tenth', () => {
    const delays = [0, 0.25, 0.5, 0.99912345].map((random) => {
      const { retryInMs = NaN, countsAsRetry } = policyWith(random).endOf(task(), transient)
      expect(countsAsRetry).toBe(true)
      expect(retryInMs).toBe(Math.trunc(retryInMs))
      return retryInMs / 1000
    })
    expect(delays[0]).toBeCloseTo(54, 5)
    expect(delays[1]).toBeCloseTo(57, 5)
    expect(delays[2]).toBeCloseTo(60, 5)
    expect(delays[3]).toBeLessThan(66)
    expect(delays[3]).toBeGreaterThan(65.9)
  })

  it('takes the limits of the task itself, where it has them', () => {
    const own = { max_retries: 1, retry_delay_seconds: 5 }
    const end = policy.endOf(task({ limits: own }), transient)
    expect(end.retryInMs).toBe(5_000)
    expect(policy.endOf(task({ limits: own, retries: 1 }), transient).state).toBe('failed')
    expect(policy.endOf(task({ limits: { max_retries: 0 } }), transient).state).toBe('failed')
  })

  it.each([
    ['MODEL_INPUT_INVALID', 'failed'],
    ['MODEL_UNKNOWN', 'failed'],
    ['TASK_UNKNOWN', 'failed'],
    ['RESOURCE_GONE', 'failed'],
    ['TASK_HARD_TIME_LIMIT', 'timed_out'],
    ['TASK_SOFT_TIME_LIMIT', 'timed_out'],
    ['TASK_REVOKED', 'cancelled'],
  ] as const)('does not retry %s: it is %s', (code, state) => {
    const end = policy.endOf(task(), new MemoryGuardError(code, 'No.'))
    expect(end).toMatchObject({ state, errorCode: code, errorMessage: 'No.' })
    expect(end.countsAsRetry).toBeUndefined()
  })

  it("retries an error that is not ours, and keeps a stranger's words out of the row", () => {
    const end = policy.endOf(task(), new Error('mmse_score 24 of user 123'))
    expect(end).toMatchObject({ state: 'retrying', errorCode: 'TASK_FAILED' })
    expect(end.errorMessage).not.toContain('24')
  })

  it('counts a death of the child apart from retries, tries again at once, and calls the third poison', () => {
    const ends = [0, 1, 2].map((crashes) => policy.endOf(task({ crashes, retries: 3 }), lost))
    expect(ends.map(({ state }) => state)).toEqual(['queued', 'queued', 'failed'])
    expect(ends.map(({ errorCode }) => errorCode)).toEqual(['TASK_CHILD_LOST', 'TASK_CHILD_LOST', 'TASK_POISON'])
    for (const end of ends) {
      expect(end).toMatchObject({ outcome: 'lost', countsAsCrash: true })
      expect(end.countsAsRetry).toBeUndefined()
      expect(end.retryInMs).toBeUndefined()
    }
  })

  it('charges nothing for work that a stopping worker hands back', () => {
    const released = new MemoryGuardError('TASK_RELEASED', 'It stopped.')
    expect(policy.endOf(task({ attempt: 2, retries: 3, crashes: 2 }), released)).toEqual({
      id: 'a',
      attempt: 2,
      state: 'queued',
      outcome: 'released',
    })
  })
})
