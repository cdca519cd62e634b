import type { OnnxNode } from '../../onnx/index.js'
import { columnOperators, mlColumnOperators } from './column-operators.js'
import { mathOperators } from './math-operators.js'
import { modelOperators } from './model-operators.js'
import { floatsOf, intsOf } from './node-attributes.js'
import type { OperatorRule } from './operator-rule.js'
import { opaque } from './traced-value.js'

const constantRule: OperatorRule = (node) => {
  const value = node.attributes.get('value')
  if (value?.kind === 'tensor') return [{ kind: 'constant', tensor: value.tensor }]
  const floats = node.attributes.get('value_float') ?? node.attributes.get('value_int')
  const list = floats?.kind === 'float' || floats?.kind === 'int' ? [floats.value] : undefined
  const values = list ?? [...floatsOf(node, 'value_floats'), ...intsOf(node, 'value_ints')]
  if (values.length === 0) return [opaque('it has a constant that is not made of numbers')]
  const dims = list === undefined ? [values.length] : []
  const numbers = Float64Array.from(values)
  return [{ kind: 'constant', tensor: { type: 'float32', dims, size: values.length, numbers: () => numbers } }]
}

const core: Readonly<Record<string, OperatorRule>> = { ...columnOperators, ...mathOperators, Constant: constantRule }
const ml: Readonly<Record<string, OperatorRule>> = { ...mlColumnOperators, ...modelOperators }

/** The rule of an operator, or undefined if none is known. */
export const findRule = (node: OnnxNode): OperatorRule | undefined => {
  if (node.domain === '') return core[node.operator]
  return node.domain === 'ai.onnx.ml' ? ml[node.operator] : undefined
}
