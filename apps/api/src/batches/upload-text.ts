import type { Readable } from 'node:stream'
import { TextDecoder } from 'node:util'
import { MemoryGuardError } from '#libs/platform'

/** Largest record of an upload, in characters: an open quote or a missing line end must not fill the memory. */
export const maxRecordLength = 65_536

/**
 * The text of an upload, piece by piece, without a byte order mark. Each piece of bytes is also given to `observe`.
 * The stream is left open when the caller stops early, so that it can still be answered.
 * @throws MemoryGuardError REQUEST_MALFORMED for what is no UTF-8 text, and for an upload that is cut off.
 */
export async function* readUploadText(stream: Readable, observe: (bytes: Buffer) => void): AsyncGenerator<string> {
  const decoder = new TextDecoder('utf-8', { fatal: true })
  const pieces: AsyncIterator<Buffer> = stream.iterator({ destroyOnReturn: false })
  for (;;) {
    const next = await pieces.next().catch((cause: unknown) => {
      throw new MemoryGuardError('REQUEST_MALFORMED', 'The upload was cut off; nothing was kept.', { cause })
    })
    if (!next.done) observe(next.value)
    const text = decode(decoder, next.done ? undefined : next.value)
    if (text.includes('\0')) throw notText('It holds zero bytes: it is a binary file.')
    if (text !== '') yield text
    if (next.done) return
  }
}

const decode = (decoder: TextDecoder, bytes: Buffer | undefined): string => {
  try {
    return bytes ? decoder.decode(bytes, { stream: true }) : decoder.decode()
  } catch {
    throw notText('It is no UTF-8: save it as CSV or NDJSON in UTF-8.')
  }
}

const notText = (why: string): MemoryGuardError =>
  new MemoryGuardError('REQUEST_MALFORMED', `The upload cannot be read as text. ${why} Nothing was kept.`)

/** An upload that cannot be read from a line on: nothing of it is kept. */
export const unreadable = (line: number, why: string): MemoryGuardError =>
  new MemoryGuardError('REQUEST_MALFORMED', `Line ${line}: ${why} Nothing was kept.`)
