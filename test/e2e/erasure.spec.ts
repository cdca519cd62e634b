import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { listBroker } from '../support/broker-contents.js'
import { describeOnBothBrokers } from '../support/brokers.js'
import { readResults } from '../support/csv-batches.js'
import { findInDatabase } from '../support/find-text.js'
import { addForecastModel } from '../support/models-folder.js'
import { insertKey, query, queryNumber } from '../support/query.js'
import { bearer, waiting } from '../support/requests.js'
import { runAsAdmin } from '../support/run-command.js'
import { startStack, type HttpResponse, type Stack } from '../support/stack.js'
import { waitFor } from '../support/wait-for.js'

/** A value that stands nowhere but with this person. */
const canaryOf = (person: number) => Number((1400.620519 + (person % 100)).toFixed(6))
const metricsOf = (person: number) => ({ mmse_score: 24, age: 72, etiv: canaryOf(person) })
const queues = ['batch', 'explanations', 'predictions']

describeOnBothBrokers('erasure', (broker) => {
  let stack: Stack
  let lastPerson = 7_402_918_355_610

  beforeAll(async () => {
    stack = await startStack({
      broker,
      testModels: addForecastModel,
      env: { RECONCILE_INTERVAL_SECONDS: '0.5', TASK_REVOKE_GRACE_SECONDS: '1' },
    })
  })
  afterAll(() => stack.stop())

  afterEach(async () => {
    for (const queue of queues) await stack.post(`/v1/queues/${queue}/resume`)
  })

  const newPerson = () => (lastPerson += 1)
  const accepted = ({ status, body, text }: HttpResponse) => {
    if (status !== 200 && status !== 202) throw new Error(text)
    return body
  }
  const predict = async (person: number, more: object = {}, headers: Record<string, string> = waiting) =>
    accepted(
      await stack.post('/v1/predictions', { user_id: person, health_metrics: metricsOf(person), ...more }, headers),
    )
  const upload = async (body: string, search = '', headers: Record<string, string> = {}) =>
    String(accepted(await stack.post(`/v1/batches${search}`, body, { 'content-type': 'text/csv', ...headers }))['id'])
  const erase = (person: number, headers: Record<string, string> = {}) =>
    stack.request('DELETE', `/v1/users/${person}`, undefined, headers)
  const untilState = (id: unknown, state: string) => stack.untilTask(id, state)
  const find = async (...words: readonly unknown[]) => {
    const texts = words.map(String)
    const held = stack.redis ? await listBroker(stack) : []
    return [
      ...(await findInDatabase(stack.databaseUrl, texts)),
      ...held.filter((text) => texts.some((word) => text.includes(word))),
    ]
  }
  const resultsOf = (id: string) => readResults(stack, id)

  it('leaves nothing of a person in any state of work, and everything of the others', async () => {
    const person = newPerson()
    const [canary, metrics] = [canaryOf(person), metricsOf(person)]
    const done = await predict(person, { explain: true }, { ...waiting, 'idempotency-key': `first-of-${person}` })
    await waitFor(
      async () => (await stack.get(`/v1/predictions/${String(done['id'])}/explanation`)).body['state'] === 'succeeded',
      { what: 'the explanation' },
    )
    await stack.post(`/v1/users/${person}/health-metrics`, { recorded_at: '2025-03-01', health_metrics: metrics })
    const forecast = accepted(await stack.post(`/v1/users/${person}/forecasts`, {}, waiting))
    const finished = await upload(
      `user_id,mmse_score,etiv\n1,24,1500\n${person},24,${canary}\n${person},99,\n2,20,1500\n`,
    )
    await waitFor(async () => (await stack.get(`/v1/batches/${finished}`)).body['state'] === 'succeeded', {
      what: 'a batch',
    })
    const boundKey = await stack.post('/v1/api-keys', { name: 'theirs', role: 'submitter', user_id: person })
    const theirs = bearer(String(boundKey.body['key']))
    const own = await upload(`user_id,mmse_score,etiv\n${person},24,${canary}\n`, '', { ...theirs, ...waiting })

    const schedule = await stack.post('/v1/schedules', {
      name: `of-${person}`,
      task: 'ml.update_forecasts',
      args: { user_id: person },
      interval_seconds: 3600,
    })
    expect(schedule.status).toBe(201)
    const later = await stack.post('/v1/tasks', {
      name: 'ml.process_prediction',
      args: { user_id: person, health_metrics: metrics },
      countdown: 600,
    })
    const again = await stack.post('/v1/tasks', {
      name: 'ml.process_prediction',
      args: { user_id: person, health_metrics: metrics },
      countdown: 600,
    })
    await query(stack.databaseUrl, `UPDATE tasks SET state = 'retrying', retries = 1 WHERE id = $1`, [again.body['id']])
    const running = await predict(person, { health_metrics: { mmse_score: 30 }, model: 'slow' }, {})
    const runningBatch = await upload(`user_id,mmse_score\n3,0\n${person},12\n4,1\n${person},0\n`, '?model=slow')
    const [chunk] = await query<{ task_id: string }>(
      stack.databaseUrl,
      'SELECT task_id FROM batch_chunks WHERE batch_id = $1',
      [runningBatch],
    )
    await untilState(running['task_id'], 'running')
    await untilState(chunk?.task_id, 'running')
    for (const queue of queues) await stack.post(`/v1/queues/${queue}/pause`)
    const queued = await predict(person, {}, {})
    const asked = accepted(await stack.post(`/v1/predictions/${String(queued['id'])}/explanation`))
    const waitingBatch = await upload(`user_id,mmse_score,etiv\n5,24,1500\n${person},24,${canary}\n6,0,1500\n`)
    expect((await find(person)).length).toBeGreaterThan(8)

    const { status, body } = await erase(person)
    expect([status, body['remaining']]).toEqual([200, 0])
    const counts = body['erased'] as Record<string, number>
    // The chunk that was running may have been stored by now; then its rows are predictions.
    expect((counts['predictions'] ?? 0) + (counts['batch_rows'] ?? 0)).toBe(11)
    expect(counts).toEqual({
      predictions: expect.any(Number),
      explanations: 2,
      forecasts: 1,
      health_metrics: 1,
      tasks: 10,
      task_attempts: expect.any(Number),
      batches: 1,
      batch_rows: expect.any(Number),
      schedules: 1,
      api_keys: 1,
    })
    const jobs = [later.body['id'], again.body['id'], queued['task_id'], asked['task_id']]
    expect(await find(person, canary)).toEqual([])
    const kept = /^public\.erased_tasks|memoryguard_queue\.event|:events/
    expect((await find(...jobs)).filter((text) => !kept.test(text))).toEqual([])

    for (const id of [done['id'], running['id'], queued['id'], later.body['prediction_id']]) {
      expect((await stack.get(`/v1/predictions/${String(id)}`)).status).toBe(410)
    }
    expect((await stack.get(`/v1/predictions/${String(done['id'])}/explanation`)).status).toBe(410)
    for (const id of [...jobs, done['task_id'], running['task_id'], forecast['task_id'], own]) {
      const { status: gone, body: problem } = await stack.get(`/v1/tasks/${String(id)}`)
      expect([gone, problem['code']]).toEqual([410, 'RESOURCE_GONE'])
    }
    expect((await stack.get(`/v1/tasks/${String(done['task_id'])}/result`)).status).toBe(410)
    expect((await stack.get(`/v1/batches/${own}`)).status).toBe(410)
    expect((await stack.get(`/v1/users/${person}/forecasts/latest`)).status).toBe(404)
    expect((await stack.get(`/v1/users/${person}/health-metrics`)).body['items']).toEqual([])

    // The others get what they would have got.
    for (const queue of queues) await stack.post(`/v1/queues/${queue}/resume`)
    const rows: Record<string, unknown[]> = {}
    for (const id of [finished, runningBatch, waitingBatch]) {
      await untilState(id, 'succeeded')
      expect((await stack.get(`/v1/batches/${id}`)).body).toMatchObject({
        total: 2,
        succeeded: 2,
        failed: 0,
        percent: 100,
        errors: [],
      })
      rows[id] = (await resultsOf(id)).map(({ user_id, line }) => [user_id, line])
    }
    expect(rows).toEqual({
      [finished]: [
        [1, 2],
        [2, 5],
      ],
      [runningBatch]: [
        [3, 2],
        [4, 4],
      ],
      [waitingBatch]: [
        [5, 2],
        [6, 4],
      ],
    })
    const alone = await predict(5, { health_metrics: { mmse_score: 24, etiv: 1500 } })
    expect((await resultsOf(waitingBatch))[0]?.['risk_score']).toBe(alone['risk_score'])

    // What ran has ended by now, and has left nothing either.
    await waitFor(
      async () => {
        const { body: listed } = await stack.get('/v1/queues')
        return (listed['items'] as { broker: { active: number } }[]).every((queue) => queue.broker.active === 0)
      },
      { what: 'the workers to be idle' },
    )
    expect(await find(person, canary)).toEqual([])

    const entries = (await stack.get('/v1/audit')).body['items'] as { action: string }[]
    const entry = entries.find(({ action }) => action === 'user.erase')
    expect(entry).toMatchObject({
      action: 'user.erase',
      target: body['pseudonym'],
      details: { erased: body['erased'] },
    })
    expect(body['pseudonym']).toMatch(/^person-[0-9a-f]{32}$/)

    // The same person is a new one.
    const next = await predict(person, {}, { ...waiting, 'idempotency-key': `first-of-${person}` })
    expect([next['state'], next['id'] === done['id']]).toEqual(['succeeded', false])
    expect((await erase(person)).body).toMatchObject({
      pseudonym: body['pseudonym'],
      erased: { predictions: 1, tasks: 1, health_metrics: 0 },
    })
  })

  it('takes a submission that comes meanwhile as a whole or not at all', async () => {
    const person = newPerson()
    const submitted = Promise.all(
      Array.from({ length: 60 }, async (_, index) => {
        const { id, task_id } = await predict(person, { explain: index % 2 === 0 }, {})
        await stack.post(`/v1/predictions/${String(id)}/explanation`)
        return { id: Number(id), task_id: String(task_id) }
      }),
    )
    const erasures = [await erase(person), await erase(person), await erase(person)]
    expect(erasures.map(({ status }) => status)).toEqual([200, 200, 200])
    const all = await submitted
    const kept = async () => {
      const rows = await query<{ id: string; task_id: string }>(
        stack.databaseUrl,
        `SELECT p.id, p.task_id FROM predictions p WHERE p.user_id = $1`,
        [person],
      )
      return rows.map(({ id, task_id }) => ({ id: Number(id), task_id }))
    }
    const left = await kept()
    for (const one of all) {
      const isLeft = left.some(({ id }) => id === one.id)
      expect((await stack.get(`/v1/predictions/${one.id}`)).status).toBe(isLeft ? 200 : 410)
      expect((await stack.get(`/v1/tasks/${one.task_id}`)).status).toBe(isLeft ? 200 : 410)
      if (isLeft) await untilState(one.task_id, 'succeeded')
    }
    const orphans = await queryNumber(
      stack.databaseUrl,
      `SELECT count(*)::int AS number FROM tasks t WHERE user_id = $1 AND prediction_id IS NOT NULL
         AND NOT EXISTS (SELECT 1 FROM predictions p WHERE p.id = t.prediction_id)`,
      [person],
    )
    expect(orphans).toBe(0)
    await erase(person)
    expect(await find(person)).toEqual([])
    expect(
      await queryNumber(
        stack.databaseUrl,
        `SELECT (SELECT count(*) FROM task_attempts a WHERE NOT EXISTS (SELECT 1 FROM tasks t WHERE t.id = a.task_id))::int
           + (SELECT count(*) FROM explanations e
              WHERE NOT EXISTS (SELECT 1 FROM predictions p WHERE p.id = e.prediction_id))::int AS number`,
      ),
    ).toBe(0)
  })

  describe('is asked for', () => {
    it('by operators, and by keys of the person', async () => {
      const person = newPerson()
      await predict(person)
      for (const options of [
        { role: 'viewer', userId: person },
        { role: 'submitter' },
        { role: 'submitter', userId: 1 },
      ] as const) {
        const key = await insertKey(stack.databaseUrl, options)
        expect((await erase(person, bearer(key))).body['code']).toBe('ACCESS_ROLE_MISSING')
      }
      const own = await insertKey(stack.databaseUrl, { role: 'submitter', userId: person })
      const { status, body } = await erase(person, bearer(own))
      expect([status, body['erased']]).toMatchObject([200, { predictions: 1, api_keys: 2 }])
      expect((await erase(person, bearer(own))).status).toBe(401)
      const operator = await insertKey(stack.databaseUrl, { role: 'operator' })
      expect((await erase(person, bearer(operator))).body).toMatchObject({ erased: { predictions: 0 }, remaining: 0 })
    })

    it('from the command line, which wants to be sure', async () => {
      const person = newPerson()
      await predict(person)
      const run = async (...args: readonly string[]) => {
        const { code, out, err } = await runAsAdmin(stack, 'users', 'erase', ...args)
        return { code, text: out + err }
      }
      expect(await run(String(person))).toMatchObject({ code: 1, text: expect.stringContaining('--yes') })
      const erased = await run(String(person), '--yes', '--json')
      expect([erased.code, JSON.parse(erased.text)]).toMatchObject([0, { erased: { predictions: 1, tasks: 1 } }])
      expect((await run(String(person), '--yes')).text).toContain('The audit trail knows the person as person-')
      expect((await run('nobody', '--yes')).code).toBe(1)
    })

    it('of a person by number', async () => {
      expect((await stack.request('DELETE', '/v1/users/nobody')).status).toBe(422)
    })
  })
})
