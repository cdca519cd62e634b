import { randomUUID } from 'node:crypto'
import { expect, it } from 'vitest'
import { readBroker } from '../support/broker-contents.js'
import { describeOnBothBrokers } from '../support/brokers.js'
import { isAlive, parentOf } from '../support/process-list.js'
import { query, queryNumber } from '../support/query.js'
import { second, slowly } from '../support/requests.js'
import { quickRecovery, type WorkerProgram } from '../support/stack.js'
import { addThrowingModel } from '../support/throwing-model.js'
import { useStack } from '../support/use-stack.js'
import { waitFor } from '../support/wait-for.js'
import { startReceiver } from '../support/webhook-receiver.js'
import { readAttempts, runningWorkers, toAttempts, workerOf } from '../support/workers.js'

/** Values of a person that must stand in no other place than their row. */
const canaryAge = 71.357913
const canaryPoints = 7_135_791
const canaryWord = 'canary-word'

const quick = { user_id: 1, health_metrics: { mmse_score: 24, age: 72 } }

const addThrowingModels = (folder: string): void => {
  addThrowingModel(folder)
  addThrowingModel(folder, 'unready', 0.25)
}

describeOnBothBrokers('chaos', (broker) => {
  const stack = useStack({
    broker,
    workers: 2,
    logs: 'keep',
    testModels: addThrowingModels,
    env: {
      ...quickRecovery,
      LOG_LEVEL: 'trace',
      WORKER_CONCURRENCY: '1',
      TASK_RETRY_DELAY_SECONDS: '0.2',
      WEBHOOK_ALLOW_PRIVATE_ADDRESSES: 'true',
    },
  })

  const get = async (path: string) => (await stack.get(path)).body
  const submit = async (body: unknown) => String((await stack.post('/v1/predictions', body)).body['task_id'])
  const read = (id: string) => readAttempts(stack, id)
  const untilState = async (id: string, state: string) => toAttempts(await stack.untilTask(id, state, 60_000))
  const childrenOf = (worker: WorkerProgram) => stack.listProcesses().filter((pid) => parentOf(pid) === worker.pid)
  const metricsOf = async ({ healthUrl }: WorkerProgram) => (await fetch(`${healthUrl}/metrics`)).text()

  /** A prediction that fails, as it stands then, and the states that a webhook received of it. */
  const fail = async (model: string) => {
    const receiver = await startReceiver()
    const hook = await stack.post('/v1/webhooks', { url: `${receiver.url}/hook` })
    const deliveries = `/v1/webhooks/${String(hook.body['id'])}/deliveries`
    const id = await submit({ user_id: 1, health_metrics: { load_points: canaryPoints }, model })
    const task = await untilState(id, 'failed')
    await waitFor(
      async () => ((await get(deliveries))['items'] as { state: string }[]).some((each) => each.state === 'delivered'),
      { what: 'the delivery' },
    )
    await stack.request('DELETE', `/v1/webhooks/${String(hook.body['id'])}`)
    await receiver.close()
    expect(receiver.messages.map(({ body }) => body.data['task_id'])).toEqual([id])
    return { task, sent: receiver.messages.map(({ body }) => body.data['state']) }
  }

  it('a child that ignores signals is killed at the hard limit, and the next job runs', async () => {
    const hardSeconds = 1
    for (const name of ['worker1@test', 'worker2@test']) {
      await stack.post(`/v1/workers/${name}/time-limit`, { task: 'ml.process_prediction', soft: 60, hard: hardSeconds })
    }
    const id = await submit(slowly(10 * second))
    const worker = workerOf(stack, (await untilState(id, 'running')).worker)
    const [child = 0] = childrenOf(worker)
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.kill(child, signal)
    const next = await submit(quick)
    const [attempt] = (await untilState(id, 'timed_out')).attempts
    const seconds = (Date.parse(attempt?.ended_at ?? '') - Date.parse(attempt?.started_at ?? '')) / 1000
    expect(seconds).toBeGreaterThanOrEqual(hardSeconds)
    expect(attempt?.error?.code).toBe('TASK_HARD_TIME_LIMIT')
    await waitFor(() => !isAlive(child), { what: 'the child to be gone' })
    await untilState(next, 'succeeded')
    for (const name of ['worker1@test', 'worker2@test']) {
      await stack.post(`/v1/workers/${name}/time-limit`, { task: 'ml.process_prediction', soft: 1500, hard: 1800 })
    }
    // Also the worker whose child died goes on.
    await waitFor(() => childrenOf(worker).length === 1, { what: 'a new child' })
  })

  it('SIGSTOP past the lock then SIGCONT writes one result and the loser is fenced', async () => {
    const id = await submit(slowly(second))
    const loser = workerOf(stack, (await untilState(id, 'running')).worker)
    const counted = 'memoryguard_batch_run_seconds_count{task="ml.process_prediction"}'
    process.kill(loser.pid, 'SIGSTOP')
    let stored: object[]
    const readStored = () =>
      query(
        stack.databaseUrl,
        `SELECT t.*, p.risk_score, p.attempt AS written_by FROM tasks t JOIN predictions p ON p.task_id = t.id
         WHERE t.id = $1`,
        [id],
      )
    try {
      const task = await untilState(id, 'succeeded')
      expect(task.attempts.map(({ outcome }) => outcome)).toEqual(['lost', 'succeeded'])
      expect(workerOf(stack, task.worker)).not.toBe(loser)
      stored = await readStored()
    } finally {
      process.kill(loser.pid, 'SIGCONT')
    }
    const countOf = async () => Number((await metricsOf(loser)).split(`${counted} `)[1]?.split('\n')[0] ?? 0)
    await waitFor(async () => (await countOf()) > 0, { what: 'the loser to have done with it' })
    expect(stored).toMatchObject([{ risk_score: 0.5, written_by: 2, attempt: 2 }])
    expect(await readStored()).toEqual(stored)
    expect((await read(id)).attempts.map(({ outcome }) => outcome)).toEqual(['lost', 'succeeded'])
  })

  it('what may pass gives exactly 3 retries, failed, its reason and one webhook', async () => {
    const { task, sent } = await fail('unready')
    expect(task).toMatchObject({
      retries: 3,
      crashes: 0,
      attempt: 4,
      error: {
        code: 'MODEL_NOT_READY',
        message: expect.stringContaining('The model unready@1 is not ready on this worker: golden.json'),
      },
    })
    expect(task.attempts.map(({ outcome }) => outcome)).toEqual(['retried', 'retried', 'retried', 'failed'])
    expect(sent).toEqual(['failed'])
    // Each waited for its delay of 0.2 s +- 10 %.
    const starts = task.attempts.map(({ started_at: at }) => Date.parse(at))
    const ends = task.attempts.map(({ ended_at: at }) => Date.parse(at))
    expect(starts.slice(1).every((start, index) => start - (ends[index] ?? 0) >= 175)).toBe(true)
  })

  it('D3: a graph that fails is not tried again: it would fail again; one webhook is sent', async () => {
    const { task, sent } = await fail('throwing')
    expect(task).toMatchObject({
      retries: 0,
      crashes: 0,
      attempt: 1,
      error: { code: 'MODEL_OUTPUT_INVALID', message: 'The model throwing@1 failed.' },
    })
    expect(task.attempts.map(({ outcome }) => outcome)).toEqual(['failed'])
    expect(sent).toEqual(['failed'])
  })

  it('50 parallel posts with one idempotency key make one task', async () => {
    const count = () => queryNumber(stack.databaseUrl, 'SELECT count(*)::int AS number FROM tasks')
    const before = await count()
    const key = { 'idempotency-key': randomUUID() }
    const responses = await Promise.all(Array.from({ length: 50 }, () => stack.post('/v1/predictions', quick, key)))
    expect(responses.filter(({ status }) => status !== 202 && status !== 200)).toEqual([])
    expect(new Set(responses.map(({ body }) => body['id'])).size).toBe(1)
    expect(new Set(responses.map(({ body }) => body['task_id'])).size).toBe(1)
    expect(await count()).toBe(before + 1)
  })

  it('a canary in the health metrics appears in no queue, log, metric, trace or error', async () => {
    const canaries = [String(canaryAge), String(canaryPoints), canaryWord]
    const metrics = { mmse_score: 24, age: canaryAge }
    const texts: string[] = []
    const keep = async (response: Promise<{ text: string }>) => {
      const { text } = await response
      texts.push(text)
    }
    for (const queue of ['predictions', 'explanations', 'batch']) await stack.post(`/v1/queues/${queue}/pause`)
    const submitted = await stack.post('/v1/predictions', { user_id: 5, health_metrics: metrics, explain: true })
    const failing = await submit({ user_id: 5, health_metrics: { load_points: canaryPoints }, model: 'throwing' })
    const csv = `user_id,mmse_score,age\n1,24,${canaryAge}\n2,24,${canaryWord}\n3,${canaryPoints},70`
    const batch = await stack.post('/v1/batches', csv, { 'content-type': 'text/csv' })
    await stack.post('/v1/tasks', {
      name: 'ml.process_prediction',
      args: { user_id: 5, health_metrics: metrics },
      countdown: 60,
    })
    await keep(stack.post('/v1/predictions', { user_id: 5, health_metrics: { ...metrics, colour: canaryWord } }))
    await keep(
      stack.post('/v1/predictions', { user_id: 5, health_metrics: { mmse_score: canaryPoints, age: canaryAge } }),
    )
    await keep(stack.post('/v1/predictions', { user_id: canaryWord, health_metrics: metrics }))
    const ids = [String(submitted.body['task_id']), failing]
    const held = await waitFor(
      async () => {
        const text = await readBroker(stack)
        return ids.every((id) => text.includes(id)) && text
      },
      { what: 'the jobs to wait' },
    )
    texts.push(held)
    for (const queue of ['predictions', 'explanations', 'batch']) await stack.post(`/v1/queues/${queue}/resume`)
    await untilState(ids[0] ?? '', 'succeeded')
    await untilState(failing, 'failed')
    await waitFor(async () => (await get(`/v1/batches/${String(batch.body['id'])}`))['completed_at'], {
      what: 'the batch',
    })
    const explanation = `/v1/predictions/${String(submitted.body['id'])}/explanation`
    await waitFor(async () => (await get(explanation))['state'] === 'succeeded', { what: 'the explanation' })
    texts.push(await readBroker(stack))
    for (const id of ids) for (const more of ['', '/result']) await keep(stack.request('GET', `/v1/tasks/${id}${more}`))
    await keep(stack.request('GET', `/v1/batches/${String(batch.body['id'])}`))
    await keep(stack.request('GET', '/metrics'))
    for (const worker of runningWorkers(stack)) texts.push(await metricsOf(worker))
    texts.push(stack.readLogs())
    const kept = await query<{ text: string }>(
      stack.databaseUrl,
      `SELECT (t.args, t.result, t.error_message)::text AS text FROM tasks t
       UNION ALL SELECT a::text FROM task_attempts a UNION ALL SELECT w::text FROM workers w`,
    )
    texts.push(...kept.map(({ text }) => text))
    // The searches could fail: the values stand where they belong.
    const own = await query<{ text: string }>(stack.databaseUrl, 'SELECT health_metrics::text AS text FROM predictions')
    expect(own.some(({ text }) => text.includes(String(canaryAge)))).toBe(true)
    expect(own.some(({ text }) => text.includes(String(canaryPoints)))).toBe(true)
    const found = canaries.flatMap((canary) =>
      texts
        .filter((text) => text.includes(canary))
        .map((text) => {
          const at = text.indexOf(canary)
          return text.slice(Math.max(0, at - 200), at + 60)
        }),
    )
    expect(found).toEqual([])
  })
})
