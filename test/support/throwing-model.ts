import { createHash } from 'node:crypto'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { writeOnnx } from './onnx-writer.js'

/**
 * A model that returns one half for `load_points` 0 and 1, and fails for any other number, with the number in its words.
 * With other golden outputs than one half no worker takes it for ready.
 */
export const addThrowingModel = (folder: string, name = 'throwing', goldenOutput = 0.5): void => {
  const path = join(folder, name, '1')
  mkdirSync(path, { recursive: true })
  const graph = writeOnnx({
    inputs: 1,
    nodes: [
      { operator: 'Cast', inputs: ['X'], outputs: ['index'], attributes: { to: { int: 7 } } },
      { operator: 'Gather', inputs: ['halves', 'index'], outputs: ['probability'] },
    ],
    constants: { halves: { dims: [2], floats: [0.5, 0.5] } },
    outputs: { probability: 'float32' },
  })
  const cases = [0, 1].map((points) => ({
    inputs: { load_points: points },
    outputs: { risk: { value: goldenOutput } },
  }))
  const golden = JSON.stringify({ tolerance: 1e-6, cases })
  const sha256 = (content: Uint8Array | string) => createHash('sha256').update(content).digest('hex')
  const manifest = {
    manifest_version: 1,
    kind: 'risk',
    name,
    version: '1',
    title: 'Throwing model of the tests',
    summary: 'Fails. It says nothing of anyone.',
    disclaimer: 'Decision support, not diagnosis.',
    inputs: [{ name: 'load_points', title: 'Load', unit: 'points', min: 0, max: 1e9, required: true }],
    graph: { file: 'model.onnx', input: 'X', dtype: 'float32', max_batch: 16 },
    missing: { rule: 'native' },
    outputs: [{ name: 'risk', title: 'One half', value: { tensor: 'probability' } }],
    primary_output: 'risk',
    categories: [{ name: 'half' }],
    files: { 'golden.json': sha256(golden), 'model.onnx': sha256(graph) },
  }
  writeFileSync(join(path, 'model.onnx'), graph)
  writeFileSync(join(path, 'golden.json'), golden)
  writeFileSync(join(path, 'manifest.json'), JSON.stringify(manifest))
}
