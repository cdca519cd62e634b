import type { OnnxNode } from '../../onnx/index.js'

/** Integers of an attribute; empty if it is absent. */
export const intsOf = (node: OnnxNode, name: string): readonly number[] => {
  const attribute = node.attributes.get(name)
  return attribute?.kind === 'ints' ? attribute.values : []
}

/** Numbers of an attribute, from `name` or, in double precision, from `name_as_tensor`; empty if both are absent. */
export const floatsOf = (node: OnnxNode, name: string): readonly number[] => {
  const attribute = node.attributes.get(name)
  if (attribute?.kind === 'floats') return attribute.values
  const tensor = attribute?.kind === 'tensor' ? attribute : node.attributes.get(`${name}_as_tensor`)
  return tensor?.kind === 'tensor' ? [...tensor.tensor.numbers()] : []
}

/** Strings of an attribute; empty if it is absent. */
export const stringsOf = (node: OnnxNode, name: string): readonly string[] => {
  const attribute = node.attributes.get(name)
  return attribute?.kind === 'strings' ? attribute.values : []
}

/** Integer of an attribute, or `otherwise`. */
export const intOf = (node: OnnxNode, name: string, otherwise: number): number => {
  const attribute = node.attributes.get(name)
  return attribute?.kind === 'int' ? attribute.value : otherwise
}

/** Number of an attribute, or `otherwise`. */
export const floatOf = (node: OnnxNode, name: string, otherwise: number): number => {
  const attribute = node.attributes.get(name)
  return attribute?.kind === 'float' ? attribute.value : otherwise
}

/** Text of an attribute, or `otherwise`. */
export const stringOf = (node: OnnxNode, name: string, otherwise: string): string => {
  const attribute = node.attributes.get(name)
  return attribute?.kind === 'string' ? attribute.value : otherwise
}
