import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { describeOnBothBrokers } from '../support/brokers.js'
import { batchIdOf, csvOf, csvHeader, goodRow, readResults, uploadCsv } from '../support/csv-batches.js'
import { query, queryNumber } from '../support/query.js'
import { waiting } from '../support/requests.js'
import { runAsAdmin } from '../support/run-command.js'
import { quickRecovery } from '../support/stack.js'
import { useStack } from '../support/use-stack.js'
import { waitFor } from '../support/wait-for.js'

describeOnBothBrokers('a batch', (broker) => {
  const stack = useStack({
    broker,
    workers: 2,
    testModels: true,
    env: { ...quickRecovery, TASK_RETRY_DELAY_SECONDS: '1' },
  })

  const upload = (body: string, headers: Record<string, string> = {}, search = '') =>
    uploadCsv(stack, body, headers, search)
  const idOf = batchIdOf
  const resultsOf = (id: string) => readResults(stack, id)
  const untilEnded = (id: string) =>
    waitFor(
      async () => {
        const { body } = await stack.get(`/v1/batches/${id}`)
        return body['completed_at'] !== null && body
      },
      { what: 'the batch to end', timeoutMs: 60_000, intervalMs: 100 },
    )
  const chunkTasks = (id: string) =>
    query<{ id: string; state: string; worker: string | null; attempt: number }>(
      stack.databaseUrl,
      `SELECT t.id, t.state, t.worker, t.attempt FROM batch_chunks c JOIN tasks t ON t.id = c.task_id
       WHERE c.batch_id = $1 ORDER BY c.chunk`,
      [id],
    )
  /** Kills the worker that computes a chunk now, and starts another in its place. */
  const killWorkerOf = async (id: string, attempt: number) => {
    const { worker } = await waitFor(
      async () => (await chunkTasks(id)).find((task) => task.state === 'running' && task.attempt === attempt),
      { what: `attempt ${attempt} of a chunk`, timeoutMs: 30_000, intervalMs: 20 },
    )
    const index = Number(/\d+/.exec(worker ?? '')?.[0]) - 1
    await stack.workers[index]?.kill('SIGKILL')
    await stack.startWorker()
  }
  it('comes back with a result or an error for each row, in the order of the input', async () => {
    const { status, headers, body } = await upload(
      `${csvHeader}11,24,72\n12,99,72\n13,,80\n\nx,24,72\n14,"24","72"\n15,24\n`,
      waiting,
    )
    expect(status).toBe(200)
    expect(headers.get('location')).toBe(`/v1/batches/${String(body['id'])}`)
    expect(headers.get('preference-applied')).toBe('wait=20')
    expect(body).toMatchObject({
      task_id: body['id'],
      state: 'succeeded',
      celery_state: 'SUCCESS',
      model: { name: 'impairment-screen', version: '1' },
      total: 6,
      succeeded: 3,
      failed: 3,
      cancelled: 0,
      percent: 100,
      eta_seconds: 0,
      errors: [
        { line: 3, user_id: 12, code: 'MODEL_INPUT_INVALID' },
        { line: 6, user_id: null, code: 'REQUEST_INVALID' },
        { line: 8, user_id: null, message: 'has 2 fields, and the header has 3' },
      ],
      disclaimer: expect.stringContaining('Decision support, not diagnosis'),
    })
    const id = String(body['id'])
    const rows = await resultsOf(id)
    expect(rows.map(({ line, user_id }) => [line, user_id])).toEqual([
      [2, 11],
      [3, 12],
      [4, 13],
      [6, null],
      [7, 14],
      [8, null],
    ])
    const [first] = rows
    const alone = await stack.request(
      'POST',
      '/v1/predictions',
      { user_id: 11, health_metrics: { mmse_score: 24, age: 72 } },
      waiting,
    )
    const { lower, upper } = alone.body['confidence_interval'] as { lower: number; upper: number }
    const { risk_score, risk_category } = alone.body
    expect(risk_category).toBe('very_high')
    expect(first).toMatchObject({ risk_score, risk_category, lower, upper, error: null })
    expect(rows[4]?.['risk_score']).toBe(first?.['risk_score'])

    const csv = await stack.get(`/v1/batches/${id}/results?format=csv`)
    expect(csv.headers.get('content-type')).toMatch(/^text\/csv/)
    const lines = csv.text.trimEnd().split('\n')
    expect(lines).toHaveLength(7)
    expect(lines[0]).toBe('line,user_id,prediction_id,risk_score,risk_category,lower,upper,error')
    expect(lines[1]).toBe(
      [
        2,
        11,
        first?.['prediction_id'],
        first?.['risk_score'],
        'very_high',
        first?.['lower'],
        first?.['upper'],
        '',
      ].join(','),
    )
    expect(lines[6]).toBe('8,,,,,,,"has 2 fields, and the header has 3"')

    const predictions = await stack.get(`/v1/predictions?batch_id=${id}`)
    expect(predictions.body['items']).toMatchObject([
      { user_id: 14, batch_id: id, state: 'succeeded' },
      { user_id: 13, batch_id: id, missing_features: expect.arrayContaining(['mmse_score']) },
      { id: first?.['prediction_id'], user_id: 11, batch_id: id, input_features: { mmse_score: 24, age: 72 } },
    ])
    const result = await stack.get(`/v1/tasks/${id}/result`)
    expect(result.body).toMatchObject({
      state: 'succeeded',
      result: { batch_id: id, total: 6, succeeded: 3, failed: 3, cancelled: 0 },
    })
  })

  it('may be JSON in either form, or NDJSON', async () => {
    const metrics = { mmse_score: 24, age: 72 }
    const items = await stack.request(
      'POST',
      '/v1/batches',
      { items: [{ user_id: 1, health_metrics: metrics }, { user_id: 2 }, { user_id: 3, health_metrics: metrics }] },
      waiting,
    )
    expect(items.body).toMatchObject({ total: 3, succeeded: 2, errors: [{ line: 2, user_id: 2 }] })
    const lists = { user_ids: [1, -2, 3], health_metrics_list: [metrics, metrics, { mmse_score: '24' }] }
    const pair = await stack.request('POST', '/v1/batches', lists, waiting)
    expect(pair.body).toMatchObject({ total: 3, succeeded: 1, errors: [{ line: 2 }, { line: 3 }] })
    const lines = `${JSON.stringify({ user_id: 5, health_metrics: { mmse_score: 0 } })}\n{"user_id": 6\n`
    const ndjson = await stack.request('POST', '/v1/batches?model=slow', lines, {
      'content-type': 'application/x-ndjson',
      ...waiting,
    })
    expect(ndjson.body).toMatchObject({
      model: { name: 'slow' },
      total: 2,
      succeeded: 1,
      errors: [{ line: 2, message: 'is no JSON' }],
    })
  })

  it('that lost a worker does again only what was unfinished', async () => {
    const body = csvOf(3_000, (index) => `${index + 1},${index === 1_500 ? 3 : 0},`)
    const id = idOf(await upload(body, {}, '?model=slow'))
    await waitFor(async () => (await chunkTasks(id)).filter(({ state }) => state === 'succeeded').length === 2, {
      what: 'the quick chunks',
      intervalMs: 20,
    })
    await killWorkerOf(id, 1)
    expect(await untilEnded(id)).toMatchObject({ state: 'succeeded', succeeded: 3_000, failed: 0 })
    expect((await chunkTasks(id)).map(({ attempt }) => attempt)).toEqual([1, 2, 1])
  })

  it('is cancelled with what it has not done, and keeps what it has', async () => {
    const body = csvOf(3_000, (index) => `${index + 1},${index % 1_000 === 500 && index > 1_000 ? 3 : 0},`)
    const id = idOf(await upload(body, {}, '?model=slow'))
    await waitFor(async () => (await chunkTasks(id))[0]?.state === 'succeeded', { what: 'the first chunk' })
    const cancelled = await stack.request('DELETE', `/v1/batches/${id}`)
    expect(cancelled.status).toBe(200)
    expect(cancelled.body).toMatchObject({
      state: 'cancelled',
      celery_state: 'REVOKED',
      succeeded: 1_000,
      cancelled: 2_000,
      percent: 100,
    })
    const rows = await resultsOf(id)
    expect(rows).toHaveLength(3_000)
    expect(rows.filter(({ error }) => error === 'The batch was cancelled before this row.')).toHaveLength(2_000)
    // Twice is once; and a chunk that was under way stores nothing.
    expect((await stack.request('DELETE', `/v1/batches/${id}`)).status).toBe(200)
    await waitFor(
      async () =>
        (
          await stack.request(
            'POST',
            '/v1/batches',
            { items: [{ user_id: 1, health_metrics: { mmse_score: 1 } }], model: 'slow' },
            waiting,
          )
        ).status === 200,
      { what: 'the workers to be free again', timeoutMs: 60_000 },
    )
    expect((await stack.get(`/v1/batches/${id}`)).body).toMatchObject({ state: 'cancelled', succeeded: 1_000 })
    const conflict = await stack.request('DELETE', `/v1/batches/${idOf(await upload(csvOf(1, goodRow), waiting))}`)
    expect(conflict.status).toBe(409)
  })

  it('is made once for an idempotency key', async () => {
    const headers = { 'idempotency-key': 'batch-once' }
    const body = csvOf(5, goodRow)
    const responses = await Promise.all(Array.from({ length: 5 }, () => upload(body, headers)))
    expect(new Set(responses.map(idOf)).size).toBe(1)
    const other = await upload(csvOf(6, goodRow), headers)
    expect([other.status, other.body['code']]).toEqual([422, 'IDEMPOTENCY_KEY_REUSED'])
    const left = 'SELECT count(*)::int AS number FROM batches WHERE accepted_at IS NULL'
    expect(await queryNumber(stack.databaseUrl, left)).toBe(0)
  })

  it('of a file is computed from the command line, which fails if rows failed', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'memoryguard-batch-'))
    const runCli = async (file: string, text: string, ...more: readonly string[]) => {
      writeFileSync(join(folder, file), text)
      return runAsAdmin(stack, 'batch', join(folder, file), ...more)
    }
    try {
      const out = join(folder, 'results.csv')
      const partial = await runCli('people.csv', `${csvOf(2_100, goodRow)}x,1,70\n`, '--out', out)
      expect(partial.code).toBe(1)
      expect(partial.out).toContain('succeeded. 2101 rows: 2100 succeeded, 1 failed, 0 cancelled.')
      expect(partial.out).toContain('Decision support, not diagnosis.')
      expect(partial.err).toContain('Uploading 100 %')
      expect(partial.err).toContain('line 2102: user_id must be a positive integer')
      const lines = readFileSync(out, 'utf8').trimEnd().split('\n')
      expect(lines).toHaveLength(2_102)
      expect(lines.slice(1).map((line) => Number(line.split(',')[0]))).toEqual(
        Array.from({ length: 2_101 }, (_, index) => index + 2),
      )
      const items = `${JSON.stringify({ user_id: 1, health_metrics: { mmse_score: 0 } })}\n`
      const whole = await runCli('people.ndjson', items, '--model', 'slow', '--json')
      expect(whole.code).toBe(0)
      expect(JSON.parse(whole.out)).toMatchObject({ state: 'succeeded', model: { name: 'slow' }, succeeded: 1 })
      const refused = await runCli('empty.csv', '')
      expect([refused.code, refused.err.trim()]).toEqual([1, expect.stringContaining('The batch has no rows.')])
    } finally {
      rmSync(folder, { recursive: true })
    }
  })

  it('stands in pages, newest first', async () => {
    const newest = idOf(await upload(csvOf(1, goodRow), waiting))
    const first = await stack.get('/v1/batches?limit=2')
    const items = first.body['items'] as Record<string, unknown>[]
    expect(items[0]).toMatchObject({ id: newest, state: 'succeeded', succeeded: 1 })
    const second = await stack.get(`/v1/batches?limit=2&cursor=${String(first.body['next_cursor'])}`)
    const more = second.body['items'] as Record<string, unknown>[]
    expect(more).toHaveLength(2)
    expect(String(more[0]?.['id']) < String(items[1]?.['id'])).toBe(true)
  })
})
