import { expect, it } from 'vitest'
import { describeOnBothBrokers } from '../support/brokers.js'
import { insertKey, query } from '../support/query.js'
import { bearer, second, slowTask, waiting } from '../support/requests.js'
import { useStack } from '../support/use-stack.js'
import { waitFor } from '../support/wait-for.js'

const metrics = { mmse_score: 24, age: 72 }
const predict = { name: 'ml.process_prediction', args: { user_id: 123, health_metrics: metrics } }
/** About ten seconds of work that nothing can interrupt but the death of its process. */
const endless = slowTask(10 * second)

describeOnBothBrokers('revoking', (broker) => {
  const stack = useStack({
    broker,
    testModels: true,
    env: {
      RECONCILE_INTERVAL_SECONDS: '0.5',
      TASK_REVOKE_GRACE_SECONDS: '1',
      TASK_LOCK_SECONDS: '3',
    },
  })

  const send = (body: unknown, headers: Record<string, string> = {}) => stack.post('/v1/tasks', body, headers)
  const stateOf = async (id: unknown) => (await stack.readTask(id))['state']
  const untilState = (id: unknown, state: string, timeoutMs = 20_000) => stack.untilTask(id, state, timeoutMs)

  const revoke = (id: unknown, body: unknown = {}) => stack.request('POST', `/v1/tasks/${String(id)}/revoke`, body)

  it('cancels what is scheduled at once, and it stays cancelled', async () => {
    const { body } = await send({ ...predict, countdown: 1 })
    const revoked = await stack.request('POST', `/v1/tasks/${String(body['id'])}/revoke`)
    expect(revoked.body).toMatchObject({
      state: 'cancelled',
      celery_state: 'REVOKED',
      error: { code: 'TASK_REVOKED' },
    })
    const later = await send({ ...predict, countdown: 2 })
    await untilState(later.body['id'], 'succeeded')
    const { body: task } = await stack.get(`/v1/tasks/${String(body['id'])}`)
    expect(task).toMatchObject({ state: 'cancelled', attempt: 0, attempts: [] })
    expect((await revoke(body['id'])).body['state']).toBe('cancelled')
  })

  it('ends a running task at once, and kills what computes it after the grace', async () => {
    const { body } = await send(endless)
    await untilState(body['id'], 'running')
    const before = stack.listProcesses()
    expect((await revoke(body['id'])).status).toBe(200)
    await untilState(body['id'], 'cancelled')
    await waitFor(() => before.some((pid) => !stack.listProcesses().includes(pid)), {
      what: 'the child to be killed',
    })
    const { body: task } = await stack.get(`/v1/tasks/${String(body['id'])}`)
    expect(task).toMatchObject({ attempt: 1, retries: 0, attempts: [{ outcome: 'cancelled' }] })
    // The pool is whole again.
    expect((await send(predict, waiting)).status).toBe(200)
  })

  it('terminates one of several that compute together: the others are done again without using a retry', async () => {
    // As many as the worker has batches under way: what comes then waits, and is claimed together.
    const blockers = [await send(endless), await send(endless), await send(endless)].map(({ body }) => body['id'])
    for (const id of blockers) await untilState(id, 'running')
    const { args } = slowTask(2 * second)
    const sent = await Promise.all(Array.from({ length: 4 }, () => send({ ...endless, args })))
    const [first, ...others] = sent.map(({ body }) => body['id'])
    for (const id of blockers) await revoke(id, { terminate: true })
    for (const id of [first, ...others]) await untilState(id, 'running')
    await revoke(first, { terminate: true })
    await untilState(first, 'cancelled', 2_000)
    for (const id of others) await untilState(id, 'succeeded', 30_000)
    for (const id of others) {
      const { body: task } = await stack.get(`/v1/tasks/${String(id)}`)
      expect(task).toMatchObject({ state: 'succeeded', retries: 0, crashes: 0 })
      // One that was claimed a moment apart computed by itself and was not touched.
      const outcomes = (task['attempts'] as { outcome: string }[]).map(({ outcome }) => outcome)
      expect(['succeeded', 'released,succeeded']).toContain(outcomes.join())
    }
  })

  it('holds if the message to the worker is lost', async () => {
    const { body } = await send(endless)
    await untilState(body['id'], 'running')
    // What a revoke leaves behind whose notification nobody received.
    await query(stack.databaseUrl, 'UPDATE tasks SET revoke_requested_at = now() WHERE id = $1', [body['id']])
    await untilState(body['id'], 'cancelled', 5_000)
  })

  it('does not touch what has ended', async () => {
    const { body } = await send(predict, waiting)
    const refused = await revoke(body['id'])
    expect([refused.status, refused.body['code']]).toEqual([409, 'TASK_STATE_CONFLICT'])
    expect(await stateOf(body['id'])).toBe('succeeded')
  })

  it('needs an operator', async () => {
    const submitter = await insertKey(stack.databaseUrl, { role: 'submitter' })
    const { body } = await send(predict)
    const refused = await stack.request('POST', `/v1/tasks/${String(body['id'])}/revoke`, {}, bearer(submitter))
    expect([refused.status, refused.body['code']]).toEqual([403, 'ACCESS_ROLE_MISSING'])
  })
})
