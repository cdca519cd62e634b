import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { initModel, ModelRegistry, PreforkPool, RiskModels, verifyModelFolder } from '#libs/ml'
import { readModelFolder } from '#libs/ml/manifest'
import { createLogger } from '#libs/platform'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { writeOnnx } from '../support/onnx-writer.js'

const log = createLogger('test', 'silent')
const entry = new URL('../../dist/libs/ml/src/runtime/compute-child.js', import.meta.url)
const fixtures = fileURLToPath(new URL('../fixtures/unusual', import.meta.url))
const names = ['mmse_score', 'age', 'first_category', 'second_category', 'sex']

interface Cases {
  readonly rows: readonly (readonly number[])[]
  /** What the training library computes. */
  readonly probabilities: readonly number[]
}

describe('a legal but unusual model', () => {
  let pool: PreforkPool
  let root: string
  beforeAll(() => {
    root = mkdtempSync(join(tmpdir(), 'memoryguard-unusual-'))
    pool = new PreforkPool({ size: 1, maxTasksPerChild: 0, maxMemoryPerChildKb: 0, entry }, log)
  })
  afterAll(async () => {
    await pool.stop()
    rmSync(root, { recursive: true })
  })

  const fixture = (name: string) => {
    const graph = join(fixtures, name, 'model.onnx')
    return { graph, ...(JSON.parse(readFileSync(join(fixtures, name, 'cases.json'), 'utf8')) as Cases) }
  }
  const init = (name: string, { graph, rows, probabilities }: ReturnType<typeof fixture>) => {
    const file = join(root, `${name}.csv`)
    const lines = rows.map((row, index) => [...row, probabilities[index]].join(','))
    writeFileSync(file, [[...names, 'expected'].join(','), ...lines].join('\n'))
    return initModel({ name, version: '1', graph, rows: file, root }, pool)
  }

  it.each([
    ['D1: a forest that is sure', 'sure-forest', 'tree_interventional', 'probability'],
    ['D2: LightGBM with categories', 'lightgbm-categories', 'tree_interventional', 'log_odds'],
    ['D3: a graph of exactly one row', 'fixed-batch', 'linear', 'log_odds'],
  ])('%s is made, verified, served and explained', async (_title, name, method, space) => {
    const model = fixture(name)
    const path = await init(name, model)
    expect(await verifyModelFolder(path, pool)).toMatchObject({ faults: [], explanations: [{ method, space }] })
    const folder = await readModelFolder(path)
    expect(folder.golden?.cases).toHaveLength(model.rows.length)
    const registry = new ModelRegistry(pool, log)
    const models = new RiskModels(registry, pool)
    await registry.loadAll([folder])
    expect(registry.models).toMatchObject([{ state: 'ready' }])
    const people = model.rows.map((row) => Object.fromEntries(names.map((each, column) => [each, row[column] ?? NaN])))
    const risks = await models.predict(`${name}@1`, people, 60_000)
    risks.forEach((risk, index) => {
      if (risk instanceof Error) throw risk
      expect(Math.abs(risk.score - (model.probabilities[index] ?? NaN))).toBeLessThan(1e-5)
    })
    const explained = await models.explain(`${name}@1`, undefined, people, 60_000)
    expect(explained.map((each) => each.method)).toEqual(people.map(() => method))
    for (const { baseValue, output, contributions } of explained) {
      const sum = contributions.reduce((total, { contribution }) => total + contribution, baseValue)
      expect(Math.abs(sum - output)).toBeLessThan(1e-9 * (1 + Math.abs(output)))
    }
  })

  it('D2, D3: is explained exactly as by all coalitions of its inputs, row by row', async () => {
    for (const name of ['lightgbm-categories', 'fixed-batch']) {
      const { graph, rows } = fixture(name)
      const flat = Float32Array.from(rows.flat())
      const spec = {
        file: graph,
        input: 'X',
        dtype: 'float32' as const,
        width: names.length,
        outputs: ['probabilities'],
        maxBatch: 4096,
        warmUp: { rows: flat, count: rows.length },
      }
      const background = flat.subarray(0, 40 * names.length)
      const explain = async (method: 'auto' | 'permutation') => {
        const key = `${name}-${method}@1`
        await pool.load({ ...spec, key, explanation: { method, space: 'log_odds', background } })
        const output = { tensor: 'probabilities', column: 1 }
        return pool.explain({ key, output, rows: flat.subarray(0, 50), count: 10, timeoutMs: 60_000 })
      }
      const [own, all] = [await explain('auto'), await explain('permutation')]
      expect([own.method === 'exact', all.method]).toEqual([false, 'exact'])
      own.contributions.forEach((value, at) =>
        expect(Math.abs(value - (all.contributions[at] ?? NaN))).toBeLessThan(1e-4),
      )
    }
  })

  /** One tree over two columns whose nodes lead where the test wants. */
  const treeOf = (yes: readonly number[], no: readonly number[], nodeIds = [0, 1, 2, 3], more: object = {}) =>
    writeOnnx({
      inputs: 2,
      nodes: [
        {
          operator: 'TreeEnsembleRegressor',
          domain: 'ai.onnx.ml',
          inputs: ['X'],
          outputs: ['probability'],
          attributes: {
            nodes_treeids: { ints: [0, 0, 0, 0] },
            nodes_nodeids: { ints: nodeIds },
            nodes_featureids: { ints: [0, 1, 0, 0] },
            nodes_modes: { texts: ['BRANCH_LEQ', 'BRANCH_LEQ', 'LEAF', 'LEAF'] },
            nodes_values: { floats: [0.5, 0.5, 0, 0] },
            nodes_truenodeids: { ints: yes },
            nodes_falsenodeids: { ints: no },
            target_treeids: { ints: [0, 0] },
            target_nodeids: { ints: [2, 3] },
            target_ids: { ints: [0, 0] },
            target_weights: { floats: [0.2, 0.7] },
            n_targets: { int: 1 },
            ...more,
          },
        },
      ],
      outputs: { probability: 'float32' },
      mlOpset: 3,
    })
  const verifyTree = async (name: string, graph: Uint8Array) => {
    const file = join(root, `${name}.onnx`)
    writeFileSync(file, graph)
    const rows = join(root, `${name}.csv`)
    writeFileSync(rows, 'first,second\n0,0\n1,0\n0,1\n1,1\n')
    return verifyModelFolder(await initModel({ name, version: '1', graph: file, rows, root }, pool), pool)
  }

  it.each([
    ['whose nodes share a leaf', treeOf([2, 2, 0, 0], [1, 3, 0, 0]), 'tree_interventional'],
    ['whose two branches are one', treeOf([1, 2, 0, 0], [1, 3, 0, 0]), 'tree_interventional'],
    [
      'that takes the least of its trees',
      treeOf([2, 2, 0, 0], [1, 3, 0, 0], undefined, { aggregate_function: { text: 'MIN' } }),
      'exact',
    ],
  ])('D2: a tree %s is explained', async (title, graph, method) => {
    const name = title.replaceAll(' ', '-')
    expect(await verifyTree(name, graph)).toMatchObject({ faults: [], explanations: [{ method }] })
  })

  it('D2: a tree whose nodes form a circle is refused in a sentence', async () => {
    const work = verifyTree('circle', treeOf([1, 0, 0, 0], [3, 2, 0, 0])).then(
      ({ faults }) => faults.map(({ message }) => message).join(),
      (error: unknown) => (error instanceof Error ? error.message : ''),
    )
    expect(await work).toMatch(/^The graph cannot be run: [A-Z][^/[\]]+$/)
  })

  it('A8: with a name that leads out of the folder of models is refused, and nothing is written', async () => {
    const { graph } = fixture('fixed-batch')
    const rows = join(root, 'fixed-batch.csv')
    for (const name of ['../evil', '/tmp/evil', 'a/b']) {
      await expect(initModel({ name, version: '1', graph, rows, root }, pool)).rejects.toThrow(
        'The name of a model must',
      )
    }
    await expect(initModel({ name: 'fine', version: '../1', graph, rows, root }, pool)).rejects.toThrow('The version')
  })
})
