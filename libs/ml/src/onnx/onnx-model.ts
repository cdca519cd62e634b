import { MemoryGuardError } from '#libs/platform'
import { elementTypeOf, readTensor, type OnnxElementType, type OnnxTensor } from './onnx-tensor.js'
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

/** What an ONNX file says, as far as inference and explanation of tabular models need it. */
export interface OnnxModel {
  readonly irVersion: number
  readonly producer: string
  /** Version of each operator set, by domain (`''`: ONNX itself). */
  readonly opsets: ReadonlyMap<string, number>
  /** In an order in which each node's inputs exist before it. */
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

const readAttribute = (reader: ProtobufReader): [string, OnnxAttribute] => {
  let name = ''
  let type = 0
  let float = 0
  let int = 0
  let text = ''
  let tensor: OnnxTensor | undefined
  const floats: number[] = []
  const ints: number[] = []
  const strings: string[] = []
  while (reader.next()) {
    switch (reader.field) {
      case 1:
        name = reader.text()
        break
      case 2:
        float = reader.float()
        break
      case 3:
        int = reader.int()
        break
      case 4:
        text = reader.text()
        break
      case 5:
        tensor = readTensor(reader.message())
        break
      case 7:
        reader.floats(floats)
        break
      case 8:
        reader.ints(ints)
        break
      case 9:
        strings.push(reader.text())
        break
      case 20:
        type = reader.int()
        break
      default:
        reader.skip()
    }
  }
  const attribute = (): OnnxAttribute => {
    switch (type) {
      case 1:
        return { kind: 'float', value: float }
      case 2:
        return { kind: 'int', value: int }
      case 3:
        return { kind: 'string', value: text }
      case 4:
        return tensor === undefined ? { kind: 'unread' } : { kind: 'tensor', tensor }
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
  return [name, attribute()]
}

const readNode = (reader: ProtobufReader): OnnxNode => {
  const inputs: string[] = []
  const outputs: string[] = []
  const attributes = new Map<string, OnnxAttribute>()
  let name = ''
  let operator = ''
  let domain = ''
  while (reader.next()) {
    switch (reader.field) {
      case 1:
        inputs.push(reader.text())
        break
      case 2:
        outputs.push(reader.text())
        break
      case 3:
        name = reader.text()
        break
      case 4:
        operator = reader.text()
        break
      case 5:
        attributes.set(...readAttribute(reader.message()))
        break
      case 7:
        domain = canonicalDomain(reader.text())
        break
      default:
        reader.skip()
    }
  }
  if (operator === '') invalid('The ONNX file has a node without an operator.')
  return { name, operator, domain, inputs, outputs, attributes }
}

const readDims = (reader: ProtobufReader): (number | null)[] => {
  const dims: (number | null)[] = []
  while (reader.next()) {
    if (reader.field !== 1) {
      reader.skip()
      continue
    }
    const dim = reader.message()
    let size: number | null = null
    while (dim.next()) {
      if (dim.field === 1) size = dim.int()
      else dim.skip()
    }
    dims.push(size)
  }
  return dims
}

const readTensorType = (reader: ProtobufReader): Pick<OnnxValue, 'type' | 'dims'> => {
  let type: OnnxElementType = 'undefined'
  let dims: (number | null)[] | undefined
  while (reader.next()) {
    if (reader.field === 1) type = elementTypeOf(reader.int())
    else if (reader.field === 2) dims = readDims(reader.message())
    else reader.skip()
  }
  return dims === undefined ? { type } : { type, dims }
}

const readValue = (reader: ProtobufReader): OnnxValue => {
  let name = ''
  let value: Omit<OnnxValue, 'name'> = { kind: 'other', type: 'other' }
  while (reader.next()) {
    if (reader.field === 1) name = reader.text()
    else if (reader.field === 2) {
      const type = reader.message()
      while (type.next()) {
        if (type.field === 1) value = { kind: 'tensor', ...readTensorType(type.message()) }
        else {
          if (type.field === 4) value = { kind: 'sequence', type: 'other' }
          if (type.field === 5) value = { kind: 'map', type: 'other' }
          type.skip()
        }
      }
    } else reader.skip()
  }
  return { name, ...value }
}

type Graph = Pick<OnnxModel, 'nodes' | 'initializers' | 'inputs' | 'outputs'>

const readGraph = (reader: ProtobufReader): Graph => {
  const nodes: OnnxNode[] = []
  const initializers = new Map<string, OnnxTensor>()
  const inputs: OnnxValue[] = []
  const outputs: OnnxValue[] = []
  while (reader.next()) {
    if (reader.field === 1) nodes.push(readNode(reader.message()))
    else if (reader.field === 5) {
      const tensor = readTensor(reader.message())
      initializers.set(tensor.name, tensor)
    } else if (reader.field === 11) inputs.push(readValue(reader.message()))
    else if (reader.field === 12) outputs.push(readValue(reader.message()))
    else if (reader.field === 15) invalid('The ONNX file has sparse initializers, which are not supported.')
    else reader.skip()
  }
  return { nodes, initializers, inputs: inputs.filter((input) => !initializers.has(input.name)), outputs }
}

/** Each name is made once, before it is used; each output of the graph is made. */
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

const readOpset = (reader: ProtobufReader): [string, number] => {
  let domain = ''
  let version = 0
  while (reader.next()) {
    if (reader.field === 1) domain = canonicalDomain(reader.text())
    else if (reader.field === 2) version = reader.int()
    else reader.skip()
  }
  return [domain, version]
}

/**
 * Reads an ONNX file (https://github.com/onnx/onnx/blob/main/onnx/onnx.proto) without the native runtime.
 * Throws `MODEL_INVALID` for a truncated or corrupt file and for a graph that cannot be run as it is written.
 */
export const readOnnxModel = (bytes: Uint8Array): OnnxModel => {
  const reader = new ProtobufReader(bytes)
  const opsets = new Map<string, number>()
  let irVersion = 0
  let producer = ''
  let graph: Graph | undefined
  while (reader.next()) {
    switch (reader.field) {
      case 1:
        irVersion = reader.int()
        break
      case 2:
        producer = reader.text()
        break
      case 7:
        graph = readGraph(reader.message())
        break
      case 8:
        opsets.set(...readOpset(reader.message()))
        break
      default:
        reader.skip()
    }
  }
  if (irVersion < 1 || graph === undefined) return invalid('The file is not an ONNX model: it has no graph.')
  if (opsets.size === 0) invalid('The ONNX file does not say which operator sets it uses.')
  checkGraph(graph)
  for (const node of graph.nodes) {
    if (!opsets.has(node.domain)) {
      invalid(`The ONNX file uses ${node.operator} of "${node.domain || 'ai.onnx'}" but imports no such operator set.`)
    }
  }
  return { irVersion, producer, opsets, ...graph }
}
