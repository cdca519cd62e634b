import { MemoryGuardError } from '#libs/platform'
import { ProtobufReader } from './protobuf-reader.js'

/** Names of ONNX element types by their number in the file. */
const elementTypes = [
  'undefined',
  'float32',
  'uint8',
  'int8',
  'uint16',
  'int16',
  'int32',
  'int64',
  'string',
  'bool',
  'float16',
  'float64',
  'uint32',
  'uint64',
] as const

/** Element type of a tensor; `other` for the exotic ones (complex, bfloat16, 8-bit and 4-bit floats). */
export type OnnxElementType = (typeof elementTypes)[number] | 'other'

/** The name of an element type from its number. */
export const elementTypeOf = (code: number): OnnxElementType => elementTypes[code] ?? 'other'

type NumericType = Exclude<OnnxElementType, 'undefined' | 'string' | 'other'>

const bytesPerElement: Readonly<Record<NumericType, number>> = {
  float32: 4,
  uint8: 1,
  int8: 1,
  uint16: 2,
  int16: 2,
  int32: 4,
  int64: 8,
  bool: 1,
  float16: 2,
  float64: 8,
  uint32: 4,
  uint64: 8,
}

const isNumeric = (type: OnnxElementType): type is NumericType => type in bytesPerElement

/** A constant of the graph. */
export interface OnnxTensor {
  readonly name: string
  readonly type: OnnxElementType
  readonly dims: readonly number[]
  /** Number of elements: the product of `dims`. */
  readonly size: number
  /** The elements in row-major order as doubles. Throws `MODEL_INVALID` if they are not numbers. */
  numbers(): Float64Array
}

/** IEEE 754 half precision. */
const halfToNumber = (bits: number): number => {
  const sign = bits & 0x8000 ? -1 : 1
  const exponent = (bits >> 10) & 0x1f
  const fraction = bits & 0x3ff
  if (exponent === 0) return sign * fraction * 2 ** -24
  if (exponent === 0x1f) return fraction === 0 ? sign * Infinity : NaN
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15)
}

const readElement = (view: DataView, type: NumericType, at: number): number => {
  switch (type) {
    case 'float32':
      return view.getFloat32(at, true)
    case 'float64':
      return view.getFloat64(at, true)
    case 'float16':
      return halfToNumber(view.getUint16(at, true))
    case 'int64':
      return Number(view.getBigInt64(at, true))
    case 'uint64':
      return Number(view.getBigUint64(at, true))
    case 'int32':
      return view.getInt32(at, true)
    case 'uint32':
      return view.getUint32(at, true)
    case 'int16':
      return view.getInt16(at, true)
    case 'uint16':
      return view.getUint16(at, true)
    case 'int8':
      return view.getInt8(at)
    case 'uint8':
    case 'bool':
      return view.getUint8(at)
  }
}

const decodeRaw = (raw: Uint8Array, type: NumericType, size: number): Float64Array => {
  const view = new DataView(raw.buffer, raw.byteOffset, raw.byteLength)
  const width = bytesPerElement[type]
  const values = new Float64Array(size)
  for (let i = 0; i < size; i++) values[i] = readElement(view, type, i * width)
  return values
}

/**
 * Reads a `TensorProto`. Elements are decoded when first asked for; that the file holds as many bytes as the shape
 * needs is checked at once. Throws `MODEL_INVALID` for a shape that disagrees with the data and for external data.
 */
export const readTensor = (reader: ProtobufReader): OnnxTensor => {
  const dims: number[] = []
  const values: number[] = []
  let name = ''
  let code = 0
  let raw: Uint8Array | undefined
  let external = false
  let strings = 0
  while (reader.next()) {
    switch (reader.field) {
      case 1:
        reader.ints(dims)
        break
      case 2:
        code = reader.int()
        break
      case 4:
        reader.floats(values)
        break
      case 5:
      case 7:
      case 11:
        reader.ints(values)
        break
      case 6:
        reader.skip()
        strings++
        break
      case 8:
        name = reader.text()
        break
      case 9:
        raw = reader.slice()
        break
      case 10:
        reader.doubles(values)
        break
      case 14:
        external = reader.int() === 1
        break
      default:
        reader.skip()
    }
  }
  const type = elementTypeOf(code)
  const fail = (reason: string): never => {
    throw new MemoryGuardError('MODEL_INVALID', `The tensor "${name}" of the ONNX file ${reason}.`)
  }
  if (external) fail('keeps its data in another file; save the model as one file')
  if (dims.some((dim) => dim < 0 || !Number.isSafeInteger(dim))) fail('has an impossible shape')
  const size = dims.reduce((product, dim) => product * dim, 1)
  if (isNumeric(type)) {
    const expected = raw === undefined ? size : size * bytesPerElement[type]
    const found = raw === undefined ? values.length : raw.length
    if (expected !== found) fail(`has the shape [${dims.join(', ')}] but holds ${found} of ${expected} values or bytes`)
  } else if (type === 'string' && strings !== size) fail(`has ${strings} of ${size} strings`)

  let decoded: Float64Array | undefined
  const numbers = (): Float64Array => {
    if (!isNumeric(type)) return fail(`has elements of type ${type}, where numbers are needed`)
    decoded ??=
      raw !== undefined
        ? decodeRaw(raw, type, size)
        : Float64Array.from(type === 'float16' ? values.map(halfToNumber) : values)
    return decoded
  }
  return { name, type, dims, size, numbers }
}
