import { afterAll, beforeAll, expect, it } from 'vitest'
import { isUnharmed, lockSeconds, longWork, observe, startBlocked } from '../support/blocked-compute.js'
import { describeOnBothBrokers } from '../support/brokers.js'
import { query } from '../support/query.js'
import type { Stack } from '../support/stack.js'

describeOnBothBrokers('a computation of ten seconds in a child', (broker) => {
  let stack: Stack
  beforeAll(async () => {
    stack = await startBlocked(broker, { RECONCILE_INTERVAL_SECONDS: '0.5' }, 2)
  })
  afterAll(() => stack.stop())

  it('blocked compute does not lose the lock: its worker lives on, and it starts once', async () => {
    const seen = await observe(stack, longWork)
    expect(seen.computeSeconds).toBeGreaterThan(2 * lockSeconds)
    expect(seen).toMatchObject({ state: 'succeeded', attempt: 1, outcomes: ['succeeded'] })
    expect(isUnharmed(seen)).toBe(true)
    const rows = await query(stack.databaseUrl, 'SELECT risk_score, attempt FROM predictions')
    expect(rows).toEqual([{ risk_score: 0.5, attempt: 1 }])
  })
})
