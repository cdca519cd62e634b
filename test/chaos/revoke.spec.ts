import { expect, it } from 'vitest'
import { describeOnBothBrokers } from '../support/brokers.js'
import { second, slowTask } from '../support/requests.js'
import { quickRecovery } from '../support/stack.js'
import { useStack } from '../support/use-stack.js'

const predict = { name: 'ml.process_prediction', args: { user_id: 123, health_metrics: { mmse_score: 24, age: 72 } } }

describeOnBothBrokers('with every worker down', (broker) => {
  const stack = useStack({
    broker,
    workers: 0,
    testModels: true,
    env: quickRecovery,
  })

  const send = async (body: unknown) => String((await stack.request('POST', '/v1/tasks', body)).body['id'])
  const read = (id: string) => stack.readTask(id)
  const untilState = (id: string, state: string) => stack.untilTask(id, state)

  it('revoke with all workers down: a revoked task never runs, and one past its expiry ends as expired', async () => {
    const revoked = await send(predict)
    const expired = await send({ ...predict, expires: 0.2 })
    const kept = await send(predict)
    await stack.request('POST', `/v1/tasks/${revoked}/revoke`)
    const worker = await stack.startWorker()
    await untilState(kept, 'succeeded')
    await untilState(expired, 'expired')
    expect(await read(revoked)).toMatchObject({ state: 'cancelled', attempt: 0, attempts: [] })
    expect(await read(expired)).toMatchObject({ attempt: 0, error: { code: 'TASK_EXPIRED' } })
    await worker.kill('SIGKILL')
  })

  it('a task that ran when its worker died and was then revoked is not started again', async () => {
    const worker = await stack.startWorker()
    const id = await send(slowTask(10 * second))
    await untilState(id, 'running')
    await worker.kill('SIGKILL')
    await stack.request('POST', `/v1/tasks/${id}/revoke`)
    await stack.startWorker()
    await untilState(id, 'cancelled')
    expect(await read(id)).toMatchObject({ attempt: 1, attempts: [{ outcome: 'lost' }] })
  })
})
