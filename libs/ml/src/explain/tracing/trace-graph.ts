import { MemoryGuardError } from '#libs/platform'
import type { TensorColumn } from '../../manifest/index.js'
import type { OnnxModel } from '../../onnx/index.js'
import { sumOf, type AdditiveSum } from '../trees/additive-sum.js'
import { findRule } from './operators.js'
import { opaque, type Opaque, type TracedValue } from './traced-value.js'
import { rawInput } from './univariate.js'

/** An output column that is a function of a sum over the inputs. */
export interface Additive {
  readonly kind: 'additive'
  readonly sum: AdditiveSum
  /** From the sum to the output: as it is, by the logistic function, or by a softmax with other classes. */
  readonly link: 'identity' | 'logistic' | 'softmax'
  /** Inputs are rounded to float32 before the first operator. */
  readonly roundsInputs: boolean
}

const invalid = (message: string): never => {
  throw new MemoryGuardError('MODEL_INVALID', message)
}

/** What is known of the tensors that `wanted` is made of, `wanted` among them. */
const valuesOf = (model: OnnxModel, wanted: string, rows: TracedValue): ReadonlyMap<string, TracedValue> => {
  const values = new Map<string, TracedValue>(model.inputs.map(({ name }) => [name, rows]))
  for (const [name, tensor] of model.initializers) values.set(name, { kind: 'constant', tensor })
  if (!values.has(wanted) && !model.nodes.some((node) => node.outputs.includes(wanted))) {
    invalid(`The graph has no tensor "${wanted}".`)
  }
  const needed = new Set([wanted])
  for (const node of model.nodes.toReversed()) {
    if (node.outputs.some((name) => needed.has(name))) for (const name of node.inputs) needed.add(name)
  }
  for (const node of model.nodes.filter(({ outputs }) => outputs.some((name) => needed.has(name)))) {
    const inputs = node.inputs.map((name) => values.get(name))
    const results = findRule(node)?.(node, inputs)
    node.outputs.forEach((name, i) => {
      const unknown = results ? `it uses an output of ${node.operator}` : `it uses the operator ${node.operator}`
      values.set(name, results?.[i] ?? opaque(unknown))
    })
  }
  return values
}

/**
 * Follows a matrix of `inputs` columns through the graph, operator by operator, as far as each number stays a sum of
 * functions of single inputs and of trees, or a probability made from one.
 * @throws {MemoryGuardError} MODEL_INVALID if the graph has not one input matrix of that width, or no such output column.
 */
export const traceGraph = (model: OnnxModel, output: TensorColumn, inputs: number): Additive | Opaque => {
  const [input, ...more] = model.inputs
  if (input === undefined || more.length > 0) {
    return invalid(`The graph has ${model.inputs.length} inputs; it must have one matrix.`)
  }
  const width = input.dims?.[1]
  if (typeof width === 'number' && width !== inputs) {
    invalid(`The graph's input "${input.name}" has ${width} columns, not ${inputs}.`)
  }
  const values = valuesOf(model, output.tensor, {
    kind: 'rows',
    columns: Array.from({ length: inputs }, (_, i) => rawInput(i)),
    type: input.type,
  })
  const result = values.get(output.tensor)
  if (result?.kind === 'opaque') return result
  if (result?.kind !== 'rows') return opaque('the output does not depend on the inputs')
  const scalar = result.columns[output.column]
  if (scalar === undefined) {
    return invalid(
      `The output "${output.tensor}" has ${result.columns.length} columns; column ${output.column} is not there.`,
    )
  }
  const roundsInputs = input.type === 'float32'
  switch (scalar.kind) {
    case 'opaque':
      return scalar
    case 'probability':
      return { kind: 'additive', sum: scalar.logit, link: 'logistic', roundsInputs }
    case 'softmax':
      return { kind: 'additive', sum: scalar.score, link: 'softmax', roundsInputs }
    case 'univariate':
    case 'sum':
      return { kind: 'additive', sum: sumOf(scalar), link: 'identity', roundsInputs }
  }
}
