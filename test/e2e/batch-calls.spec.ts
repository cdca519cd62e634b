import { afterEach, describe, expect, it } from 'vitest'
import { describeOnBothBrokers } from '../support/brokers.js'
import { insertKey, query, queryNumber } from '../support/query.js'
import { waiting } from '../support/requests.js'
import { runAsAdmin } from '../support/run-command.js'
import { useStack } from '../support/use-stack.js'
import { waitFor } from '../support/wait-for.js'
import { startReceiver } from '../support/webhook-receiver.js'

const name = 'ml.batch_predictions'
const mild = { mmse_score: 29, age: 70 }
const severe = { mmse_score: 12, age: 85 }

describeOnBothBrokers('a batch as a task', (broker) => {
  const stack = useStack({
    broker,
    env: { RECONCILE_INTERVAL_SECONDS: '0.5', WEBHOOK_ALLOW_PRIVATE_ADDRESSES: 'true' },
  })

  afterEach(async () => {
    await stack.post('/v1/queues/batch/resume')
  })

  const call = (args: unknown, headers: Record<string, string> = waiting, more: object = {}) =>
    stack.post('/v1/tasks', { name, args, ...more }, headers)
  const resultsOf = async (id: unknown) => {
    const { text } = await stack.get(`/v1/batches/${String(id)}/results`)
    return text
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as Record<string, unknown>)
  }
  const riskOf = async (health_metrics: object) =>
    (await stack.post('/v1/predictions', { user_id: 1, health_metrics }, waiting)).body['risk_score']

  it('is called with its people, and gives what single predictions give', async () => {
    const { status, headers, body } = await call({
      user_ids: [1, 2, 3],
      health_metrics_list: [mild, severe, { age: 999 }],
    })
    expect(status).toBe(200)
    expect(headers.get('location')).toBe(`/v1/tasks/${String(body['id'])}`)
    expect(body).toMatchObject({
      name,
      queue: 'batch',
      state: 'succeeded',
      args: { batch_id: body['id'] },
      result: { batch_id: body['id'], total: 3, succeeded: 2, failed: 1 },
    })
    const rows = await resultsOf(body['id'])
    expect(rows.map(({ risk_score }) => risk_score)).toEqual([await riskOf(mild), await riskOf(severe), null])
    const { body: task } = await stack.get(`/v1/tasks/${String(body['id'])}`)
    const [child, ...others] = task['children'] as Record<string, unknown>[]
    expect([child, others]).toEqual([{ id: expect.any(String), name, state: 'succeeded', celery_state: 'SUCCESS' }, []])
    expect((await stack.get(`/v1/tasks/${String(child?.['id'])}`)).body).toMatchObject({
      parent_id: body['id'],
      children: [],
    })
    const listed = async (filter: string) =>
      ((await stack.get(`/v1/tasks?${filter}`)).body['items'] as Record<string, unknown>[]).map(({ id }) => id)
    expect(await listed(`name=${name}&limit=2`)).toEqual([child?.['id'], body['id']])
    expect(await listed('name=ml.compute_batch_chunk')).toEqual([])
  })

  it('takes the newest recorded value of each metric of people without metrics', async () => {
    const record = (user: number, recorded_at: string, health_metrics: object) =>
      stack.post(`/v1/users/${user}/health-metrics`, { recorded_at, health_metrics })
    await record(21, '2023-01-01', { mmse_score: 29, age: 68, sex: 'female' })
    await record(21, '2025-01-01', { mmse_score: 22, age: 70 })
    await record(21, '2024-01-01', { mmse_score: 27, age: 69 })
    await record(22, '2024-01-01', { bvrt: 10 })
    await record(24, '2024-01-01', severe)
    const people = { user_ids: [21, 22, 23, 24, 21] }
    const { body } = await stack.post('/v1/batches', people, waiting)
    const message = expect.stringContaining('is recorded of this person')
    expect(body).toMatchObject({
      total: 5,
      succeeded: 3,
      errors: [
        { line: 2, user_id: 22, message },
        { line: 3, user_id: 23, message },
      ],
    })
    const scores = (await resultsOf(body['id'])).map(({ risk_score }) => risk_score)
    const first = await riskOf({ mmse_score: 22, age: 70, sex: 'female' })
    expect(scores).toEqual([first, null, null, await riskOf(severe), first])
    const called = await call(people)
    expect(called.body['result']).toMatchObject({ total: 5, succeeded: 3, failed: 2 })
    expect((await resultsOf(called.body['id'])).map(({ risk_score }) => risk_score)).toEqual(scores)
  })

  it('is made once for an idempotency key', async () => {
    const key = { ...waiting, 'idempotency-key': 'called-once' }
    const args = { user_ids: [1], health_metrics_list: [mild] }
    const [first, second] = [await call(args, key), await call(args, key)]
    expect(second.body['id']).toBe(first.body['id'])
    expect((await call({ ...args, user_ids: [2] }, key)).body['code']).toBe('IDEMPOTENCY_KEY_REUSED')
  })

  it('is called from the command line', async () => {
    const args = ['call', name, '--args', JSON.stringify({ user_ids: [1, 2], health_metrics_list: [mild, severe] })]
    const { code, out } = await runAsAdmin(stack, ...args, '--wait', '20', '--json')
    expect(code).toBe(0)
    expect(JSON.parse(out)).toMatchObject({ state: 'succeeded', result: { total: 2, succeeded: 2 } })
  })

  it('ends with its chunks when it is revoked', async () => {
    await stack.post('/v1/queues/batch/pause')
    const rows = `user_id,mmse_score\n${'1,24\n'.repeat(2_500)}`
    const { body: batch } = await stack.post('/v1/batches', rows, { 'content-type': 'text/csv' })
    const id = String(batch['id'])
    const revoked = await stack.post(`/v1/tasks/${id}/revoke`)
    expect(revoked.body).toMatchObject({
      state: 'cancelled',
      error: { code: 'TASK_REVOKED' },
      children: [{ state: 'cancelled' }, { state: 'cancelled' }, { state: 'cancelled' }],
    })
    expect((await stack.get(`/v1/batches/${id}`)).body).toMatchObject({
      state: 'cancelled',
      cancelled: 2_500,
      percent: 100,
    })
    await stack.post('/v1/queues/batch/resume')
    await waitFor(
      async () => {
        const queues = (await stack.get('/v1/queues')).body['items'] as {
          broker: { waiting: number; active: number }
        }[]
        return queues.every((queue) => queue.broker.waiting + queue.broker.active === 0)
      },
      { what: 'the jobs of the chunks to be skipped' },
    )
    const started = await queryNumber(
      stack.databaseUrl,
      'SELECT count(*)::int AS number FROM tasks WHERE parent_id = $1 AND attempt > 0',
      [id],
    )
    expect(started).toBe(0)
    expect((await stack.post(`/v1/tasks/${id}/revoke`)).status).toBe(200)
    const cancel = await stack.request('DELETE', `/v1/batches/${id}`)
    expect([cancel.status, cancel.body['state']]).toEqual([200, 'cancelled'])
  })

  it('D5: of which no row has a result has failed, in every form; with one result it has succeeded', async () => {
    const receiver = await startReceiver()
    const hook = await stack.post('/v1/webhooks', { url: `${receiver.url}/hook` })
    const old = { age: 999 }
    const csv = { ...waiting, 'content-type': 'text/csv' }
    const refused = [
      await stack.post('/v1/batches', { items: [{ user_id: 1, health_metrics: old }, { user_id: 2 }] }, waiting),
      await stack.post('/v1/batches', { user_ids: [991, 992] }, waiting),
      await stack.post('/v1/batches', 'user_id,age\n1,999\nx,70\n', csv),
      await call({ user_ids: [1, 2], health_metrics_list: [old, old] }),
    ]
    const id = (index: number) => String(refused[index]?.body['id'])
    for (const [index, { status, body }] of refused.entries()) {
      expect([status, body['state'], body['celery_state']]).toEqual([200, 'failed', 'FAILURE'])
      expect((await stack.get(`/v1/batches/${id(index)}`)).body).toMatchObject({ total: 2, succeeded: 0, failed: 2 })
      expect((await stack.get(`/v1/tasks/${id(index)}`)).body['error']).toEqual({
        code: 'BATCH_FAILED',
        message: 'None of its 2 rows has a result; see the errors of the batch.',
      })
    }
    const { body: mixed } = await stack.post('/v1/batches', 'user_id,age\n1,999\n2,70\n', csv)
    expect(mixed).toMatchObject({ state: 'succeeded', celery_state: 'SUCCESS', succeeded: 1, failed: 1 })
    await waitFor(() => receiver.messages.length === 5, { what: 'a message for each batch' })
    const sent = receiver.messages.map(({ body }) => [body.data['batch_id'], body.type])
    expect(new Map(sent as [string, string][])).toEqual(
      new Map([...refused.map((_, index) => [id(index), 'task.failed'] as const), [mixed['id'], 'task.succeeded']]),
    )
    await stack.request('DELETE', `/v1/webhooks/${String(hook.body['id'])}`)
    await receiver.close()

    const again = await stack.post(`/v1/tasks/${id(0)}/retry`)
    expect([again.status, again.body['detail']]).toEqual([409, expect.stringContaining('in a new batch')])
    const many = await stack.post('/v1/tasks/retry', { filter: { state: 'failed' }, dry_run: true })
    expect(many.body['matched']).toBe(0)
  })

  describe('is refused before anything is stored', () => {
    it.each([
      ['lists of unequal length', { user_ids: [1, 2], health_metrics_list: [mild] }, {}, '/args/health_metrics_list'],
      ['nobody', { user_ids: [] }, {}, '/args/user_ids'],
      ['a person without a number', { user_ids: [1, 'x'] }, {}, '/args/user_ids/1'],
      ['an unknown argument', { user_ids: [1], colour: 'red' }, {}, '/args/colour'],
      ['a start later', { user_ids: [1] }, { countdown: 60 }, '/countdown'],
      ['another queue', { user_ids: [1] }, { queue: 'predictions' }, '/queue'],
    ])('for %s', async (_, args, more, pointer) => {
      const before = await queryNumber(stack.databaseUrl, 'SELECT count(*)::int AS number FROM tasks')
      const { status, body } = await call(args, {}, more)
      const pointers = (body['errors'] as { pointer: string }[]).map((fault) => fault.pointer)
      expect([status, pointers]).toEqual([422, [pointer]])
      expect(await queryNumber(stack.databaseUrl, 'SELECT count(*)::int AS number FROM tasks')).toBe(before)
    })

    it('for a model that is not there, a schedule, and a key that is bound to a person', async () => {
      expect((await call({ user_ids: [1], model: 'oracle' })).body['code']).toBe('MODEL_UNKNOWN')
      const schedule = { name: 'nightly', task: name, args: { user_ids: [1] }, interval_seconds: 60 }
      expect((await stack.post('/v1/schedules', schedule)).body['errors']).toMatchObject([{ pointer: '/task' }])
      const bound = await insertKey(stack.databaseUrl, { role: 'submitter', userId: 24 })
      const headers = { authorization: `Bearer ${bound}` }
      expect((await call({ user_ids: [24] }, headers)).status).toBe(403)
      // Whether something is recorded of others is not shown either.
      for (const user of [21, 23]) {
        expect((await stack.post('/v1/batches', { user_ids: [user] }, headers)).status).toBe(403)
      }
      const keyed = { ...waiting, ...headers, 'idempotency-key': 'of-a-bound-key' }
      const [first, second] = [
        await stack.post('/v1/batches', { user_ids: [24] }, keyed),
        await stack.post('/v1/batches', { user_ids: [24] }, keyed),
      ]
      expect([first.body['succeeded'], second.body['id']]).toEqual([1, first.body['id']])
      // Nor is anything of it compared with what the key has stored.
      expect((await stack.post('/v1/batches', { user_ids: [21] }, keyed)).status).toBe(403)
    })
  })

  it('of others stands in the audit trail when it is cancelled', async () => {
    const entries = await query<{ action: string }>(stack.databaseUrl, 'SELECT action FROM audit_log')
    const actions = entries.map(({ action }) => action)
    expect(actions).toEqual(expect.arrayContaining(['batch.cancel', 'task.revoke']))
  })
})
