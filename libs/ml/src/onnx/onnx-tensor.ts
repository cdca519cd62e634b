import { MemoryGuardError } from '#libs/platform'
import type { TensorProto } from './onnx-proto.js'

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

/** A constant of the graph. */
export interface OnnxTensor {
  readonly name: string
  readonly type: OnnxElementType
  readonly dims: readonly number[]
  /** Number of elements: the product of `dims`. */
  readonly size: number
  /**
   * The elements in row-major order as doubles.
   * @throws {MemoryGuardError} MODEL_INVALID if they are not numbers.
   */
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

/** Bytes of one element, and how it is read from raw data. */
const elements: Readonly<Record<NumericType, readonly [width: number, read: (view: DataView, at: number) => number]>> =
  {
    float32: [4, (view, at) => view.getFloat32(at, true)],
    float64: [8, (view, at) => view.getFloat64(at, true)],
    float16: [2, (view, at) => halfToNumber(view.getUint16(at, true))],
    int64: [8, (view, at) => Number(view.getBigInt64(at, true))],
    uint64: [8, (view, at) => Number(view.getBigUint64(at, true))],
    int32: [4, (view, at) => view.getInt32(at, true)],
    uint32: [4, (view, at) => view.getUint32(at, true)],
    int16: [2, (view, at) => view.getInt16(at, true)],
    uint16: [2, (view, at) => view.getUint16(at, true)],
    int8: [1, (view, at) => view.getInt8(at)],
    uint8: [1, (view, at) => view.getUint8(at)],
    bool: [1, (view, at) => view.getUint8(at)],
  }

const isNumeric = (type: OnnxElementType): type is NumericType => type in elements

const decode = (proto: TensorProto, listed: readonly number[], type: NumericType, size: number): Float64Array => {
  const { raw_data: raw } = proto
  if (!raw) return Float64Array.from(type === 'float16' ? listed.map(halfToNumber) : listed)
  const view = new DataView(raw.buffer, raw.byteOffset, raw.byteLength)
  const [width, read] = elements[type]
  return Float64Array.from({ length: size }, (_, i) => read(view, i * width))
}

/**
 * A tensor of the file. Its elements are decoded when they are first asked for.
 * @throws {MemoryGuardError} MODEL_INVALID if the data are in another file, or fewer or more than the shape needs.
 */
export const toTensor = (proto: TensorProto): OnnxTensor => {
  const { name, dims, raw_data: raw, string_data: strings } = proto
  const { float_data, double_data, int32_data, int64_data, uint64_data } = proto
  const type = elementTypeOf(proto.data_type)
  const fail = (reason: string): never => {
    throw new MemoryGuardError('MODEL_INVALID', `The tensor "${name}" of the ONNX file ${reason}.`)
  }
  if (proto.data_location === 1) fail('keeps its data in another file; save the model as one file')
  if (dims.some((dim) => dim < 0 || !Number.isSafeInteger(dim))) fail('has an impossible shape')
  const size = dims.reduce((product, dim) => product * dim, 1)
  const listed = [float_data, int32_data, int64_data, double_data, uint64_data].flat()
  if (isNumeric(type)) {
    const expected = raw ? size * elements[type][0] : size
    const found = raw ? raw.length : listed.length
    if (expected !== found) fail(`has the shape [${dims.join(', ')}] but holds ${found} of ${expected} values or bytes`)
  } else if (type === 'string' && strings !== size) fail(`has ${strings} of ${size} strings`)

  let decoded: Float64Array | undefined
  const numbers = (): Float64Array => {
    if (!isNumeric(type)) return fail(`has elements of type ${type}, where numbers are needed`)
    return (decoded ??= decode(proto, listed, type, size))
  }
  return { name, type, dims, size, numbers }
}
