import { queueNames } from '#libs/platform'
import { Queue, Worker } from 'bullmq'
import { Redis } from 'ioredis'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { newPrediction } from '../support/new-prediction.js'
import { query } from '../support/query.js'
import { hasRedis } from '../support/redis-server.js'
import { enqueueable, startTestBroker, taskIdsOf, type TestBroker } from '../support/test-broker.js'
import { waitFor } from '../support/wait-for.js'

describe.runIf(hasRedis())('queues that an older version kept under one prefix', () => {
  let test: TestBroker
  let client: Redis
  beforeAll(async () => {
    test = await startTestBroker('redis')
    client = new Redis(test.redis?.url ?? '')
  })
  afterAll(async () => {
    await test.reset()
    await client.quit()
    await test.stop()
  })

  it('stay while a worker of that version lives, and then go; their tasks are enqueued again, each once', async () => {
    const connection = { host: '127.0.0.1', port: test.redis?.port ?? 0, maxRetriesPerRequest: null }
    const options = { connection, prefix: '{memoryguard}' }
    const older = new Queue('predictions', options)
    const olderWorker = new Worker('forecasts', async () => undefined, { ...options, stalledInterval: 1_000 })
    const rows = Array.from({ length: 20 }, () => newPrediction({}))
    await test.predictions.submit(rows)
    const ids = rows.map(({ taskId }) => taskId)
    await query(
      test.database.url,
      `UPDATE tasks SET created_at = created_at - interval '10 s', available_at = available_at - interval '10 s'
       WHERE id <> $1`,
      [ids[0]],
    )
    for (const id of ids.slice(0, 15)) {
      await older.add('ml.process_prediction', { task_ids: [id], attempt: 1 }, { jobId: `task-${id}-1` })
    }
    await older.pause()
    await client.set('{memoryguardian}:predictions:wait', 'of another program')
    await client.set('unrelated', 'of another program')
    // Both versions enqueue during a rolling update; whichever worker claims a task first runs it.
    await test.broker.add([enqueueable({ taskId: ids[0] ?? '' })])
    await waitFor(() => client.exists('{memoryguard}:forecasts:stalled-check'), { what: 'the older worker to live' })

    const reconciler = test.createReconciler()
    expect(await reconciler.run(queueNames)).toBe(19)
    expect(await client.exists('{memoryguard}:predictions:wait', '{memoryguard}:predictions:meta')).toBe(2)

    await olderWorker.close()
    await older.close()
    await waitFor(
      async () => {
        expect(await reconciler.run(queueNames)).toBe(0)
        return (await client.keys('{memoryguard}*')).length === 0
      },
      { what: 'the older queues to go' },
    )
    expect(await client.exists('{memoryguardian}:predictions:wait', 'unrelated')).toBe(2)
    const seen = test.consume()
    await waitFor(() => taskIdsOf(seen).length >= ids.length, { what: 'every job' })
    expect(taskIdsOf(seen).sort()).toEqual(ids.toSorted())
  })
})
