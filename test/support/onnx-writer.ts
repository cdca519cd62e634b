/** What an attribute of a written node may hold; `doubles`, `singles` and `bytes` become tensors. */
export type WrittenAttribute =
  | { readonly int: number }
  | { readonly float: number }
  | { readonly text: string }
  | { readonly ints: readonly number[] }
  | { readonly floats: readonly number[] }
  | { readonly texts: readonly string[] }
  | { readonly doubles: readonly number[] }
  | { readonly singles: readonly number[] }
  | { readonly bytes: readonly number[] }

export interface WrittenNode {
  readonly operator: string
  readonly domain?: string
  readonly inputs: readonly string[]
  readonly outputs: readonly string[]
  readonly attributes?: Readonly<Record<string, WrittenAttribute>>
}

export interface WrittenTensor {
  readonly dims: readonly number[]
  readonly floats?: readonly number[]
  readonly ints?: readonly number[]
}

export interface WrittenModel {
  readonly inputs: number
  readonly dtype?: 'float32' | 'float64'
  readonly nodes: readonly WrittenNode[]
  readonly constants?: Readonly<Record<string, WrittenTensor>>
  /** Output tensors: element type by name. */
  readonly outputs: Readonly<Record<string, 'float32' | 'float64' | 'int64'>>
  readonly opset?: number
  readonly mlOpset?: number
}

const elementCode = { float32: 1, int64: 7, float64: 11, uint8: 2 } as const

const varint = (value: number): Buffer => {
  let rest = BigInt.asUintN(64, BigInt(value))
  const bytes: number[] = []
  do {
    const low = Number(rest & 0x7fn)
    rest >>= 7n
    bytes.push(rest > 0n ? low | 0x80 : low)
  } while (rest > 0n)
  return Buffer.from(bytes)
}

const int = (field: number, value: number): Buffer => Buffer.concat([varint(field * 8), varint(value)])

const bytes = (field: number, content: Buffer | string): Buffer => {
  const body = typeof content === 'string' ? Buffer.from(content) : content
  return Buffer.concat([varint(field * 8 + 2), varint(body.length), body])
}

const message = (field: number, ...parts: readonly Buffer[]): Buffer => bytes(field, Buffer.concat(parts))

const packedFloats = (field: number, values: readonly number[]): Buffer =>
  bytes(field, Buffer.from(Float32Array.from(values).buffer))

const packedInts = (field: number, values: readonly number[]): Buffer => bytes(field, Buffer.concat(values.map(varint)))

const rawTensor = (type: keyof typeof elementCode, dims: readonly number[], raw: Buffer, name = ''): Buffer[] => [
  ...dims.map((dim) => int(1, dim)),
  int(2, elementCode[type]),
  bytes(8, name),
  bytes(9, raw),
]

const attribute = (name: string, value: WrittenAttribute): Buffer => {
  const body = (): Buffer[] => {
    if ('int' in value) return [int(3, value.int), int(20, 2)]
    if ('float' in value) {
      return [Buffer.concat([varint(2 * 8 + 5), Buffer.from(Float32Array.of(value.float).buffer)]), int(20, 1)]
    }
    if ('text' in value) return [bytes(4, value.text), int(20, 3)]
    if ('ints' in value) return [packedInts(8, value.ints), int(20, 7)]
    if ('floats' in value) return [packedFloats(7, value.floats), int(20, 6)]
    if ('texts' in value) return [...value.texts.map((text) => bytes(9, text)), int(20, 8)]
    const raw = (): Buffer[] => {
      if ('doubles' in value) {
        return rawTensor('float64', [value.doubles.length], Buffer.from(Float64Array.from(value.doubles).buffer))
      }
      if ('singles' in value) {
        return rawTensor('float32', [value.singles.length], Buffer.from(Float32Array.from(value.singles).buffer))
      }
      return rawTensor('uint8', [value.bytes.length], Buffer.from(value.bytes))
    }
    return [message(5, ...raw()), int(20, 4)]
  }
  return message(5, bytes(1, name), ...body())
}

const node = ({ operator, domain = '', inputs, outputs, attributes = {} }: WrittenNode): Buffer =>
  message(
    1,
    ...inputs.map((name) => bytes(1, name)),
    ...outputs.map((name) => bytes(2, name)),
    bytes(3, outputs[0] ?? ''),
    bytes(4, operator),
    ...Object.entries(attributes).map(([name, value]) => attribute(name, value)),
    bytes(7, domain),
  )

const valueInfo = (field: number, name: string, type: keyof typeof elementCode, width?: number): Buffer => {
  const shape = width === undefined ? [] : [message(2, message(1, bytes(2, 'rows')), message(1, int(1, width)))]
  return message(field, bytes(1, name), message(2, message(1, int(1, elementCode[type]), ...shape)))
}

const constant = (name: string, { dims, floats, ints }: WrittenTensor): Buffer =>
  floats === undefined
    ? message(5, ...rawTensor('int64', dims, Buffer.from(BigInt64Array.from(ints ?? [], BigInt).buffer), name))
    : message(5, ...rawTensor('float32', dims, Buffer.from(Float32Array.from(floats).buffer), name))

/** Bytes of an ONNX file with one input matrix `X`. */
export const writeOnnx = (model: WrittenModel): Uint8Array => {
  const { inputs, dtype = 'float32', nodes, constants = {}, outputs, opset = 15, mlOpset = 3 } = model
  const graph = [
    ...nodes.map(node),
    bytes(2, 'graph'),
    ...Object.entries(constants).map(([name, tensor]) => constant(name, tensor)),
    valueInfo(11, 'X', dtype, inputs),
    ...Object.entries(outputs).map(([name, type]) => valueInfo(12, name, type)),
  ]
  return Buffer.concat([
    int(1, 8),
    message(7, ...graph),
    message(8, bytes(1, ''), int(2, opset)),
    message(8, bytes(1, 'ai.onnx.ml'), int(2, mlOpset)),
  ])
}
