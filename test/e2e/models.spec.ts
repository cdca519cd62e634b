import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { cpSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { describeOnBothBrokers } from '../support/brokers.js'
import { makeModelsFolder } from '../support/models-folder.js'
import { insertKey } from '../support/query.js'
import { waiting } from '../support/requests.js'
import { startStack, type HttpResponse, type Stack } from '../support/stack.js'
import { waitFor } from '../support/wait-for.js'

const cli = fileURLToPath(new URL('../../dist/bin/memoryguard.js', import.meta.url))
const forecastModel = fileURLToPath(new URL('../../models/mmse-forecast', import.meta.url))
const person = { user_id: 5, health_metrics: { mmse_score: 24, age: 72, education_years: 12, sex: 1, nwbv: 0.72 } }

/** Changes members of a folder's manifest, which has no digest of its own. */
const editManifest = (folder: string, change: (manifest: Record<string, unknown>) => object): void => {
  const file = join(folder, 'manifest.json')
  const manifest = JSON.parse(readFileSync(file, 'utf8')) as Record<string, unknown>
  writeFileSync(file, JSON.stringify({ ...manifest, ...change(manifest) }))
}

/** Copies a model under another name and version. */
const copyModel = (root: string, from: string, name: string, version: string): string => {
  const folder = join(root, name, version)
  cpSync(join(root, from, '1'), folder, { recursive: true })
  editManifest(folder, () => ({ name, version }))
  return folder
}

const sha256 = (file: string): string => createHash('sha256').update(readFileSync(file)).digest('hex')

describeOnBothBrokers('models', (broker) => {
  let stack: Stack
  let root: string

  beforeAll(async () => {
    root = makeModelsFolder({ withSamples: true })
    copyModel(root, 'sample-lightgbm', 'switching', '1')
    copyModel(root, 'sample-forest', 'switching', '2')
    const truncated = copyModel(root, 'sample-lightgbm', 'switching', '3')
    truncateSync(join(truncated, 'model.onnx'), 9_000)
    editManifest(truncated, ({ files }) => ({
      files: { ...(files as object), 'model.onnx': sha256(join(truncated, 'model.onnx')) },
    }))
    writeFileSync(join(copyModel(root, 'sample-lightgbm', 'nonsense', '1'), 'manifest.json'), '{"name": "nonsense"}')
    cpSync(forecastModel, join(root, 'mmse-forecast'), { recursive: true })
    copyModel(root, 'mmse-forecast', 'mmse-forecast', '2')
    stack = await startStack({ broker, logs: 'keep', env: { MODELS_DIR: root } })
  })
  afterAll(async () => {
    await stack.stop()
    rmSync(root, { recursive: true })
  })

  const post = (path: string, headers: Record<string, string> = {}) => stack.request('POST', path, undefined, headers)
  const predict = (model: string) => stack.request('POST', '/v1/predictions', { ...person, model }, waiting)
  const versionOf = ({ body }: HttpResponse) => (body['model'] as { version: string }).version
  const modelOf = (list: HttpResponse, name: string, version: string) =>
    (list.body['items'] as Record<string, unknown>[]).find(
      (item) => item['name'] === name && item['version'] === version,
    )

  it('are listed with their state, and a broken one with why', async () => {
    const list = await stack.get('/v1/models')
    expect(modelOf(list, 'switching', '2')).toMatchObject({
      state: 'ready',
      reason: null,
      is_active: true,
      is_default: false,
      is_shadow: false,
      workers: [{ worker: 'worker1@test', state: 'ready', reason: null }],
    })
    expect(modelOf(list, 'switching', '1')).toMatchObject({ state: 'ready', is_active: false })
    expect(modelOf(list, 'impairment-screen', '1')).toMatchObject({ is_default: true })
    // The newest is broken: it does not serve, and what is ready does.
    expect(modelOf(list, 'switching', '3')).toMatchObject({
      state: 'broken',
      is_active: false,
      reason: expect.stringMatching(/^model\.onnx: .*(truncated|ends|corrupt)/i),
    })
    expect(list.body['unreadable']).toEqual([
      { model: 'nonsense@1', reason: expect.stringMatching(/manifest\.json#\/kind/) },
    ])
    expect(JSON.stringify(list.body)).not.toContain(root)
  })

  it('say what they take and what they are for, as far as their owner does', async () => {
    const { status, body } = await stack.get('/v1/models/impairment-screen/1')
    expect(status).toBe(200)
    expect(body).toMatchObject({
      primary_output: 'impairment',
      missing_rule: 'native',
      categories: [{ name: 'low', from: 0, below: 0.3 }, {}, {}, { name: 'very_high', from: 0.8, below: null }],
      categories_origin: expect.stringContaining('not taken from a guideline'),
      interval: { level: 0.9 },
      evidence: { calibration: [{ output: 'impairment' }], importance: { values: expect.any(Array) } },
    })
    const inputs = body['inputs'] as Record<string, unknown>[]
    expect(inputs.find(({ name }) => name === 'sex')).toMatchObject({ words: { female: 0, male: 1 }, integer: true })
    expect(inputs.find(({ name }) => name === 'nwbv')).toMatchObject({
      typical: { low: 0.657, high: 0.835 },
      unit_hints: [{ min: 50, max: 95, unit: 'percent' }],
    })
    const own = await stack.get('/v1/models/switching/1')
    expect(own.body).toMatchObject({ evidence: null, categories_origin: null })
    expect((await stack.get('/v1/models/mmse-forecast/1')).body).toMatchObject({
      forecast: { metric: 'mmse_score' },
      outputs: [],
      evidence: { importance: null, calibration: [{ title: 'Next MMSE below 24' }] },
    })
  })

  describe('an activation', () => {
    it('switches what serves where no version is named, and a rollback returns', async () => {
      expect(versionOf(await predict('switching'))).toBe('2')
      const first = await post('/v1/models/switching/1/activate')
      expect([first.status, first.body]).toEqual([
        200,
        { name: 'switching', active: '1', previous: '2', shadow: null, shadow_since: null },
      ])
      expect(versionOf(await predict('switching'))).toBe('1')
      expect(versionOf(await predict('switching@2'))).toBe('2')
      const back = await post('/v1/models/switching/rollback')
      expect(back.body).toMatchObject({ active: '2', previous: null })
      expect(versionOf(await predict('switching'))).toBe('2')
      const nothing = await post('/v1/models/switching/rollback')
      expect([nothing.status, nothing.body['code']]).toEqual([409, 'MODEL_STATE_CONFLICT'])
    })

    it('loses and mixes nothing that is under way', async () => {
      const scores = {
        '1': (await predict('switching@1')).body['risk_score'],
        '2': (await predict('switching@2')).body['risk_score'],
      }
      expect(scores['1']).not.toBeCloseTo(scores['2'] as number, 3)
      const half = () => Array.from({ length: 150 }, () => predict('switching'))
      const before = half()
      await post('/v1/models/switching/1/activate')
      const responses = await Promise.all([...before, ...half()])
      expect(new Set(responses.map(({ body }) => body['state']))).toEqual(new Set(['succeeded']))
      for (const response of responses) {
        expect(response.body['risk_score']).toBeCloseTo(scores[versionOf(response) as '1' | '2'] as number, 6)
      }
      expect(versionOf(responses.at(-1) as HttpResponse)).toBe('1')
      await post('/v1/models/switching/rollback')
    })

    it('is refused where no worker is ready, with what workers say', async () => {
      const broken = await post('/v1/models/switching/3/activate')
      expect([broken.status, broken.body['code']]).toEqual([409, 'MODEL_STATE_CONFLICT'])
      expect(broken.body['detail']).toMatch(/No worker has switching@3 ready\. worker1@test: broken \(model\.onnx/)
      expect((await post('/v1/models/switching/9/activate')).status).toBe(404)
      expect((await post('/v1/models/nothing/rollback')).status).toBe(404)
    })

    it('is for operators', async () => {
      const submitter = await insertKey(stack.databaseUrl, { role: 'submitter' })
      const operator = await insertKey(stack.databaseUrl, { role: 'operator' })
      const as = (key: string) => ({ authorization: `Bearer ${key}` })
      for (const path of ['switching/2/activate', 'switching/1/shadow', 'switching/rollback']) {
        expect((await post(`/v1/models/${path}`, as(submitter))).status).toBe(403)
      }
      expect((await post('/v1/models/switching/2/activate', as(operator))).status).toBe(200)
    })
  })

  it('run as shadows, unseen, and the difference is reported', async () => {
    const active = await post('/v1/models/switching/2/shadow')
    expect([active.status, active.body['code']]).toEqual([409, 'MODEL_STATE_CONFLICT'])
    expect((await post('/v1/models/switching/1/shadow')).body).toMatchObject({ active: '2', shadow: '1' })
    const [served, shadow] = [await predict('switching@2'), await predict('switching@1')]
    const difference = (shadow.body['risk_score'] as number) - (served.body['risk_score'] as number)
    const report = await waitFor(
      async () => {
        expect(versionOf(await predict('switching'))).toBe('2')
        const response = await stack.get('/v1/models/switching/1/shadow')
        const reports = response.body['reports'] as Record<string, number>[]
        return (reports[0]?.['count'] ?? 0) >= 3 && { response, first: reports[0] }
      },
      { what: 'the report of the shadow', intervalMs: 200 },
    )
    expect(report.response.body).toMatchObject({ name: 'switching', version: '1', is_running: true })
    expect(report.first).toMatchObject({ served: 'switching@2', failed: 0 })
    expect(report.first?.['mean_difference']).toBeCloseTo(difference, 6)
    expect(report.first?.['mean_absolute_difference']).toBeCloseTo(Math.abs(difference), 6)
    expect(report.first?.['max_absolute_difference']).toBeCloseTo(Math.abs(difference), 6)
    const changed = served.body['risk_category'] !== shadow.body['risk_category']
    expect(report.first?.['category_changes']).toEqual(
      changed
        ? [{ from: served.body['risk_category'], to: shadow.body['risk_category'], count: report.first?.['count'] }]
        : [],
    )
    const ended = await stack.request('DELETE', '/v1/models/switching/1/shadow')
    expect(ended.body).toMatchObject({ shadow: null })
    expect((await stack.get('/v1/models/switching/1/shadow')).body).toMatchObject({ is_running: false })
    const { items: entries } = (await stack.get('/v1/audit')).body as {
      items: { action: string; target: string; details: object }[]
    }
    // Rejected callers have entries of their own, whenever those are stored.
    const items = entries.filter(({ action }) => action.startsWith('model.'))
    expect(items.slice(0, 2)).toMatchObject([
      { action: 'model.stop_shadow', target: 'switching@1', details: { active: '2', shadow: null } },
      { action: 'model.shadow', target: 'switching@1', details: { active: '2', shadow: '1' } },
    ])
    const actions = items.map(({ action }) => action)
    expect(actions).toEqual(expect.arrayContaining(['model.activate', 'model.rollback']))
  })

  it('that forecast are switched and rolled back too', async () => {
    const forecastBy = async () => {
      const { status, body } = await stack.request('POST', '/v1/users/5/forecasts', {}, waiting)
      expect(status).toBe(200)
      return versionOf({ body } as HttpResponse)
    }
    expect(await forecastBy()).toBe('2')
    expect((await post('/v1/models/mmse-forecast/1/activate')).body).toMatchObject({ active: '1', previous: '2' })
    expect(await forecastBy()).toBe('1')
    expect((await post('/v1/models/mmse-forecast/rollback')).body).toMatchObject({ active: '2' })
    expect(await forecastBy()).toBe('2')
  })

  it('are taken up while the service runs, and a mended one too', async () => {
    copyModel(root, 'sample-xgboost', 'late', '1')
    const broken = copyModel(root, 'sample-logistic', 'mended', '1')
    const golden = readFileSync(join(broken, 'golden.json'), 'utf8')
    writeFileSync(join(broken, 'golden.json'), '{}')
    const state = async (name: string) => {
      const list = await stack.get('/v1/models')
      return modelOf(list, name, '1')?.['state']
    }
    await waitFor(async () => (await state('late')) === 'ready', { what: 'the late model' })
    expect((await predict('late')).body).toMatchObject({ state: 'succeeded', model: { name: 'late', version: '1' } })
    expect(await state('mended')).toBeUndefined()
    writeFileSync(join(broken, 'golden.json'), golden)
    await waitFor(async () => (await state('mended')) === 'ready', { what: 'the mended model' })
    expect((await predict('mended')).body['state']).toBe('succeeded')
  })

  it('are listed and switched from the command line', () => {
    const run = (...args: string[]) => {
      const { status, stdout, stderr } = spawnSync(process.execPath, [cli, 'models', ...args], {
        env: { ...stack.env },
        encoding: 'utf8',
      })
      return { status, text: stdout + stderr }
    }
    expect(run('list').text).toMatch(/^switching@2 +ready +active/m)
    expect(run('list').text).toMatch(/^switching@3 +broken .*model\.onnx/m)
    expect(run('show', 'impairment-screen@1').text).toContain('# ')
    expect(run('activate', 'switching@1').text).toContain('switching: active 1, before 2, shadow none')
    expect(run('rollback', 'switching').text).toContain('active 2')
    const refused = run('activate', 'switching@3')
    expect(refused.status).toBe(1)
    expect(refused.text).toContain('No worker has switching@3 ready')
  })
})
