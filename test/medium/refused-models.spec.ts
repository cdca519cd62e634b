import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { initModel, PreforkPool, verifyModelFolder } from '#libs/ml'
import { createLogger } from '#libs/platform'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { writeOnnx, type WrittenNode } from '../support/onnx-writer.js'

const entry = new URL('../../dist/libs/ml/src/runtime/compute-child.js', import.meta.url)

describe('D: a model that can never be served', () => {
  let pool: PreforkPool
  let root: string
  beforeAll(() => {
    root = mkdtempSync(join(tmpdir(), 'memoryguard-refused-'))
    const options = { size: 1, maxTasksPerChild: 0, maxMemoryPerChildKb: 0, entry }
    pool = new PreforkPool(options, createLogger('test', 'silent'))
  })
  afterAll(async () => {
    await pool.stop()
    rmSync(root, { recursive: true })
  })

  const graphOf = (...nodes: readonly WrittenNode[]) =>
    writeOnnx({ inputs: 2, nodes, outputs: { probability: 'float32' }, mlOpset: 3 })
  const node = (operator: string, attributes = {}): WrittenNode => ({
    operator,
    inputs: ['X'],
    outputs: ['probability'],
    attributes,
  })
  const init = (name: string, graph: Uint8Array) => {
    const [file, rows] = [join(root, `${name}.onnx`), join(root, `${name}.csv`)]
    writeFileSync(file, graph)
    writeFileSync(rows, `first,second\n${'0.5,0.5\n'.repeat(100)}0.5,-1\n`)
    return initModel({ name, version: '1', graph: file, rows, root }, pool)
  }

  it.each([
    ['nan', node('Sqrt'), /^The graph returns NaN for row 101, which is no probability/],
    ['other', node('Neg'), /^The graph returns -0\.5 for row 1, which is no probability/],
    ['random', node('RandomUniformLike'), /^The graph returns other values each time: take/],
  ])('is not made: %s', async (name, only, message) => {
    await expect(init(name, graphOf(only))).rejects.toThrow(message)
    expect(existsSync(join(root, name))).toBe(false)
  })

  it('is not made of a tree so deep that the runtime crashes, and the message says what to do', async () => {
    const depth = 60_000
    const count = 2 * depth + 1
    const numbers = (make: (at: number) => number) => ({ ints: Array.from({ length: count }, (_, at) => make(at)) })
    const leaves = Array.from({ length: depth + 1 }, (_, at) => depth + at)
    const deep: WrittenNode = {
      ...node('TreeEnsembleRegressor', {
        nodes_treeids: numbers(() => 0),
        nodes_nodeids: numbers((at) => at),
        nodes_featureids: numbers((at) => at % 2),
        nodes_modes: { texts: Array.from({ length: count }, (_, at) => (at < depth ? 'BRANCH_LEQ' : 'LEAF')) },
        nodes_values: { floats: Array.from({ length: count }, (_, at) => at % 50) },
        nodes_truenodeids: numbers((at) => (at < depth ? at + 1 : 0)),
        nodes_falsenodeids: numbers((at) => (at < depth ? depth + 1 + at : 0)),
        target_treeids: { ints: leaves.map(() => 0) },
        target_nodeids: { ints: leaves },
        target_ids: { ints: leaves.map(() => 0) },
        target_weights: { floats: leaves.map(() => 0.5) },
        n_targets: { int: 1 },
      }),
      domain: 'ai.onnx.ml',
    }
    await expect(init('deep', graphOf(deep))).rejects.toThrow(
      /^The graph cannot be run: onnxruntime crashed on it.*limit/,
    )
  })

  it('is reported once by a verification, not for every case', async () => {
    const path = await init('sound', graphOf(node('Sigmoid')))
    writeFileSync(join(path, 'model.onnx'), graphOf(node('RandomUniformLike')))
    const { faults } = await verifyModelFolder(path, pool)
    expect(faults.map(({ message }) => message)).toContainEqual(
      expect.stringContaining('returns other values each time'),
    )
    expect(faults.length).toBeLessThan(4)
    writeFileSync(join(path, 'model.onnx'), graphOf(node('Neg')))
    const other = (await verifyModelFolder(path, pool)).faults.map(({ message }) => message)
    expect(other).toContain('and 98 more cases that do not fit')
    expect(other.length).toBeLessThan(7)
  })
})
