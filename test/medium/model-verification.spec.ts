import { createHash } from 'node:crypto'
import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { initModel, ModelRegistry, PreforkPool, RiskModels, verifyModelFolder } from '#libs/ml'
import { readModelFolder } from '#libs/ml/manifest'
import { createLogger } from '#libs/platform'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { writeOnnx, type WrittenModel } from '../support/onnx-writer.js'

const log = createLogger('test', 'silent')
const entry = new URL('../../dist/libs/ml/src/runtime/compute-child.js', import.meta.url)
const sample = fileURLToPath(new URL('../fixtures/models/sample-lightgbm/1', import.meta.url))

let pool: PreforkPool
let folder: string
beforeAll(() => {
  pool = new PreforkPool({ size: 1, maxTasksPerChild: 0, maxMemoryPerChildKb: 0, entry }, log)
})
afterAll(() => pool.stop())
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'memoryguard-verify-'))
  cpSync(sample, folder, { recursive: true })
})
afterEach(() => rmSync(folder, { recursive: true }))

type Json = Record<string, unknown>
const read = (file: string) => JSON.parse(readFileSync(join(folder, file), 'utf8')) as Json
const write = (file: string, content: unknown) => writeFileSync(join(folder, file), JSON.stringify(content))
const editManifest = (change: (manifest: Json) => Json) => {
  const manifest = read('manifest.json')
  write('manifest.json', { ...manifest, ...change(manifest) })
}
const digest = (file: string) =>
  createHash('sha256')
    .update(readFileSync(join(folder, file)))
    .digest('hex')
/** States the digests anew, so that nothing but what a case is about is wrong. */
const redigest = () =>
  editManifest(({ files }) => ({
    files: Object.fromEntries(Object.keys(files as object).map((file) => [file, digest(file)])),
  }))
const faultsOf = async () => (await verifyModelFolder(folder, pool)).faults
const replaceGraph = (model: Partial<WrittenModel> & Pick<WrittenModel, 'nodes'>) => {
  writeFileSync(join(folder, 'model.onnx'), writeOnnx({ inputs: 5, outputs: { probabilities: 'float32' }, ...model }))
  editManifest(() => ({ outputs: [{ name: 'impairment', title: 'Risk', value: { tensor: 'probabilities' } }] }))
  redigest()
}
/** A graph of one operator over the row's mean. */
const overMean = (
  operator: string,
  more: Partial<WrittenModel> = {},
): Partial<WrittenModel> & Pick<WrittenModel, 'nodes'> => ({
  nodes: [
    { operator: 'ReduceMean', inputs: ['X'], outputs: ['mean'], attributes: { axes: { ints: [1] } } },
    { operator, inputs: ['mean'], outputs: ['probabilities'] },
  ],
  ...more,
})

describe('the verification of a model folder', () => {
  it('finds nothing wrong with a good one, and says how it is explained', async () => {
    expect(await verifyModelFolder(folder, pool)).toEqual({
      path: folder,
      reference: 'sample-lightgbm@1',
      faults: [],
      explanations: [{ output: 'impairment', method: 'tree_interventional', space: 'log_odds' }],
    })
  })

  it('reports faults of manifest, digests, golden file and graph all at once', async () => {
    editManifest(({ graph }) => ({
      primary_output: 'nothing',
      graph: { ...(graph as Json), input: 'rows' },
      outputs: [{ name: 'impairment', title: 'Risk', value: { tensor: 'probabilities', column: 7 } }],
    }))
    write('background.json', { rows: [[1, 2]] })
    const golden = read('golden.json') as { cases: { inputs: Json }[] }
    golden.cases[0] = { ...golden.cases[0], inputs: { colour: 1 } }
    write('golden.json', golden)
    const pointers = (await faultsOf()).map(({ pointer }) => pointer)
    expect(pointers).toEqual([
      'manifest.json#/primary_output',
      'golden.json',
      'background.json',
      'golden.json#/cases/0/inputs/colour',
      'background.json#/rows/0',
      'manifest.json#/graph/input',
      'manifest.json#/outputs/0/value/column',
    ])
  })

  it('reports what it can without a manifest', async () => {
    write('manifest.json', { name: 'Nobody' })
    truncateSync(join(folder, 'model.onnx'), 5_000)
    const faults = await faultsOf()
    expect(faults.length).toBeGreaterThan(1)
    expect(faults.map(({ pointer }) => pointer)).toContain('model.onnx')
  })

  it.each([
    ['an empty file', 0],
    ['a truncated file', 20_000],
  ])('names the file of a graph that is %s', async (_, length) => {
    truncateSync(join(folder, 'model.onnx'), length)
    redigest()
    expect((await faultsOf()).map(({ pointer }) => pointer)).toEqual(['model.onnx'])
  })

  it('names the file whose content is no model, and one that is missing', async () => {
    writeFileSync(join(folder, 'model.onnx'), 'this is no graph')
    redigest()
    expect(await faultsOf()).toEqual([{ pointer: 'model.onnx', message: expect.stringMatching(/./) }])
    rmSync(join(folder, 'model.onnx'))
    expect(await faultsOf()).toEqual([{ pointer: 'model.onnx', message: 'is missing' }])
  })

  it('names the file whose digest is wrong', async () => {
    writeFileSync(join(folder, 'card.md'), 'another card')
    expect(await faultsOf()).toEqual([{ pointer: 'card.md', message: 'its sha256 differs from the manifest' }])
  })

  it('reports a manifest with more inputs than the graph has columns', async () => {
    editManifest(({ inputs }) => ({
      inputs: [...(inputs as Json[]), { name: 'bmi', title: 'BMI', unit: 'kg/m2', min: 8, max: 100 }],
    }))
    const faults = await faultsOf()
    expect(faults).toContainEqual({
      pointer: 'manifest.json#/inputs',
      message: 'there are 6, but the graph takes 5 columns',
    })
  })

  it('reports an unsupported operator and an unsupported operator set in the words of the runtime', async () => {
    replaceGraph(overMean('Teleport'))
    expect(await faultsOf()).toEqual([
      { pointer: 'model.onnx', message: expect.stringMatching(/cannot be run: .*Teleport/) },
    ])
    replaceGraph(overMean('Sigmoid', { opset: 99 }))
    expect(await faultsOf()).toEqual([
      { pointer: 'model.onnx', message: expect.stringMatching(/cannot be run: .*opset.*99|cannot be run: .*99/) },
    ])
  })

  it('reports the cases for which the graph returns NaN, or no probability', async () => {
    replaceGraph(overMean('Log'))
    const faults = await faultsOf()
    expect(faults[0]).toEqual({
      pointer: 'golden.json#/cases/0/outputs/impairment/value',
      message: expect.stringMatching(/^the graph returns .*, which is no probability$/),
    })
  })

  it('reports which golden case differs and by how much', async () => {
    const golden = read('golden.json') as { cases: { outputs: { impairment: { value: number } } }[] }
    const third = golden.cases[3]
    if (third) third.outputs.impairment.value += 0.01
    write('golden.json', golden)
    redigest()
    expect(await faultsOf()).toEqual([
      {
        pointer: 'golden.json#/cases/3/outputs/impairment/value',
        message: expect.stringMatching(/^differs by 1\.0e-2, more than/),
      },
    ])
  })

  it('reports an explanation that the model cannot have', async () => {
    editManifest(() => ({ explanation: { method: 'linear', space: 'log_odds', background: 'background.json' } }))
    expect(await faultsOf()).toEqual([
      { pointer: 'manifest.json#/explanation', message: expect.stringMatching(/cannot be explained: .*linear/) },
    ])
  })
})

describe('the verification of a forecast model', () => {
  it('runs its golden cases too', async () => {
    rmSync(folder, { recursive: true })
    cpSync(fileURLToPath(new URL('../../models/mmse-forecast/1', import.meta.url)), folder, { recursive: true })
    expect(await verifyModelFolder(folder, pool)).toMatchObject({ reference: 'mmse-forecast@1', faults: [] })
    const golden = read('golden.json') as { cases: { forecast: { rate_per_year: number } }[] }
    const [first] = golden.cases
    if (first) first.forecast.rate_per_year += 1
    write('golden.json', golden)
    redigest()
    expect(await faultsOf()).toEqual([
      { pointer: 'golden.json', message: expect.stringMatching(/cases\/0\/forecast\/rate_per_year/) },
    ])
  })
})

describe('a registry', () => {
  it('serves on when a model beside it is broken, and says why', async () => {
    const own = new PreforkPool({ size: 1, maxTasksPerChild: 0, maxMemoryPerChildKb: 0, entry }, log)
    const registry = new ModelRegistry(own, log)
    const models = new RiskModels(registry, own)
    try {
      const good = await readModelFolder(sample)
      replaceGraph(overMean('Teleport'))
      editManifest(() => ({ name: 'teleport' }))
      await registry.loadAll([good, await readModelFolder(folder)])
      const [serving] = own.children
      expect(registry.models.toSorted((a, b) => (a.reference < b.reference ? -1 : 1))).toEqual([
        { reference: 'sample-lightgbm@1', state: 'ready', reason: null },
        {
          reference: 'teleport@1',
          state: 'broken',
          reason: expect.stringMatching(/^model\.onnx: cannot be run: .*Teleport/),
        },
      ])
      const [risk] = await models.predict('sample-lightgbm@1', [{ mmse_score: 24 }], 10_000)
      expect(risk).toMatchObject({ category: expect.any(String) })
      // The children that serve never met the broken graph.
      expect(own.children.map(({ pid }) => pid)).toEqual([serving?.pid])
      await expect(models.predict('teleport@1', [{}], 10_000)).rejects.toMatchObject({ code: 'MODEL_NOT_READY' })
    } finally {
      await own.stop()
    }
  })
})

describe('the making of a model folder', () => {
  const rowsOf = (text: string) => {
    const file = join(folder, 'rows.csv')
    writeFileSync(file, text)
    return file
  }
  const make = (rows: string) =>
    initModel({ name: 'made', version: '1', graph: join(sample, 'model.onnx'), rows, root: folder }, pool)

  it('makes one that is in order, with what the rows say', async () => {
    const path = await make(
      rowsOf('mmse_score,age,education_years,sex,nwbv\n24,72,12,1,0.72\n29,66,,0,0.8\n18,81,9,1,0.69\n'),
    )
    expect((await verifyModelFolder(path, pool)).faults).toEqual([])
    const { manifest } = await readModelFolder(path)
    expect(manifest).toMatchObject({
      inputs: [{ name: 'mmse_score', unit: 'points', min: 0, max: 30 }, { name: 'age' }, {}, {}, { name: 'nwbv' }],
      missing: { rule: 'native' },
      outputs: [{ value: { tensor: 'probabilities', column: 1 } }],
    })
  })

  it("keeps the training library's outputs, so that a conversion that changed them is found", async () => {
    const path = await make(rowsOf('mmse_score,age,education_years,sex,nwbv,expected\n24,72,12,1,0.72,0.99999\n'))
    expect((await verifyModelFolder(path, pool)).faults).toEqual([
      { pointer: 'golden.json#/cases/0/outputs/risk/value', message: expect.stringMatching(/^differs by/) },
    ])
  })

  it('refuses rows that do not fit, by line, and a version that exists', async () => {
    await expect(make(rowsOf('Age,sex\n1,2,3\nx,1\n'))).rejects.toThrow(
      /line 1: "Age" must be[^]*line 2: must have 2 fields[^]*line 3: must hold numbers only/,
    )
    await expect(make(rowsOf('age,sex\n70,1\n'))).rejects.toThrow(/takes 5 columns, but the rows have 2 inputs/)
    expect(existsSync(join(folder, 'made'))).toBe(false)
    const rows = rowsOf('mmse_score,age,education_years,sex,nwbv\n24,72,12,1,0.72\n')
    await make(rows)
    await expect(make(rows)).rejects.toThrow(/exists already: a version never changes/)
  })
})
