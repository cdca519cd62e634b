import { MemoryGuardError } from '#libs/platform'

/** Wire types of protocol buffers that a field of an ONNX file may have. */
const wire = { varint: 0, fixed64: 1, bytes: 2, fixed32: 5 } as const

const utf8 = new TextDecoder('utf-8')

/**
 * A cursor over one protocol-buffers message (https://protobuf.dev/programming-guides/encoding). Every read is checked
 * against the end of the message.
 * @throws {MemoryGuardError} MODEL_INVALID with the place when the file is truncated or corrupt.
 */
export class ProtobufReader {
  private readonly view: DataView
  private position: number
  /** Number of the field that `next` moved to. */
  field = 0
  private wireType = 0

  constructor(
    private readonly bytes: Uint8Array,
    start = 0,
    private readonly end = bytes.length,
  ) {
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    this.position = start
  }

  /** Moves to the next field; false at the end of the message. */
  next(): boolean {
    if (this.position === this.end) return false
    const tag = this.varint()
    this.field = Math.floor(tag / 8)
    this.wireType = tag % 8
    if (this.field < 1 || this.field > 536870911) this.corrupt('an impossible field number')
    return true
  }

  /** Passes over the field, whatever it holds. */
  skip(): void {
    if (this.wireType === wire.varint) this.varint()
    else if (this.wireType === wire.fixed64) this.take(8)
    else if (this.wireType === wire.fixed32) this.take(4)
    else if (this.wireType === wire.bytes) this.take(this.varint())
    else this.corrupt(`wire type ${this.wireType}, which ONNX does not use`)
  }

  /** A signed 64-bit integer; beyond 2^53 it is rounded to the nearest double, which only "up to the end" marks reach. */
  int(): number {
    this.expect(wire.varint)
    return this.varint()
  }

  float(): number {
    this.expect(wire.fixed32)
    return this.float32()
  }

  text(): string {
    return utf8.decode(this.slice())
  }

  /** The bytes of the field, not copied. */
  slice(): Uint8Array {
    const { position, end } = this.message()
    return this.bytes.subarray(position, end)
  }

  /** A reader of the message in the field. */
  message(): ProtobufReader {
    this.expect(wire.bytes)
    const length = this.varint()
    const start = this.take(length)
    return new ProtobufReader(this.bytes, start, start + length)
  }

  /** Adds the integers of the field, packed or single. */
  ints(into: number[]): void {
    this.numbers(into, wire.varint, (reader) => reader.varint())
  }

  /** Adds the floats of the field, packed or single. */
  floats(into: number[]): void {
    this.numbers(into, wire.fixed32, (reader) => reader.float32())
  }

  /** Adds the doubles of the field, packed or single. */
  doubles(into: number[]): void {
    this.numbers(into, wire.fixed64, (reader) => reader.view.getFloat64(reader.take(8), true))
  }

  private numbers(into: number[], wireType: number, read: (reader: ProtobufReader) => number): void {
    if (this.wireType === wire.bytes) {
      const packed = this.message()
      while (packed.position < packed.end) into.push(read(packed))
    } else {
      this.expect(wireType)
      into.push(read(this))
    }
  }

  private float32(): number {
    return this.view.getFloat32(this.take(4), true)
  }

  private take(count: number): number {
    const start = this.position
    if (count < 0 || count > this.end - start) this.corrupt(`${count} bytes expected, ${this.end - start} left`)
    this.position = start + count
    return start
  }

  private varint(): number {
    let low = 0
    let high = 0
    for (let shift = 0; shift < 70; shift += 7) {
      const byte = this.view.getUint8(this.take(1))
      const bits = byte & 0x7f
      if (shift < 28) low |= bits << shift
      else if (shift === 28) {
        low |= bits << 28
        high = bits >> 4
      } else if (shift < 63) high |= bits << (shift - 32)
      else high |= bits << 31
      if (byte < 0x80) return high * 4294967296 + (low >>> 0)
    }
    return this.corrupt('an integer of more than 10 bytes')
  }

  private expect(wireType: number): void {
    if (this.wireType !== wireType) this.corrupt(`field ${this.field} of wire type ${this.wireType}, not ${wireType}`)
  }

  private corrupt(found: string): never {
    throw new MemoryGuardError(
      'MODEL_INVALID',
      `The ONNX file is truncated or corrupt: at byte ${this.position} there is ${found}. Export or copy it again.`,
    )
  }
}
