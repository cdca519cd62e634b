import { expect } from 'vitest'
import { traceGraph } from '../../libs/ml/src/explain/tracing/trace-graph.js'
import { evaluateSum } from '../../libs/ml/src/explain/trees/additive-sum.js'
import { seededRandom } from '../../libs/ml/src/explain/sampling/seeded-random.js'
import { readOnnxModel } from '../../libs/ml/src/onnx/index.js'
import { OnnxSession, OnnxTensor } from '../../libs/ml/src/runtime/onnxruntime.js'
import { writeOnnx, type WrittenModel } from './onnx-writer.js'
import { makeRows } from './random-ensembles.js'

const people = 300

/** Outputs of the runtime for made-up people, [rows][columns] of `tensor`. */
const run = async (
  bytes: Uint8Array,
  rows: Float64Array,
  inputs: number,
  tensor: string,
  dtype: 'float32' | 'float64',
) => {
  const session = await OnnxSession.create(bytes, { intraOpNumThreads: 1 })
  const feed =
    dtype === 'float32'
      ? new OnnxTensor('float32', Float32Array.from(rows), [people, inputs])
      : new OnnxTensor('float64', rows, [people, inputs])
  const output = (await session.run({ X: feed }, [tensor]))[tensor]
  await session.release()
  return { data: Array.from(output?.data ?? [], Number), width: output?.dims[1] ?? 1 }
}

const logistic = (x: number): number => 1 / (1 + Math.exp(-x))

/** Checks that each column of `tensor`, read as additive, computes as the runtime does. */
export const expectSameOutputs = async (model: WrittenModel, tensor: string, rows: Float64Array): Promise<string[]> => {
  const bytes = writeOnnx(model)
  const outputs = await run(bytes, rows, model.inputs, tensor, model.dtype ?? 'float32')
  const links: string[] = []
  for (let column = 0; column < outputs.width; column++) {
    const traced = traceGraph(readOnnxModel(bytes), { tensor, column }, model.inputs)
    if (traced.kind === 'opaque') {
      links.push(traced.because)
      continue
    }
    links.push(traced.link)
    for (let person = 0; person < people; person++) {
      const value = evaluateSum(traced.sum, rows, person * model.inputs)
      const expected = outputs.data[person * outputs.width + column] ?? NaN
      if (traced.link === 'softmax') continue
      const found = traced.link === 'logistic' ? logistic(value) : value
      expect(Math.abs(found - expected), `column ${column}, person ${person}`).toBeLessThan(
        2e-6 * (1 + Math.abs(expected)),
      )
    }
  }
  return links
}

/** Made-up people for a model with so many inputs. */
export const rowsFor = (inputs: number, missing = 0.15): Float64Array =>
  makeRows(seededRandom(99), people, inputs, missing)
