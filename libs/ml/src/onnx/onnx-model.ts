import { MemoryGuardError } from '#libs/platform'
import { modelProto, type AttributeProto, type GraphProto, type NodeProto, type ValueInfoProto } from './onnx-proto.js'
import { elementTypeOf, toTensor, type OnnxElementType, type OnnxTensor } from './onnx-tensor.js'
import { ProtobufReader } from './protobuf-reader.js'

/** A value of a node's attribute; subgraphs and types are noted but not read. */
export type OnnxAttribute =
  | { readonly kind: 'float' | 'int'; readonly value: number }
  | { readonly kind: 'string'; readonly value: string }
  | { readonly kind: 'floats' | 'ints'; readonly values: readonly number[] }
  | { readonly kind: 'strings'; readonly values: readonly string[] }
  | { readonly kind: 'tensor'; readonly tensor: OnnxTensor }
  | { readonly kind: 'unread' }

/** One operator of the graph. An empty input or output name is an absent optional one. */
export interface OnnxNode {
  readonly name: string
  readonly operator: string
  /** `''` for the operators of ONNX itself (`ai.onnx`). */
  readonly domain: string
  readonly inputs: readonly string[]
  readonly outputs: readonly string[]
  readonly attributes: ReadonlyMap<string, OnnxAttribute>
}

/** An input or output of the graph. */
export interface OnnxValue {
  readonly name: string
  readonly kind: 'tensor' | 'sequence' | 'map' | 'other'
  /** Element type of a tensor, else `other`. */
  readonly type: OnnxElementType
  /** Sizes; `null` where the file leaves one open (e.g. the number of rows). Absent: shape unknown. */
  readonly dims?: readonly (number | null)[]
}

/** The parts of an ONNX file that inference and explanation of tabular models need. */
export interface OnnxModel {
  /** Version of each operator set, by domain (`''`: ONNX itself). */
  readonly opsets: ReadonlyMap<string, number>
  /** Each after the nodes that make its inputs. */
  readonly nodes: readonly OnnxNode[]
  readonly initializers: ReadonlyMap<string, OnnxTensor>
  /** Inputs that a caller must give (initializers left out). */
  readonly inputs: readonly OnnxValue[]
  readonly outputs: readonly OnnxValue[]
}

const invalid = (message: string): never => {
  throw new MemoryGuardError('MODEL_INVALID', message)
}

const canonicalDomain = (domain: string): string => (domain === 'ai.onnx' ? '' : domain)

/** The cases are the numbers of `AttributeProto.AttributeType`. */
const toAttribute = ({ type, f, i, s, t, floats, ints, strings }: AttributeProto): OnnxAttribute => {
  switch (type) {
    case 1:
      return { kind: 'float', value: f }
    case 2:
      return { kind: 'int', value: i }
    case 3:
      return { kind: 'string', value: s }
    case 4:
      return t ? { kind: 'tensor', tensor: toTensor(t) } : { kind: 'unread' }
    case 6:
      return { kind: 'floats', values: floats }
    case 7:
      return { kind: 'ints', values: ints }
    case 8:
      return { kind: 'strings', values: strings }
    default:
      return { kind: 'unread' }
  }
}

const toNode = ({ name, op_type: operator, domain, input, output, attribute }: NodeProto): OnnxNode => {
  if (operator === '') invalid('The ONNX file has a node without an operator.')
  const attributes = new Map(attribute.map((each) => [each.name, toAttribute(each)]))
  return { name, operator, domain: canonicalDomain(domain), inputs: input, outputs: output, attributes }
}

const toValue = ({ name, type }: ValueInfoProto): OnnxValue => {
  const tensor = type?.tensor_type
  if (!tensor) {
    return { name, kind: type?.sequence_type ? 'sequence' : type?.map_type ? 'map' : 'other', type: 'other' }
  }
  const dims = tensor.shape?.dim.map(({ dim_value: size }) => size ?? null)
  return { name, kind: 'tensor', type: elementTypeOf(tensor.elem_type), ...(dims && { dims }) }
}

type Graph = Pick<OnnxModel, 'nodes' | 'initializers' | 'inputs' | 'outputs'>

const toGraph = (proto: GraphProto): Graph => {
  if (proto.sparse_initializer > 0) invalid('The ONNX file has sparse initializers, which are not supported.')
  const initializers = new Map(proto.initializer.map(toTensor).map((tensor) => [tensor.name, tensor]))
  const inputs = proto.input.map(toValue).filter(({ name }) => !initializers.has(name))
  return { nodes: proto.node.map(toNode), initializers, inputs, outputs: proto.output.map(toValue) }
}

/** Checks that each name is made once and before it is used, and each output of the graph is made. */
const checkGraph = (graph: Graph): void => {
  if (graph.inputs.length === 0) invalid('The ONNX graph has no input.')
  if (graph.outputs.length === 0) invalid('The ONNX graph has no output.')
  const known = new Set([...graph.initializers.keys(), ...graph.inputs.map((input) => input.name)])
  for (const node of graph.nodes) {
    const label = `node "${node.name}" (${node.operator})`
    for (const input of node.inputs) {
      if (input !== '' && !known.has(input)) invalid(`The ONNX graph's ${label} uses "${input}" before it is made.`)
    }
    for (const output of node.outputs) {
      if (output === '') continue
      if (known.has(output)) invalid(`The ONNX graph's ${label} makes "${output}" a second time.`)
      known.add(output)
    }
  }
  for (const output of graph.outputs) {
    if (!known.has(output.name)) invalid(`The ONNX graph's output "${output.name}" is made by no node.`)
  }
}

/**
 * Reads an ONNX file without the native runtime.
 * @throws {MemoryGuardError} MODEL_INVALID for a truncated or corrupt file, and for a graph that cannot be run as it is
 * written.
 */
export const readOnnxModel = (bytes: Uint8Array): OnnxModel => {
  const proto = modelProto(new ProtobufReader(bytes))
  if (proto.ir_version < 1 || !proto.graph) return invalid('The file is not an ONNX model: it has no graph.')
  const opsets = new Map(proto.opset_import.map(({ domain, version }) => [canonicalDomain(domain), version]))
  if (opsets.size === 0) invalid('The ONNX file does not say which operator sets it uses.')
  const graph = toGraph(proto.graph)
  checkGraph(graph)
  for (const node of graph.nodes) {
    if (!opsets.has(node.domain)) {
      invalid(`The ONNX file uses ${node.operator} of "${node.domain || 'ai.onnx'}" but imports no such operator set.`)
    }
  }
  return { opsets, ...graph }
}
