import { PlanRepository, TaskCallRepository, type Database, type PlanSlice, type TaskFilter } from '#libs/database'
import type { TaskState } from '#libs/tasks/contracts'
import pg from 'pg'
import { v7 as uuidv7 } from 'uuid'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { query, queryNumber } from '../support/query.js'
import { createTestDatabase, type TestDatabase } from '../support/test-database.js'

const operator = '019a0000-0000-7000-8000-00000000000a'

describe('plans', () => {
  let database: TestDatabase
  let plans: PlanRepository

  beforeAll(async () => {
    database = await createTestDatabase({ env: { DATABASE_POOL_SIZE: '10' } })
    plans = new PlanRepository(database.dataSource)
  })
  afterAll(() => database.drop())
  beforeEach(() => query(database.url, 'TRUNCATE tasks, task_attempts, predictions, batches, plans, plan_slices'))

  const makeTasks = async (count: number, state: TaskState, more: Record<string, unknown> = {}): Promise<string[]> => {
    const hasEnded = ['failed', 'succeeded', 'cancelled', 'timed_out'].includes(state)
    const rows = Array.from({ length: count }, () => ({
      id: uuidv7(),
      name: 'ml.health_check',
      queue: 'batch',
      state,
      args: {},
      finished_at: hasEnded ? new Date() : null,
      error_code: state === 'failed' ? 'TASK_FAILED' : state === 'cancelled' ? 'TASK_REVOKED' : null,
      ...more,
    }))
    await query(
      database.url,
      `INSERT INTO tasks (id, name, queue, state, args, finished_at, error_code, worker, parent_id)
       SELECT id, name, queue, state, args, finished_at, error_code, worker, parent_id
       FROM jsonb_to_recordset($1) AS r(id uuid, name text, queue text, state text, args jsonb, finished_at timestamptz,
         error_code text, worker text, parent_id uuid)`,
      [JSON.stringify(rows)],
    )
    return rows.map(({ id }) => id)
  }
  const create = (action: 'retry' | 'revoke' | 'purge', tasks: TaskFilter = {}, most?: number) =>
    plans.create({ id: uuidv7(), action, terminate: false, tasks, shown: {}, plannedBy: operator }, most)
  const replay = async (transaction: Database, _: PlanSlice, ids: readonly string[]) => {
    const made = await new TaskCallRepository(transaction).replay(new Map(ids.map((id) => [id, uuidv7()])), operator)
    return made.filter(({ isNew }) => isNew).length
  }
  const revoke = async (transaction: Database, { terminate }: PlanSlice, ids: readonly string[]) =>
    (await new TaskCallRepository(transaction).revoke(ids, terminate)).length
  const runAll = async (change: typeof replay, repository = plans) => {
    while ((await repository.runSlice(change)) !== 'idle');
  }
  const statesOf = async (ids: readonly string[]) => {
    const rows = await query<{ id: string; state: string }>(
      database.url,
      'SELECT id, state FROM tasks WHERE id = ANY($1::uuid[])',
      [ids],
    )
    const states = new Map(rows.map(({ id, state }) => [id, state]))
    return ids.map((id) => states.get(id))
  }
  const countReplays = () =>
    queryNumber(database.url, 'SELECT count(*)::int AS number FROM tasks WHERE replay_of IS NOT NULL')
  const progressOf = async (id: string) => {
    const plan = await plans.find(id)
    return { total: plan?.total, done: plan?.done, skipped: plan?.skipped, failed: plan?.failed }
  }

  it('holds exactly the tasks that fitted when it was made', async () => {
    const planned = await makeTasks(1_203, 'failed')
    const plan = await create('retry', { states: ['failed'], queue: 'batch' })
    expect(plan).toMatchObject({ total: 1_203, isCapped: false, startedAt: null })
    expect(plan.sample).toEqual(planned.slice(-10).reverse())
    const later = await makeTasks(5, 'failed')
    expect(await plans.runSlice(replay)).toBe('idle')
    expect(await plans.start(plan.id, operator)).toBe(true)
    await runAll(replay)
    expect(await progressOf(plan.id)).toEqual({ total: 1_203, done: 1_203, skipped: 0, failed: 0 })
    const rows = await query<{ replay_of: string }>(
      database.url,
      'SELECT replay_of FROM tasks WHERE replay_of IS NOT NULL ORDER BY replay_of',
    )
    expect(rows.map((row) => row.replay_of)).toEqual(planned)
    expect(rows.some((row) => later.includes(row.replay_of))).toBe(false)
    expect((await plans.find(plan.id))?.finishedAt).not.toBeNull()
  })

  it('chooses what its action applies to', async () => {
    const ids: Record<string, string[]> = {}
    for (const state of ['queued', 'scheduled', 'retrying', 'running', 'succeeded', 'failed', 'cancelled'] as const)
      ids[state] = await makeTasks(1, state)
    expect((await create('purge')).total).toBe(3)
    expect((await create('revoke')).total).toBe(4)
    expect((await create('retry')).total).toBe(2)
    expect((await create('retry', { states: ['succeeded'] })).total).toBe(0)
    expect((await create('revoke', { states: ['running'] })).sample).toEqual(ids['running'])
  })

  it('takes the oldest of more tasks than it may have', async () => {
    const ids = await makeTasks(12, 'queued')
    const plan = await create('purge', {}, 10)
    expect(plan).toMatchObject({ total: 10, isCapped: true, sample: ids.slice(0, 10).reverse() })
    expect((await create('purge', {}, 12)).isCapped).toBe(false)
  })

  it('counts a batch once, with its chunks, and a chunk alone as itself', async () => {
    const [batch = ''] = await makeTasks(1, 'running', { name: 'ml.batch_predictions' })
    const chunks = await makeTasks(3, 'queued', { name: 'ml.compute_batch_chunk', parent_id: batch })
    expect((await create('revoke')).sample).toEqual([batch])
    expect((await create('revoke', { states: ['queued'] })).sample).toEqual(chunks.toReversed())
  })

  it('passes over what has changed since, and what is gone', async () => {
    const [started = '', ended = '', removed = '', waiting = ''] = await makeTasks(4, 'queued')
    const plan = await create('purge')
    await query(database.url, `UPDATE tasks SET state = 'running' WHERE id = $1`, [started])
    await query(database.url, `UPDATE tasks SET state = 'succeeded', finished_at = now() WHERE id = $1`, [ended])
    await query(database.url, 'DELETE FROM tasks WHERE id = $1', [removed])
    await plans.start(plan.id, operator)
    await runAll(revoke)
    expect(await progressOf(plan.id)).toEqual({ total: 4, done: 1, skipped: 3, failed: 0 })
    expect(await statesOf([started, ended, waiting])).toEqual(['running', 'succeeded', 'cancelled'])
  })

  it('does not do again what was done again since it was made', async () => {
    const [one = '', two = ''] = await makeTasks(2, 'failed')
    const plan = await create('retry')
    await new TaskCallRepository(database.dataSource).replay(new Map([[one, uuidv7()]]))
    await plans.start(plan.id, operator)
    await runAll(replay)
    expect(await progressOf(plan.id)).toEqual({ total: 2, done: 1, skipped: 1, failed: 0 })
    expect(await countReplays()).toBe(2)
    expect((await create('retry')).total).toBe(0)
    expect(await statesOf([two])).toEqual(['failed'])
  })

  it('can be started once, and not after it has expired', async () => {
    await makeTasks(1, 'queued')
    const plan = await create('purge')
    const starts = await Promise.all(Array.from({ length: 5 }, () => plans.start(plan.id, operator)))
    expect(starts.filter(Boolean)).toHaveLength(1)
    const late = await create('purge')
    expect(late.expiresAt.getTime() - late.createdAt.getTime()).toBe(300_000)
    await query(database.url, `UPDATE plans SET expires_at = now() WHERE id = $1`, [late.id])
    expect(await plans.start(late.id, operator)).toBe(false)
    const empty = await create('retry')
    await plans.start(empty.id, operator)
    expect((await plans.find(empty.id))?.finishedAt).not.toBeNull()
  })

  it('is done once by five processes at the same time', async () => {
    await makeTasks(6_000, 'failed')
    const plan = await create('retry')
    await plans.start(plan.id, operator)
    await Promise.all(Array.from({ length: 5 }, () => runAll(replay)))
    expect(await progressOf(plan.id)).toEqual({ total: 6_000, done: 6_000, skipped: 0, failed: 0 })
    expect(await countReplays()).toBe(6_000)
    const ends = await query<{ details: object; api_key_id: string }>(
      database.url,
      `SELECT details, api_key_id FROM audit_log WHERE action = 'plan.finish' AND target = $1`,
      [plan.id],
    )
    expect(ends).toEqual([
      { api_key_id: operator, details: { action: 'retry', total: 6_000, done: 6_000, skipped: 0, failed: 0 } },
    ])
  })

  it('waits for a task that someone else is just changing', async () => {
    const [busy = '', free = ''] = await makeTasks(2, 'queued')
    const plan = await create('purge')
    await plans.start(plan.id, operator)
    const other = new pg.Client(database.url)
    await other.connect()
    await other.query('BEGIN')
    await other.query(`UPDATE tasks SET state = 'running' WHERE id = $1`, [busy])
    expect(await plans.runSlice(revoke)).toBe('done')
    expect(await plans.runSlice(revoke)).toBe('busy')
    expect(await progressOf(plan.id)).toEqual({ total: 2, done: 1, skipped: 0, failed: 0 })
    await other.query('ROLLBACK')
    await other.end()
    await runAll(revoke)
    expect(await progressOf(plan.id)).toEqual({ total: 2, done: 2, skipped: 0, failed: 0 })
    expect(await statesOf([busy, free])).toEqual(['cancelled', 'cancelled'])
  })

  it('gives up a task that cannot be changed, and no other', async () => {
    const ids = await makeTasks(5, 'queued')
    const plan = await create('purge')
    await plans.start(plan.id, operator)
    const change = async (transaction: Database, slice: PlanSlice, chosen: readonly string[]) => {
      if (chosen.includes(ids[2] ?? '')) throw new Error('This one breaks')
      return revoke(transaction, slice, chosen)
    }
    const turns: string[] = []
    while (turns.at(-1) !== 'idle') turns.push(await plans.runSlice(change).catch(() => 'failed'))
    expect(turns).toEqual(['failed', 'failed', 'done', 'done', 'failed', 'done', 'done', 'idle'])
    expect(await progressOf(plan.id)).toEqual({ total: 5, done: 4, skipped: 0, failed: 1 })
    expect(await statesOf(ids)).toEqual(['cancelled', 'cancelled', 'queued', 'cancelled', 'cancelled'])
  })

  it('is removed when nobody can run it or will ask for it any more', async () => {
    await makeTasks(1, 'queued')
    const [expired, old, running, young] = [
      await create('purge'),
      await create('purge'),
      await create('purge'),
      await create('purge'),
    ]
    await query(database.url, `UPDATE plans SET expires_at = now() - interval '2 hours'`)
    await query(
      database.url,
      `UPDATE plans SET started_at = now() - interval '40 days', finished_at = now() - interval '31 days' WHERE id = $1`,
      [old.id],
    )
    await query(database.url, `UPDATE plans SET started_at = now() - interval '40 days' WHERE id = $1`, [running.id])
    await query(database.url, `UPDATE plans SET expires_at = now() WHERE id = $1`, [young.id])
    await plans.removeOld(30 * 86_400)
    const left = (await plans.list(undefined, 10)).map(({ id }) => id)
    expect(left).toEqual([young.id, running.id])
    expect(await plans.find(expired.id)).toBeNull()
    const slices = await query<{ plan_id: string }>(database.url, 'SELECT plan_id FROM plan_slices ORDER BY 1')
    expect(slices.map((row) => row.plan_id)).toEqual([running.id, young.id])
    expect((await plans.list(young.id, 10)).map(({ id }) => id)).toEqual([running.id])
  })
})
