import { brotliDecompressSync, inflateSync } from 'node:zlib'
import { parsePythonJson } from '../wire/python-json.js'

/** Workers of Celery 5.7 may compress what they store; then it begins like this, followed by its type and a zero byte. */
const magic = Buffer.from('\0celery-compressed\0')

const maxBytes = 64 * 1024 * 1024
const codecs: Readonly<Record<string, (bytes: Buffer) => Buffer>> = {
  'application/x-gzip': (bytes) => inflateSync(bytes, { maxOutputLength: maxBytes }),
  'application/x-brotli': (bytes) => brotliDecompressSync(bytes, { maxOutputLength: maxBytes }),
}

/** Thrown for what another worker has stored in a form that is not known here. */
export class UnreadablePayload extends Error {}

/** The text of what a worker has stored. @throws {UnreadablePayload} */
export const payloadText = (stored: Buffer): string => {
  if (!stored.subarray(0, magic.length).equals(magic)) return stored.toString('utf8')
  const end = stored.indexOf(0, magic.length)
  const type = stored.subarray(magic.length, end).toString('utf8')
  const codec = codecs[type]
  if (!codec) throw new UnreadablePayload(`results compressed as ${type} cannot be read`)
  try {
    return codec(stored.subarray(end + 1)).toString('utf8')
  } catch (error) {
    throw new UnreadablePayload('a compressed result is damaged or too large', { cause: error })
  }
}

/** The value of a text that a worker has stored: an object or a list. @throws {UnreadablePayload} */
export const parsePayload = (text: string): Readonly<Record<string, unknown>> => {
  try {
    const value = parsePythonJson(text)
    if (typeof value === 'object' && value !== null) return value as Readonly<Record<string, unknown>>
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error
  }
  throw new UnreadablePayload('a stored result is no JSON')
}
