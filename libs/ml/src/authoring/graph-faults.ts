import { MemoryGuardError, type InputFault } from '#libs/platform'
import type { RiskManifest } from '../manifest/index.js'
import { readOnnxModel, type OnnxModel } from '../onnx/index.js'

const list = (values: readonly { readonly name: string }[]): string => values.map(({ name }) => name).join(', ')

/** How the probabilities become a tensor, by library. */
export const withoutZipMap =
  'convert the model without ZipMap (skl2onnx: options={id(model): {"zipmap": False}}; onnxmltools: zipmap=False; ' +
  'CatBoost has no such option: take the ZipMap node out with the onnx package, see docs/adding-a-model.md)'

/** What a graph and its manifest disagree about, and what is wrong with the file, without running it. */
export const graphFaults = (manifest: RiskManifest, bytes: Uint8Array): readonly InputFault[] => {
  try {
    const model = readOnnxModel(bytes)
    return [...inputFaults(manifest, model), ...outputFaults(manifest, model)]
  } catch (error) {
    if (!(error instanceof MemoryGuardError)) throw error
    return [{ pointer: manifest.graph.file, message: error.message }]
  }
}

const inputFaults = ({ graph, inputs }: RiskManifest, model: OnnxModel): readonly InputFault[] => {
  const faults: InputFault[] = []
  const fault = (pointer: string, message: string) => faults.push({ pointer, message })
  const [input, ...more] = model.inputs
  if (!input || more.length > 0) {
    fault(graph.file, `takes ${list(model.inputs)}: it must have one input, the matrix of all features`)
    return faults
  }
  if (input.name !== graph.input) fault('manifest.json#/graph/input', `the graph's input is "${input.name}"`)
  if (input.type !== 'float32' && input.type !== 'float64') {
    fault(graph.file, `takes ${input.type}: it must take float32 or float64`)
  } else if (input.type !== graph.dtype) {
    fault('manifest.json#/graph/dtype', `the graph takes ${input.type}`)
  }
  const width = input.dims?.[1]
  if (input.dims && input.dims.length !== 2) {
    fault(graph.file, `takes a tensor of ${input.dims.length} dimensions: it must take a matrix`)
    return faults
  }
  if (typeof width === 'number' && width !== inputs.length) {
    fault('manifest.json#/inputs', `there are ${inputs.length}, but the graph takes ${width} columns`)
  }
  return faults
}

const outputFaults = ({ outputs }: RiskManifest, model: OnnxModel): readonly InputFault[] =>
  outputs.flatMap((output, index) =>
    (['value', 'lower', 'upper'] as const).flatMap((part) => {
      const wanted = output[part]
      if (!wanted) return []
      const pointer = `manifest.json#/outputs/${index}/${part}`
      const found = model.outputs.find(({ name }) => name === wanted.tensor)
      if (!found) {
        return [
          { pointer: `${pointer}/tensor`, message: `the graph has no such output; it has ${list(model.outputs)}` },
        ]
      }
      if (found.kind !== 'tensor') {
        const message = `is a ${found.kind} of the graph, not a tensor: ${withoutZipMap}`
        return [{ pointer: `${pointer}/tensor`, message }]
      }
      if (found.type !== 'float32' && found.type !== 'float64') {
        return [{ pointer: `${pointer}/tensor`, message: `holds ${found.type}, not floating-point numbers` }]
      }
      const columns = found.dims?.[1]
      return typeof columns === 'number' && wanted.column >= columns
        ? [{ pointer: `${pointer}/column`, message: `the tensor has ${columns} column(s), counted from 0` }]
        : []
    }),
  )
