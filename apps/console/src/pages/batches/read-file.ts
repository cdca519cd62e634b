import { faultOfBytes, kindOf, maxRows, type FileKind } from './file-kind.ts'

/** Bytes of a file that are read for its preview. */
const sampleBytes = 262_144

/** The begin of a file as text, and how the whole of it is to be sent. */
export interface FileBegin {
  readonly kind: FileKind
  readonly text: string
  /** Whether the text is the whole file. */
  readonly isWhole: boolean
  /** As the service names it. */
  readonly charset: 'utf-8' | 'utf-16' | 'windows-1252'
}

/** The bytes of a file as they are when it is unpacked, piece by piece. */
const bytesOf = (file: Blob, isGzip: boolean): ReadableStream<Uint8Array<ArrayBuffer>> =>
  isGzip ? file.stream().pipeThrough(new DecompressionStream('gzip')) : file.stream()

/** At most `count` bytes from the begin. */
const takeBytes = async (file: Blob, isGzip: boolean, count: number): Promise<Uint8Array> => {
  if (!isGzip) return new Uint8Array(await file.slice(0, count).arrayBuffer())
  const reader = bytesOf(file, true).getReader()
  const pieces: Uint8Array[] = []
  let size = 0
  while (size < count) {
    const { value, done } = await reader.read()
    if (done) break
    pieces.push(value)
    size += value.length
  }
  await reader.cancel()
  const bytes = new Uint8Array(size)
  let at = 0
  for (const piece of pieces) {
    bytes.set(piece, at)
    at += piece.length
  }
  return bytes.subarray(0, count)
}

const decode = (bytes: Uint8Array, isWhole: boolean): Pick<FileBegin, 'text' | 'charset'> => {
  const [first, second] = bytes
  if (first === 0xff && second === 0xfe) return { text: new TextDecoder('utf-16le').decode(bytes), charset: 'utf-16' }
  if (first === 0xfe && second === 0xff) return { text: new TextDecoder('utf-16be').decode(bytes), charset: 'utf-16' }
  try {
    // A character may be cut off at the end of a part.
    return { text: new TextDecoder('utf-8', { fatal: true }).decode(bytes, { stream: !isWhole }), charset: 'utf-8' }
  } catch {
    return { text: new TextDecoder('windows-1252').decode(bytes), charset: 'windows-1252' }
  }
}

/** Reads the begin of a file. @throws Error with words for what is no batch. */
export const readBegin = async (file: File): Promise<FileBegin> => {
  const kind = kindOf(file.name, file.size)
  if ('fault' in kind) throw new Error(kind.fault)
  let bytes: Uint8Array
  try {
    bytes = await takeBytes(file, kind.isGzip, sampleBytes)
  } catch (cause) {
    const words = kind.isGzip
      ? 'This file cannot be unpacked: it ends in .gz but is no gzip file, or was cut off.'
      : 'This file cannot be read. Was it moved, changed or deleted? Choose it again.'
    throw new Error(words, { cause })
  }
  const fault = faultOfBytes(bytes)
  if (fault !== undefined) throw new Error(fault)
  const isWhole = bytes.length < sampleBytes
  return { kind, isWhole, ...decode(bytes, isWhole) }
}

/** Counts lines that are not blank, outside quotes, byte by byte. */
export class RowCounter {
  rows = 0
  private isQuoted = false
  private isFilled = false

  add(bytes: Uint8Array): void {
    for (const byte of bytes) {
      if (byte === 0x22) this.isQuoted = !this.isQuoted
      if ((byte === 0x0a || byte === 0x0d) && !this.isQuoted) {
        if (this.isFilled) this.rows += 1
        this.isFilled = false
      } else this.isFilled = true
    }
  }

  /** The rows with the last one, which may have no line end. */
  end(): number {
    return this.rows + (this.isFilled ? 1 : 0)
  }
}

/**
 * Counts the rows of a file without keeping it, and stops above the most that a batch may have; undefined where bytes
 * do not tell, as in UTF-16.
 */
export const countRows = async (file: File, begin: FileBegin, signal: AbortSignal): Promise<number | undefined> => {
  if (begin.charset === 'utf-16') return undefined
  const header = begin.kind.format === 'csv' ? 1 : 0
  const counter = new RowCounter()
  const reader = bytesOf(file, begin.kind.isGzip).getReader()
  try {
    for (;;) {
      signal.throwIfAborted()
      const { value, done } = await reader.read()
      if (done) return counter.end() - header
      counter.add(value)
      if (counter.rows - header > maxRows) return counter.rows - header
    }
  } finally {
    await reader.cancel()
  }
}
