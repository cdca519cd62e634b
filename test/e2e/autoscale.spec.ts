import { expect, it } from 'vitest'
import { describeOnBothBrokers } from '../support/brokers.js'
import { second, slowly } from '../support/requests.js'
import { useStack } from '../support/use-stack.js'
import { waitFor } from '../support/wait-for.js'

describeOnBothBrokers('a worker with --autoscale 3,1', (broker) => {
  const stack = useStack({
    broker,
    testModels: true,
    env: { WORKER_AUTOSCALE: '3,1', WORKER_AUTOSCALE_IDLE_SECONDS: '1' },
  })

  const readWorker = async () => (await stack.request('GET', '/v1/workers/worker1@test')).body
  const countChildren = () => stack.listProcesses().length - 2

  it('has more children while work waits, never more than the most, and the fewest afterwards', async () => {
    expect(await readWorker()).toMatchObject({ concurrency: 1, stats: { autoscale_max: 3, autoscale_min: 1 } })
    expect(countChildren()).toBe(1)
    const tasks: string[] = []
    let most = 0
    const submitOne = async () => {
      const body = slowly(2 * second)
      tasks.push(String((await stack.request('POST', '/v1/predictions', body)).body['task_id']))
      most = Math.max(most, countChildren())
      return most >= 3
    }
    await waitFor(submitOne, { what: 'three children', intervalMs: 100, timeoutMs: 60_000 })
    await waitFor(async () => Number((await readWorker())['concurrency']) === 3, {
      what: 'the heartbeat to report it',
    })
    expect(most).toBe(3)
    for (const id of tasks) await stack.request('POST', `/v1/tasks/${id}/revoke`, { terminate: true })
    await waitFor(() => countChildren() === 1, { what: 'the surplus children to end', timeoutMs: 60_000 })
    await waitFor(async () => Number((await readWorker())['concurrency']) === 1, {
      what: 'the heartbeat to report it',
    })
    const { status } = await stack.request(
      'POST',
      '/v1/predictions',
      { user_id: 1, health_metrics: { mmse_score: 24, age: 72 } },
      { prefer: 'wait=20' },
    )
    expect(status).toBe(200)
  })
})
