import { rmSync } from 'node:fs'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { describeOnBothBrokers } from '../support/brokers.js'
import { makeModelsFolder } from '../support/models-folder.js'
import { insertKey, query, queryNumber } from '../support/query.js'
import { example, waiting } from '../support/requests.js'
import { startStack, type HttpResponse, type Stack } from '../support/stack.js'
import { waitFor } from '../support/wait-for.js'

interface Contribution {
  readonly feature: string
  readonly value: number | null
  readonly contribution: number
  readonly standard_error?: number
}

const logistic = (x: number): number => 1 / (1 + Math.exp(-x))

const contributionsOf = ({ body }: HttpResponse) => body['contributions'] as Contribution[]

/** Contributions and base value add up to the output. */
const expectToAddUp = (response: HttpResponse): void => {
  const { base_value: base, output } = response.body as { base_value: number; output: number }
  const sum = contributionsOf(response).reduce((total, { contribution }) => total + contribution, base)
  expect(Math.abs(sum - output)).toBeLessThan(1e-9)
}

describeOnBothBrokers('an explanation', (broker) => {
  let stack: Stack
  let models: string

  beforeAll(async () => {
    models = makeModelsFolder({ withSamples: true })
    stack = await startStack({ broker, logs: 'keep', env: { MODELS_DIR: models } })
  })
  afterAll(async () => {
    await stack.stop()
    rmSync(models, { recursive: true })
  })

  const predict = (body: object, headers: Record<string, string> = waiting) =>
    stack.request('POST', '/v1/predictions', body, headers)
  const ask = (id: unknown, headers: Record<string, string> = {}, output = '') =>
    stack.request('POST', `/v1/predictions/${String(id)}/explanation${output}`, undefined, headers)
  const read = (id: unknown, headers: Record<string, string> = {}, output = '') =>
    stack.request('GET', `/v1/predictions/${String(id)}/explanation${output}`, undefined, headers)
  const untilFinished = (id: unknown) =>
    waitFor(
      async () => {
        const response = await read(id)
        return !['queued', 'running', 'retrying'].includes(String(response.body['state'])) && response
      },
      { what: 'the explanation' },
    )

  it('says how much each input moved the output, missing ones among them, and adds up to it', async () => {
    const prediction = await predict(example)
    const { id } = prediction.body
    const response = await ask(id, waiting)
    expect(response.status).toBe(200)
    expect(response.headers.get('location')).toBe(`/v1/predictions/${String(id)}/explanation`)
    expect(response.body).toMatchObject({
      prediction_id: id,
      state: 'succeeded',
      celery_state: 'SUCCESS',
      output_name: 'impairment',
      method: 'tree_interventional',
      space: 'log_odds',
      standard_error: null,
      model: { name: 'impairment-screen', version: '1' },
      disclaimer: expect.stringContaining('Decision support, not diagnosis'),
      error: null,
    })
    expectToAddUp(response)
    // It explains the very output: its log-odds are those of the risk score.
    expect(logistic(response.body['output'] as number)).toBeCloseTo(prediction.body['risk_score'] as number, 5)
    const contributions = contributionsOf(response)
    expect(contributions.map(({ feature }) => feature).toSorted()).toEqual(
      ['age', 'education_years', 'etiv', 'mmse_score', 'nwbv', 'ses', 'sex'].toSorted(),
    )
    const sizes = contributions.map(({ contribution }) => Math.abs(contribution))
    expect(sizes).toEqual(sizes.toSorted((a, b) => b - a))
    expect(contributions[0]).toMatchObject({ feature: 'mmse_score', title: 'MMSE', value: 24, unit: 'points' })
    expect(contributions.find(({ feature }) => feature === 'ses')).toMatchObject({ value: null })
    expect(response.body['text']).toMatch(/^The MMSE of 24 points raised the estimate/)
    expect(response.body['text']).toContain('Decision support, not diagnosis')
  })

  it('is made once: asked again it is the same, whoever of many at once asked first', async () => {
    const { id } = (await predict(example)).body
    const responses = await Promise.all(Array.from({ length: 10 }, () => ask(id, waiting)))
    expect(new Set(responses.map(({ status }) => status))).toEqual(new Set([200]))
    expect(new Set(responses.map(({ body }) => body['task_id'])).size).toBe(1)
    expect((await ask(id)).body).toEqual(responses[0]?.body)
    expect((await read(id)).body).toEqual(responses[0]?.body)
    const tasks = await queryNumber(
      stack.databaseUrl,
      `SELECT count(*)::int AS number FROM tasks WHERE prediction_id = $1 AND name = 'ml.generate_explanation'`,
      [id],
    )
    expect(tasks).toBe(1)
  })

  it('is accepted at once if the caller does not wait, and can be read until it is there', async () => {
    const { id } = (await predict(example)).body
    expect((await read(id)).status).toBe(404)
    const accepted = await ask(id)
    expect(accepted.status).toBe(202)
    expect(accepted.headers.get('retry-after')).toBe('1')
    expect(accepted.body).toMatchObject({ state: 'queued', celery_state: 'PENDING', contributions: null, output: null })
    expect((await untilFinished(id)).body).toMatchObject({ state: 'succeeded' })
  })

  it('follows a prediction that asked for it, in one submission', async () => {
    const key = { 'idempotency-key': `explained-${broker}` }
    const first = await predict({ ...example, explain: true }, { ...waiting, ...key })
    const { id } = first.body
    const finished = await untilFinished(id)
    expect(finished.body['state']).toBe('succeeded')
    expectToAddUp(finished)
    const again = await predict({ ...example, explain: true }, { ...waiting, ...key })
    expect(again.body['id']).toBe(id)
    expect((await predict(example, key)).body['code']).toBe('IDEMPOTENCY_KEY_REUSED')
    expect((await predict({ ...example, explain: 'yes' })).body).toMatchObject({ errors: [{ pointer: '/explain' }] })
  })

  it('may be asked for before its prediction is finished', async () => {
    const { id } = (await predict(example, {})).body
    expect((await ask(id, waiting)).body['state']).toBe('succeeded')
  })

  it('keeps the inputs that were stored, and leaves no value in the task or the queue', async () => {
    const { id } = (await predict({ user_id: 9, health_metrics: { mmse_score: 27, sex: 'female' } })).body
    const { body } = await ask(id, waiting)
    expect(body['text']).toContain('the sex "female"')
    const [task] = await query<{ task: string }>(
      stack.databaseUrl,
      `SELECT row_to_json(t)::text AS task FROM tasks t WHERE id = $1`,
      [body['task_id']],
    )
    expect(task?.task).not.toContain('"value"')
    const { body: result } = await stack.request('GET', `/v1/tasks/${String(body['task_id'])}/result`)
    expect(result).toMatchObject({ successful: true, result: { prediction_id: id, output_name: 'impairment' } })
  })

  it.each([
    ['sample-lightgbm', 'tree_interventional'],
    ['sample-xgboost', 'tree_path_dependent'],
    ['sample-forest', 'tree_interventional'],
    ['sample-logistic', 'linear'],
    ['sample-network', 'exact'],
  ])('of %s is exact', async (model, method) => {
    const { body } = await predict({ ...example, model })
    const response = await ask(body['id'], waiting)
    expect(response.body).toMatchObject({ state: 'succeeded', method, standard_error: null, model: { name: model } })
    expectToAddUp(response)
    const output = response.body['output'] as number
    expect(response.body['space'] === 'log_odds' ? logistic(output) : output).toBeCloseTo(
      body['risk_score'] as number,
      5,
    )
  })

  it('refuses an output that the model does not have, and says which it has', async () => {
    const { id } = (await predict(example)).body
    expect((await ask(id, {}, '?output=impairment')).status).toBe(202)
    for (const response of [await ask(id, {}, '?output=nothing'), await read(id, {}, '?output=nothing')]) {
      expect([response.status, response.body['code']]).toEqual([422, 'REQUEST_INVALID'])
      expect(response.body['errors']).toEqual([{ pointer: '/output', message: 'must be one of impairment' }])
    }
  })

  it('says why a model cannot be explained, and may be tried again', async () => {
    // Its manifest names no reference people, and its graph is neither trees nor linear.
    const { id } = (await predict({ user_id: 4, health_metrics: { mmse_score: 0 }, model: 'slow' })).body
    const first = await ask(id, waiting)
    expect(first.status).toBe(200)
    expect(first.body).toMatchObject({ state: 'failed', celery_state: 'FAILURE', contributions: null })
    expect(first.body['error']).toMatchObject({
      code: 'MODEL_INVALID',
      message: expect.stringContaining('name a background file in its manifest'),
    })
    const second = await ask(id, waiting)
    expect(second.body['state']).toBe('failed')
    expect(second.body['task_id']).not.toBe(first.body['task_id'])
  })

  describe('of a prediction that has ended without a result', () => {
    it('is refused', async () => {
      const { id, task_id: task } = (await predict(example)).body
      // No task can fail by itself in a moment here; the row says so as a failure would.
      await query(stack.databaseUrl, `UPDATE tasks SET state = 'failed', error_code = 'TASK_FAILED' WHERE id = $1`, [
        task,
      ])
      const response = await ask(id)
      expect([response.status, response.body['code']]).toEqual([409, 'TASK_STATE_CONFLICT'])
    })
  })

  it('is shown to no one whose key does not reach the person', async () => {
    const { id } = (await predict(example)).body
    await ask(id, waiting)
    const bound = await insertKey(stack.databaseUrl, { role: 'submitter', userId: 77 })
    const viewer = await insertKey(stack.databaseUrl, { role: 'viewer' })
    const as = (key: string) => ({ authorization: `Bearer ${key}` })
    expect((await read(id, as(bound))).status).toBe(404)
    expect((await ask(id, as(bound))).status).toBe(404)
    expect((await ask(id, as(viewer))).status).toBe(403)
    expect((await read(id, as(viewer))).status).toBe(200)
    expect((await read(999_999_999)).status).toBe(404)
    expect((await ask('abc')).status).toBe(422)
  })
})
