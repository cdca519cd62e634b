import { setTimeout as pause } from 'node:timers/promises'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { describeOnBothBrokers } from '../../support/brokers.js'
import { query } from '../../support/query.js'
import { startStack, type Stack } from '../../support/stack.js'
import { waitFor } from '../../support/wait-for.js'

const request = { user_id: 123, health_metrics: { mmse_score: 24, age: 72 } }

describeOnBothBrokers('a long outage', (broker) => {
  let stack: Stack
  beforeAll(async () => {
    // With the waits of production, the reconciler's among them.
    stack = await startStack({ broker, workers: 2 })
  })
  afterAll(() => stack.stop())

  const submit = (headers: Record<string, string> = {}) => stack.request('POST', '/v1/predictions', request, headers)
  const processes = () => [stack.api, ...stack.workers].map(({ pid, isRunning }) => ({ pid, isRunning }))
  /** When every task has succeeded at its first attempt, by the clock of the caller. */
  const untilAllSucceeded = () =>
    waitFor(
      async () => {
        const states = await query<{ state: string; retries: number; count: number }>(
          stack.databaseUrl,
          'SELECT state, retries, count(*)::int AS count FROM tasks GROUP BY 1, 2',
        )
        return states.length === 1 && states[0]?.state === 'succeeded' && states[0].retries === 0 && states[0].count
      },
      { what: 'every task to succeed', timeoutMs: 60_000 },
    )

  it('broker down 30 s then back: next claim within 15 s without restart', async () => {
    const before = processes()
    const server = stack.redis ?? stack.postgres
    // On PostgreSQL nothing can be stored while it is down, so that the work is there before.
    await stack.request('POST', '/v1/queues/predictions/pause')
    const ids = await Promise.all(Array.from({ length: 20 }, async () => String((await submit()).body['task_id'])))
    await server.kill()
    if (stack.redis) ids.push(String((await submit()).body['task_id']))
    await pause(30_000)
    await server.restart()
    const backAt = performance.now()
    await query(stack.databaseUrl, 'DELETE FROM paused_queues')
    await waitFor(
      async () => {
        const claimed = 'SELECT id FROM tasks WHERE id = ANY($1) AND attempt > 0'
        return (await query(stack.databaseUrl, claimed, [ids])).length > 0
      },
      { what: 'the next claim' },
    )
    expect(performance.now() - backAt).toBeLessThan(15_000)
    expect(await untilAllSucceeded()).toBe(ids.length)
    expect(processes()).toEqual(before)
  })

  it('PostgreSQL stopped 20 s and started: API responds with 503 then recovers, nothing lost', async () => {
    const before = processes()
    const accepted: unknown[] = []
    const refused = new Set<unknown>()
    const over = new AbortController()
    const send = async () => {
      while (!over.signal.aborted) {
        const { status, body } = await submit()
        if (status === 202) accepted.push(body['task_id'])
        else refused.add(`${status} ${String(body['code'])}`)
        await pause(50)
      }
    }
    const [known] = await query<{ count: number }>(stack.databaseUrl, 'SELECT count(*)::int AS count FROM tasks')
    const senders = Array.from({ length: 4 }, send)
    await waitFor(() => accepted.length > 20, { what: 'some tasks' })
    await stack.postgres.kill()
    await waitFor(() => refused.size > 0, { what: 'a refusal' })
    await pause(20_000)
    await stack.postgres.restart()
    const countBack = accepted.length
    await waitFor(() => accepted.length > countBack + 20, { what: 'tasks to be taken again' })
    over.abort()
    await Promise.all(senders)
    expect([...refused]).toEqual(['503 DATABASE_UNAVAILABLE'])
    // A submission that was cut off after its commit was refused and is there: more than accepted, but not less.
    expect(await untilAllSucceeded()).toBeGreaterThanOrEqual(accepted.length + (known?.count ?? 0))
    const stored = await query<{ id: string }>(stack.databaseUrl, `SELECT id FROM tasks WHERE id = ANY($1)`, [accepted])
    expect(stored).toHaveLength(accepted.length)
    expect(processes()).toEqual(before)
  })
})
