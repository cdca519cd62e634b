import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { ModelRegistry, RiskModels } from '#libs/ml'
import { readModelFolder, type ModelFolder } from '#libs/ml/manifest'
import { createLogger } from '#libs/platform'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { fileOf, prefork, screen, slow, slowGraph, solo, stopPools, work } from '../support/compute-pools.js'

const log = createLogger('test', 'silent')

afterEach(stopPools)

describe.each([
  { name: 'prefork', create: prefork },
  { name: 'solo', create: solo },
])('the compute pool $name', ({ create }) => {
  let folder: string
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'memoryguard-pool-'))
  })
  afterAll(() => rmSync(folder, { recursive: true }))

  it('gives the golden outputs of the default model to a millionth, row by row', async () => {
    const model = await readModelFolder(screen)
    const pool = create()
    const registry = new ModelRegistry(pool, log)
    const models = new RiskModels(registry, pool)
    await registry.loadAll([model])
    expect(registry.models).toEqual([{ reference: 'impairment-screen@1', state: 'ready', reason: null }])
    const cases = model.golden?.cases ?? []
    expect(cases.length).toBeGreaterThan(5)
    const people = cases.map(({ inputs }) =>
      Object.fromEntries(Object.entries(inputs).filter((pair): pair is [string, number] => pair[1] !== null)),
    )
    const risks = await models.predict('impairment-screen@1', people, 60_000)
    cases.forEach(({ outputs }, index) => {
      const risk = risks[index]
      if (!risk || risk instanceof Error) throw new Error(`No risk for case ${index}`)
      const golden = outputs['impairment']
      for (const part of ['value', 'lower', 'upper'] as const) {
        expect(Math.abs((risk.primary[part] ?? NaN) - (golden?.[part] ?? NaN))).toBeLessThanOrEqual(1e-6)
      }
    })
  })

  it('completes runs that come at once, each with its own rows', async () => {
    const pool = create()
    await pool.load({
      ...slowGraph,
      key: 'screen',
      file: join(screen, 'model.onnx'),
      width: 7,
      outputs: ['probability', 'lower'],
    })
    const row = (mmse: number) => Float32Array.of(mmse, 72, NaN, NaN, NaN, NaN, NaN)
    const run = async (mmse: number) => {
      const { probability } = await pool.run({ key: 'screen', rows: row(mmse), count: 1, timeoutMs: 60_000 })
      return probability?.data[0]
    }
    const scores = Array.from({ length: 21 }, (_, index) => 10 + index)
    const alone: (number | undefined)[] = []
    for (const mmse of scores) alone.push(await run(mmse))
    expect(await Promise.all(scores.map(run))).toEqual(alone)
    expect(new Set(alone).size).toBeGreaterThan(5)
  })

  it('reports how far an explanation is that takes long', async () => {
    const pool = create()
    const registry = new ModelRegistry(pool, log)
    const models = new RiskModels(registry, pool)
    await registry.loadAll([await readModelFolder(fileOf('test/fixtures/models/sample-network/1'))])
    const people = Array.from({ length: 400 }, (_, index) => ({ mmse_score: 10 + (index % 20), age: 72 }))
    const reported: (readonly [number, number])[] = []
    await models.explain('sample-network@1', undefined, people, 60_000, undefined, (done, total) => {
      reported.push([done, total])
    })
    expect(reported.length).toBeGreaterThan(0)
    expect(new Set(reported.map(([, total]) => total)).size).toBe(1)
    expect(reported.map(([done]) => done)).toEqual(reported.map(([done]) => done).toSorted((a, b) => a - b))
    for (const [done, total] of reported) expect(done).toBeLessThanOrEqual(total)
  })

  it('explains rows where it computes: contributions add up, missing inputs among them', async () => {
    const pool = create()
    const registry = new ModelRegistry(pool, log)
    const models = new RiskModels(registry, pool)
    await registry.loadAll([await readModelFolder(screen)])
    const people = [
      { mmse_score: 24, age: 72 },
      { mmse_score: 30, sex: 1 },
    ]
    const explained = await models.explain('impairment-screen@1', undefined, people, 60_000)
    const risks = await models.predict('impairment-screen@1', people, 60_000)
    explained.forEach(({ method, space, baseValue, output, contributions, standardError }, row) => {
      expect([method, space, standardError]).toEqual(['tree_interventional', 'log_odds', null])
      const sum = contributions.reduce((total, { contribution }) => total + contribution, baseValue)
      expect(Math.abs(sum - output)).toBeLessThan(1e-9)
      expect(contributions).toHaveLength(7)
      const risk = risks[row]
      if (!risk || risk instanceof Error) throw new Error(`No risk for person ${row}`)
      expect(1 / (1 + Math.exp(-output))).toBeCloseTo(risk.score, 6)
    })
    await expect(models.explain('impairment-screen@1', 'nothing', people, 60_000)).rejects.toMatchObject({
      code: 'REQUEST_INVALID',
    })
  })

  it('tries a graph out and returns the outputs of its warm-up rows, wherever it would be loaded', async () => {
    const warmUp = { rows: Float32Array.of(0, 0, 0), count: 3 }
    const results = await create().trial({ ...slowGraph, maxBatch: 2, warmUp })
    expect([...(results['probability']?.data ?? [])]).toEqual([0.5, 0.5, 0.5])
  })

  it('refuses a file that is no graph, a graph without the named tensors, and a model that is not loaded', async () => {
    const pool = create()
    const broken = join(folder, 'broken.onnx')
    writeFileSync(broken, readFileSync(slowGraph.file).subarray(0, 100))
    await expect(pool.load({ ...slowGraph, file: broken })).rejects.toThrow(/./)
    await expect(pool.load({ ...slowGraph, file: join(folder, 'absent.onnx') })).rejects.toThrow(/absent/)
    await expect(pool.load({ ...slowGraph, input: 'rows' })).rejects.toThrow(/no input "rows"; it has features/)
    await expect(pool.load({ ...slowGraph, outputs: ['label'] })).rejects.toThrow(
      /no output "label"; it has probability/,
    )
    await expect(pool.run(work(0))).rejects.toMatchObject({ code: 'MODEL_OUTPUT_INVALID' })
    await pool.load(slowGraph)
    expect((await pool.run(work(0)))['probability']).toMatchObject({ columns: 1, data: Float32Array.of(0.5) })
  })

  it('serves no model that fails its golden file, and serves the others', async () => {
    const [good, other] = [await readModelFolder(screen), await readModelFolder(slow)]
    const wrong: ModelFolder = {
      ...other,
      golden: { tolerance: 1e-6, cases: [{ inputs: { mmse_score: 0 }, outputs: { risk: { value: 0.6 } } }] },
    }
    const pool = create()
    const registry = new ModelRegistry(pool, log)
    const models = new RiskModels(registry, pool)
    await registry.loadAll([wrong, await readModelFolder(join(screen, '../../mmse-forecast/1'))])
    expect([registry.findFault(true), registry.findFault(false)]).toEqual([
      'none that computes risks is ready',
      undefined,
    ])
    await registry.loadAll([good])
    expect(registry.findFault(true)).toBeUndefined()
    expect(registry.readyReferences).toEqual(['impairment-screen@1', 'mmse-forecast@1'])
    expect(registry.models).toContainEqual({
      reference: 'slow@1',
      state: 'broken',
      reason: expect.stringMatching(/^golden\.json#\/cases\/0\/outputs\/risk\/value: differs by/),
    })
    await expect(models.predict('slow@1', [{ mmse_score: 0 }], 1000)).rejects.toMatchObject({
      code: 'MODEL_NOT_READY',
    })
  })
})
