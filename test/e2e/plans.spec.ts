import { afterAll, beforeAll, expect, it } from 'vitest'
import { describeOnBothBrokers } from '../support/brokers.js'
import { insertKey, query, queryNumber } from '../support/query.js'
import { bearer, itemsOf } from '../support/requests.js'
import { startStack, type HttpResponse, type Stack } from '../support/stack.js'
import { waitFor } from '../support/wait-for.js'

const check = { name: 'ml.health_check', queue: 'forecasts' }

describeOnBothBrokers('plans', (broker) => {
  let stack: Stack
  beforeAll(async () => {
    stack = await startStack({ broker, testModels: true, env: { RECONCILE_INTERVAL_SECONDS: '0.5' } })
  })
  afterAll(() => stack.stop())

  const plan = async (body: object): Promise<HttpResponse['body']> => {
    const made = await stack.post('/v1/plans', body)
    expect([made.status, made.body]).toEqual([201, made.body])
    expect(made.headers.get('location')).toBe(`/v1/plans/${String(made.body['id'])}`)
    return made.body
  }
  const run = (id: unknown) => stack.post(`/v1/plans/${String(id)}/run`)
  const untilFinished = (id: unknown) =>
    waitFor(
      async () => {
        const { body } = await stack.get(`/v1/plans/${String(id)}`)
        return body['state'] === 'finished' && body
      },
      { what: 'the plan to finish', timeoutMs: 30_000 },
    )
  const sendMany = async (count: number, body: object): Promise<string[]> => {
    const sent = await Promise.all(Array.from({ length: count }, () => stack.post('/v1/tasks', body)))
    return sent.map((answer) => String(answer.body['id']))
  }
  const statesOf = (ids: readonly string[]) => Promise.all(ids.map(async (id) => (await stack.readTask(id))['state']))
  const entriesOf = (target: unknown) =>
    query<{ action: string; details: Record<string, unknown>; api_key_id: string }>(
      stack.databaseUrl,
      'SELECT action, details, api_key_id FROM audit_log WHERE target = $1 ORDER BY id',
      [target],
    )

  it('cancel exactly the waiting tasks that were there, and are in the audit trail', async () => {
    await stack.post('/v1/queues/forecasts/pause')
    const waiting = await sendMany(4, check)
    const made = await plan({ action: 'purge', filter: { q: 'queue:forecasts since:1h' } })
    expect(made).toMatchObject({ action: 'purge', state: 'planned', count: 4, total: 4, done: 0, by: null })
    expect((made['sample'] as { id: string }[]).map(({ id }) => id)).toEqual(waiting.toSorted().toReversed())
    const [later = ''] = await sendMany(1, check)
    expect(await statesOf(waiting)).toEqual(waiting.map(() => 'queued'))

    const started = await run(made['id'])
    expect([started.status, started.headers.get('location')]).toEqual([202, `/v1/plans/${String(made['id'])}`])
    const finished = await untilFinished(made['id'])
    expect(finished).toMatchObject({ count: 4, total: 4, done: 4, skipped: 0, failed: 0, by: expect.any(String) })
    expect(await statesOf(waiting)).toEqual(waiting.map(() => 'cancelled'))
    expect(await stack.readTask(later)).toMatchObject({ state: 'queued' })

    const again = await run(made['id'])
    expect([again.status, again.body]).toEqual([202, finished])
    const entries = await entriesOf(made['id'])
    expect(entries.map(({ action }) => action)).toEqual(['plan.create', 'plan.run', 'plan.finish'])
    expect(entries[0]?.details).toMatchObject({ action: 'purge', total: 4, filter: { queue: 'forecasts' } })
    expect(entries[2]?.details).toEqual({ action: 'purge', total: 4, done: 4, skipped: 0, failed: 0 })
    expect(new Set(entries.map((entry) => entry.api_key_id)).size).toBe(1)
    await stack.post('/v1/queues/forecasts/resume')
    await stack.untilTask(later, 'succeeded')
  })

  it('do failed tasks again, each once, and these run', async () => {
    const ids = await sendMany(30, { ...check, countdown: 600 })
    await Promise.all(ids.map((id) => stack.post(`/v1/tasks/${id}/revoke`)))
    const made = await plan({ action: 'retry', filter: { state: 'cancelled', ids } })
    expect(made).toMatchObject({ count: 30, filter: { state: ['cancelled'], ids } })
    const [first = ''] = ids
    const alone = await stack.post(`/v1/tasks/${first}/retry`)
    await Promise.all([run(made['id']), run(made['id']), run(made['id'])])
    expect(await untilFinished(made['id'])).toMatchObject({ done: 29, skipped: 1, failed: 0 })
    const replays = await query<{ id: string; submitted_by: string | null }>(
      stack.databaseUrl,
      'SELECT id, submitted_by FROM tasks WHERE replay_of = ANY($1::uuid[])',
      [ids],
    )
    expect(replays).toHaveLength(30)
    expect(replays.map(({ id }) => id)).toContain(alone.body['id'])
    expect(replays.filter(({ submitted_by: by }) => by === null)).toEqual([])
    for (const { id } of replays) await stack.untilTask(id, 'succeeded')
    const runs = (await entriesOf(made['id'])).filter(({ action }) => action === 'plan.run')
    expect(runs).toHaveLength(1)
  })

  it('end tasks that run, and batches with their chunks', async () => {
    const slow = {
      name: 'ml.process_prediction',
      args: { user_id: 77, health_metrics: { mmse_score: 30 }, model: 'slow' },
    }
    const [running = ''] = await sendMany(1, slow)
    await stack.untilTask(running, 'running')
    await stack.post('/v1/queues/batch/pause')
    const items = [{ user_id: 77, health_metrics: { mmse_score: 24, age: 72 } }]
    const batch = await stack.post('/v1/batches', { items })
    const [waiting = ''] = await sendMany(1, { ...check, countdown: 600 })
    const made = await plan({ action: 'revoke', terminate: true, filter: {} })
    expect(made).toMatchObject({ count: 3, terminate: true })
    await run(made['id'])
    expect(await untilFinished(made['id'])).toMatchObject({ done: 3, skipped: 0 })
    for (const id of [running, waiting, String(batch.body['id'])]) await stack.untilTask(id, 'cancelled')
    const left = 'SELECT count(*)::int AS number FROM tasks WHERE finished_at IS NULL'
    await waitFor(async () => (await queryNumber(stack.databaseUrl, left)) === 0, { what: 'every chunk to end' })
    await stack.post('/v1/queues/batch/resume')
  })

  it('name a person by the pseudonym alone', async () => {
    const made = await plan({ action: 'retry', filter: { user_id: 77 } })
    expect(made['filter']).toEqual({
      state: ['failed', 'timed_out'],
      person: expect.stringMatching(/^person-[0-9a-f]{32}$/),
    })
    expect(JSON.stringify(await entriesOf(made['id']))).not.toMatch(/:\s*77\b/)
    expect((await entriesOf(made['id']))[0]?.details['filter']).toEqual(made['filter'])
  })

  it('cannot be run when they have expired, and say so', async () => {
    const [waiting = ''] = await sendMany(1, { ...check, countdown: 600 })
    const made = await plan({ action: 'purge', filter: { ids: [waiting] } })
    await query(stack.databaseUrl, 'UPDATE plans SET expires_at = now() WHERE id = $1', [made['id']])
    const { status, body } = await run(made['id'])
    expect([status, body['code']]).toEqual([409, 'PLAN_EXPIRED'])
    expect((await stack.get(`/v1/plans/${String(made['id'])}`)).body).toMatchObject({ state: 'expired', done: 0 })
    expect(await stack.readTask(waiting)).toMatchObject({ state: 'scheduled' })
    expect((await entriesOf(made['id'])).map(({ action }) => action)).toEqual(['plan.create'])
    await stack.post(`/v1/tasks/${waiting}/revoke`)
  })

  it('are listed newest first, page by page', async () => {
    const { body: all } = await stack.get('/v1/plans')
    const ids = itemsOf(await stack.get('/v1/plans')).map(({ id }) => id as string)
    expect(ids.length).toBeGreaterThan(4)
    expect(ids).toEqual(ids.toSorted().toReversed())
    expect(all['next_cursor']).toBeNull()
    const first = await stack.get('/v1/plans?limit=2')
    const second = await stack.get(`/v1/plans?limit=2&cursor=${String(first.body['next_cursor'])}`)
    expect([...itemsOf(first), ...itemsOf(second)].map(({ id }) => id)).toEqual(ids.slice(0, 4))
  })

  it.each([
    ['an unknown action', { action: 'erase', filter: {} }, ['/action']],
    ['no filter', { action: 'purge' }, ['/filter']],
    ['an unknown condition', { action: 'purge', filter: { colour: 'red' } }, ['/filter/colour']],
    ['words that are none', { action: 'purge', filter: { q: 'colour:red' } }, ['/filter/q']],
    ['a time that holds nothing', { action: 'purge', filter: { since: '1h', until: '2h' } }, ['/filter/until']],
    ['a kill of what does not run', { action: 'purge', filter: {}, terminate: true }, ['/terminate']],
  ])('with %s are rejected', async (_, body, pointers) => {
    const { status, body: problem } = await stack.post('/v1/plans', body)
    const found = (problem['errors'] as { pointer: string }[]).map(({ pointer }) => pointer)
    expect([status, found]).toEqual([422, pointers])
  })

  it('are for operators whose key is bound to nobody', async () => {
    const { id } = await plan({ action: 'purge', filter: {} })
    const calls = [
      ['POST', '/v1/plans', { action: 'purge', filter: {} }],
      ['POST', `/v1/plans/${String(id)}/run`, undefined],
      ['GET', '/v1/plans', undefined],
      ['GET', `/v1/plans/${String(id)}`, undefined],
    ] as const
    for (const options of [{ role: 'submitter' }, { role: 'viewer' }, { role: 'operator', userId: 5 }] as const) {
      const key = await insertKey(stack.databaseUrl, options)
      for (const [method, path, body] of calls) {
        const { status, body: problem } = await stack.request(method, path, body, bearer(key))
        expect([method, path, status, problem['code']]).toEqual([method, path, 403, 'ACCESS_ROLE_MISSING'])
      }
    }
    const operator = await insertKey(stack.databaseUrl, { role: 'operator' })
    expect((await stack.get(`/v1/plans/${String(id)}`, bearer(operator))).status).toBe(200)
    expect((await stack.get('/v1/plans/019a0000-0000-7000-8000-000000000001')).status).toBe(404)
  })
})
