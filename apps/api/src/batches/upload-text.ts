import { TextDecoder } from 'node:util'
import { MemoryGuardError } from '#libs/platform'

/** Largest record of an upload, in characters: an open quote or a missing line end must not fill the memory. */
export const maxRecordLength = 65_536

/** The encodings that are read, as TextDecoder names them, by what callers write. */
export const charsets: Readonly<Record<string, string>> = {
  'utf-8': 'utf-8',
  utf8: 'utf-8',
  'us-ascii': 'utf-8',
  'utf-16': 'utf-16le',
  'utf-16le': 'utf-16le',
  'utf-16be': 'utf-16be',
  'iso-8859-1': 'windows-1252',
  latin1: 'windows-1252',
  'windows-1252': 'windows-1252',
}

/**
 * The text of an upload, piece by piece, without a byte order mark, which decides between UTF-8 and UTF-16 where there
 * is one; else `charset` does.
 * @throws MemoryGuardError REQUEST_MALFORMED for what is no text.
 */
export async function* readUploadText(pieces: AsyncIterable<Buffer>, charset = 'utf-8'): AsyncGenerator<string> {
  let decoder: TextDecoder | undefined
  for await (const bytes of pieces) {
    decoder ??= new TextDecoder(markedCharset(bytes) ?? charset, { fatal: true })
    const text = decode(decoder, bytes)
    if (text.includes('\0'))
      throw notText('It holds zero bytes: it is a binary file, or UTF-16 without a byte order mark.')
    if (text !== '') yield text
  }
  const text = decoder ? decode(decoder, undefined) : ''
  if (text !== '') yield text
}

/** The encoding that a byte order mark names. */
const markedCharset = (bytes: Buffer): string | undefined => {
  if (bytes[0] === 0xff && bytes[1] === 0xfe) return 'utf-16le'
  if (bytes[0] === 0xfe && bytes[1] === 0xff) return 'utf-16be'
  return bytes[0] === 0xef && bytes[1] === 0xbb ? 'utf-8' : undefined
}

const decode = (decoder: TextDecoder, bytes: Buffer | undefined): string => {
  try {
    return bytes ? decoder.decode(bytes, { stream: true }) : decoder.decode()
  } catch {
    throw decoder.encoding === 'utf-8'
      ? notText(
          'It is no UTF-8. Save it in UTF-8, or name its encoding, such as "Content-Type: text/csv; charset=windows-1252".',
        )
      : notText(`It is no ${decoder.encoding.toUpperCase()}: save it in UTF-8.`)
  }
}

/** An upload that is no text of a kind that is read. */
export const notText = (why: string): MemoryGuardError =>
  new MemoryGuardError('REQUEST_MALFORMED', `The upload cannot be read as text. ${why} Nothing was kept.`)

/** An upload that cannot be read from a line on: nothing of it is kept. */
export const unreadable = (line: number, why: string): MemoryGuardError =>
  new MemoryGuardError('REQUEST_MALFORMED', `Line ${line}: ${why} Nothing was kept.`)
