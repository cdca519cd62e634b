import { Readable } from 'node:stream'
import { createGunzip } from 'node:zlib'
import { MemoryGuardError } from '#libs/platform'
import { notText } from './upload-text.js'

/** Most bytes of a file, unpacked: a million rows of a thousand characters. */
const maxFileBytes = 1_073_741_824
/** A file that unpacks to more than this many bytes may be at most so many times as large as what was sent. */
const looseBytes = 32 * 1_048_576
const maxRatio = 200

/** Begins of files that are often taken for CSV, and what to say of them. */
const otherFiles: readonly (readonly [begin: string, words: string])[] = [
  ['504b0304', 'It is an Excel workbook (.xlsx) or a ZIP archive: save the sheet as CSV (UTF-8) and send that.'],
  ['d0cf11e0', 'It is an old Excel workbook (.xls): save the sheet as CSV (UTF-8) and send that.'],
  ['25504446', 'It is a PDF document: send CSV.'],
  ['50415231', 'It is a Parquet file: save it as CSV and send that.'],
]

/**
 * The bytes of a stream. It is left open when the caller stops early, so that the request can still get a response.
 * @throws MemoryGuardError REQUEST_MALFORMED for an upload that is cut off.
 */
export async function* readBytes(stream: Readable): AsyncGenerator<Buffer> {
  const pieces: AsyncIterator<Buffer> = stream.iterator({ destroyOnReturn: false })
  for (;;) {
    const next = await pieces.next().catch((cause: unknown) => {
      if (cause instanceof MemoryGuardError) throw cause
      throw new MemoryGuardError('REQUEST_MALFORMED', 'The upload was cut off; nothing was kept.', { cause })
    })
    if (next.done) return
    yield next.value
  }
}

/**
 * The bytes of a file: unpacked if it is gzip, whatever its name or headers say.
 * @param isGzip Whether the sender says so.
 * @throws MemoryGuardError REQUEST_MALFORMED for another kind of file, REQUEST_TOO_LARGE for what unpacks to too much.
 */
export async function* readFileBytes(pieces: AsyncGenerator<Buffer>, isGzip: boolean): AsyncGenerator<Buffer> {
  let begin = Buffer.alloc(0)
  while (begin.length < 4) {
    const next = await pieces.next()
    if (next.done) break
    begin = Buffer.concat([begin, next.value])
  }
  const whole = withBegin(begin, pieces)
  const isPacked = begin[0] === 0x1f && begin[1] === 0x8b
  if (isGzip && !isPacked && begin.length > 0) throw notText('Content-Encoding says gzip, but it is none.')
  const other = otherFiles.find(([start]) => begin.subarray(0, 4).toString('hex') === start)
  if (other) throw notText(other[1])
  let size = 0
  for await (const bytes of isPacked ? unpack(whole) : whole) {
    size += bytes.length
    if (size > maxFileBytes) throw tooLarge(`A file may have at most ${maxFileBytes / 1_048_576} MiB.`)
    yield bytes
  }
}

async function* withBegin(begin: Buffer, rest: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  if (begin.length > 0) yield begin
  yield* rest
}

async function* unpack(packed: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  let packedSize = 0
  let size = 0
  const counted = async function* () {
    for await (const bytes of packed) {
      packedSize += bytes.length
      yield bytes
    }
  }
  const gunzip = createGunzip({ chunkSize: 65_536 })
  const source = Readable.from(counted())
  source.once('error', (error) => gunzip.destroy(error))
  source.pipe(gunzip)
  try {
    for await (const bytes of gunzip as AsyncIterable<Buffer>) {
      size += bytes.length
      if (size > looseBytes && size > maxRatio * packedSize) {
        throw tooLarge(`A packed file may unpack to at most ${maxRatio} times its size.`)
      }
      yield bytes
    }
  } catch (cause) {
    if (cause instanceof MemoryGuardError) throw cause
    throw notText('Its gzip data is damaged or ends early.')
  } finally {
    source.destroy()
    gunzip.destroy()
  }
}

const tooLarge = (why: string): MemoryGuardError =>
  new MemoryGuardError('REQUEST_TOO_LARGE', `${why} Split it; nothing was kept.`)
