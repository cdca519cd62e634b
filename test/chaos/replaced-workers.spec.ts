import { expect, it } from 'vitest'
import { describeOnBothBrokers } from '../support/brokers.js'
import { readResults } from '../support/csv-batches.js'
import { query, queryNumber } from '../support/query.js'
import { second } from '../support/requests.js'
import { quickRecovery } from '../support/stack.js'
import { useStack } from '../support/use-stack.js'
import { waitFor } from '../support/wait-for.js'
import { workerOf } from '../support/workers.js'

describeOnBothBrokers('chaos', (broker) => {
  const stack = useStack({
    broker,
    workers: 2,
    testModels: true,
    env: { ...quickRecovery, WORKER_CONCURRENCY: '1', TASK_RETRY_DELAY_SECONDS: '0.2' },
  })

  const get = async (path: string) => (await stack.get(path)).body

  it('a batch of 1,000 with 7 % bad rows and two worker kills completes once with 70 errors listed', async () => {
    const isBad = (index: number) => index % 100 < 7
    const rows = Array.from({ length: 1_000 }, (_, index) => index)
    // The first good row keeps the model busy for long enough to be killed twice.
    const lines = rows.map((index) => `${index + 1},${isBad(index) ? 999 : index === 7 ? second : 0}`)
    const csv = ['user_id,mmse_score', ...lines].join('\n')
    const accepted = await stack.post('/v1/batches?model=slow', csv, { 'content-type': 'text/csv' })
    expect(accepted.body).toMatchObject({ total: 1_000, failed: 70, succeeded: 0, completed_at: null })
    const id = String(accepted.body['id'])
    const findChunk = async () => {
      const [chunk] = await query<{ id: string; state: string; worker: string; attempt: number }>(
        stack.databaseUrl,
        'SELECT t.* FROM batch_chunks c JOIN tasks t ON t.id = c.task_id WHERE c.batch_id = $1',
        [id],
      )
      return chunk
    }
    for (const attempt of [1, 2]) {
      const chunk = await waitFor(
        async () => {
          const found = await findChunk()
          return found?.state === 'running' && found.attempt === attempt && found
        },
        { what: `attempt ${attempt} of the chunk`, intervalMs: 20 },
      )
      await workerOf(stack, chunk.worker).kill('SIGKILL')
    }
    await stack.startWorker()
    await stack.startWorker()
    const done = await waitFor(
      async () => {
        const batch = await get(`/v1/batches/${id}`)
        return batch['completed_at'] !== null && batch
      },
      { what: 'the batch to end', timeoutMs: 60_000 },
    )
    expect(done).toMatchObject({ state: 'succeeded', total: 1_000, succeeded: 930, failed: 70, cancelled: 0 })
    const badLines = rows.filter(isBad).map((index) => index + 2)
    expect((done['errors'] as { line: number }[]).map(({ line }) => line)).toEqual(badLines)
    const results = await readResults(stack, id)
    expect(results.map(({ line }) => line)).toEqual(rows.map((index) => index + 2))
    expect(results.filter(({ error }) => error !== null).map(({ line }) => line)).toEqual(badLines)
    const attempts = await query(
      stack.databaseUrl,
      'SELECT task_id = $1 AS is_batch, attempt, outcome FROM task_attempts WHERE task_id IN ($1, $2) ORDER BY 1, 2',
      [id, (await findChunk())?.id],
    )
    expect(attempts).toEqual([
      { is_batch: false, attempt: 1, outcome: 'lost' },
      { is_batch: false, attempt: 2, outcome: 'lost' },
      { is_batch: false, attempt: 3, outcome: 'succeeded' },
      { is_batch: true, attempt: 1, outcome: 'succeeded' },
    ])
    const stored = 'SELECT count(*)::int AS number FROM predictions WHERE batch_id = $1'
    expect(await queryNumber(stack.databaseUrl, stored, [id])).toBe(930)
  })
})
