import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { query, queryNumber } from '../support/query.js'
import { quickRecovery, startStack, type Stack } from '../support/stack.js'
import { waitFor } from '../support/wait-for.js'

/** So many that the processes that run the plan are killed in the middle of it. */
const taskCount = 30_000

// What it does stands in the database; the broker has no part in it.
describe('a plan whose processes are killed', () => {
  let stack: Stack
  beforeAll(async () => {
    stack = await startStack({ broker: 'postgres', workers: 1, env: quickRecovery })
    // They stay waiting when they are done again.
    await stack.post('/v1/queues/forecasts/pause')
    await query(
      stack.databaseUrl,
      `INSERT INTO tasks (id, name, queue, state, args, error_code, error_message, finished_at)
       SELECT gen_random_uuid(), 'ml.health_check', 'forecasts', 'failed', '{}', 'TASK_FAILED', 'It failed.', now()
       FROM generate_series(1, ${taskCount})`,
    )
  })
  afterAll(() => stack.stop())

  const doneOf = (id: string) =>
    queryNumber(stack.databaseUrl, 'SELECT done + skipped + failed AS number FROM plans WHERE id = $1', [id])

  it('is finished by another process, each task once', async () => {
    const { body: plan } = await stack.post('/v1/plans', { action: 'retry', filter: { queue: 'forecasts' } })
    expect(plan).toMatchObject({ count: taskCount, state: 'planned' })
    const id = String(plan['id'])
    await stack.post(`/v1/plans/${id}/run`)
    await waitFor(async () => (await doneOf(id)) > 0, { what: 'the first slice', intervalMs: 5 })
    const [worker] = stack.workers
    await Promise.all([stack.api.kill('SIGKILL'), worker?.kill('SIGKILL')])
    // The server rolls the transactions of the dead back.
    await waitFor(
      async () => {
        const sql = `SELECT count(*)::int AS number FROM pg_stat_activity WHERE state <> 'idle' AND pid <> pg_backend_pid()
          AND backend_type = 'client backend'`
        return (await queryNumber(stack.databaseUrl, sql)) === 0
      },
      { what: 'the dead to leave the database', timeoutMs: 30_000 },
    )
    const before = await doneOf(id)
    expect(before).toBeGreaterThan(0)
    expect(before).toBeLessThan(taskCount)

    // No api: what another has started, a worker alone finishes.
    await stack.startWorker()
    await waitFor(async () => (await doneOf(id)) === taskCount, { what: 'the plan to finish', timeoutMs: 60_000 })
    const counts = await query<Record<string, number>>(
      stack.databaseUrl,
      `SELECT count(*)::int AS replays, count(DISTINCT replay_of)::int AS originals,
         count(*) FILTER (WHERE state = 'queued')::int AS waiting FROM tasks WHERE replay_of IS NOT NULL`,
    )
    expect(counts).toEqual([{ replays: taskCount, originals: taskCount, waiting: taskCount }])
    await stack.startApi()
    expect((await stack.get(`/v1/plans/${id}`)).body).toMatchObject({
      state: 'finished',
      done: taskCount,
      skipped: 0,
      failed: 0,
    })
    const finishes = await query(
      stack.databaseUrl,
      `SELECT 1 FROM audit_log WHERE action = 'plan.finish' AND target = $1`,
      [id],
    )
    expect(finishes).toHaveLength(1)
  })
})
