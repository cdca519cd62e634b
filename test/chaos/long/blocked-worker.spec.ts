import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { isUnharmed, lockSeconds, observe, shortWork, startBlocked } from '../../support/blocked-compute.js'
import type { Stack } from '../../support/stack.js'

describe('a computation of five seconds in the worker itself (--pool solo)', () => {
  let stack: Stack
  beforeAll(async () => {
    stack = await startBlocked('postgres', { WORKER_POOL: 'solo', TASK_LOCK_SECONDS: '1' }, 0)
    // A process that stands still in the middle of its chores keeps them from the others for 15 s, longer than the task
    // takes. So the worker that computes does none here, and the one that does them computes nothing.
    await stack.startWorker({ WORKER_QUEUES: 'predictions', RECONCILE_INTERVAL_SECONDS: '600' })
    await stack.startWorker({ WORKER_QUEUES: 'batch', RECONCILE_INTERVAL_SECONDS: '0.2' })
  })
  afterAll(() => stack.stop())

  it('E9: blocks it, so that its task is taken for lost and starts again: the check of blocked-compute can fail', async () => {
    const seen = await observe(stack, shortWork)
    expect(isUnharmed(seen)).toBe(false)
    expect(seen.lagMaxMs).toBeGreaterThan(1000 * lockSeconds)
    expect(seen.outcomes).toContain('lost')
    // Even then no result is written twice.
    expect(seen.outcomes.filter((outcome) => outcome === 'succeeded').length).toBeLessThanOrEqual(1)
  })
})
