import { brotliDecompressSync, inflateSync } from 'node:zlib'
import { JsonTooDeep, parsePythonJson } from './python-json.js'
import { isObject } from './is-object.js'

/** Why a message cannot be read, as a sentence without any value of it. */
export class UnreadableMessage extends Error {}

/** A message as kombu wraps it. */
export interface Envelope {
  readonly body: string | undefined
  readonly contentType: string
  readonly headers: Readonly<Record<string, unknown>>
  readonly properties: Readonly<Record<string, unknown>>
}

/** Longest body that is unpacked: a few bytes may stand for gigabytes. */
const maxBodyBytes = 64 * 1024 * 1024

/** @throws {UnreadableMessage} */
export const readEnvelope = (raw: string): Envelope => {
  const outer = parse(raw, 'message')
  if (!isObject(outer)) throw new UnreadableMessage('The message has no body, as kombu wraps it.')
  const { headers, properties } = outer
  return {
    body: typeof outer['body'] === 'string' ? outer['body'] : undefined,
    contentType: typeof outer['content-type'] === 'string' ? outer['content-type'] : 'application/json',
    headers: isObject(headers) ? headers : {},
    properties: isObject(properties) ? properties : {},
  }
}

/** The content of the body. @throws {UnreadableMessage} */
export const decodeBody = (envelope: Envelope): unknown => parseBody(unpackBody(envelope))

/** The content of a body that is unpacked. @throws {UnreadableMessage} */
export const parseBody = (text: string): unknown => parse(text, 'body')

/** The body as text. @throws {UnreadableMessage} */
export const unpackBody = ({ body, contentType, headers, properties }: Envelope): string => {
  if (body === undefined) throw new UnreadableMessage('The message has no body, as kombu wraps it.')
  if (contentType !== 'application/json') {
    const advice = "set task_serializer = 'json'"
    throw new UnreadableMessage(`The body is ${nameOf(contentType)}; only JSON is read: ${advice}.`)
  }
  const bytes = Buffer.from(body, properties['body_encoding'] === 'base64' ? 'base64' : 'utf8')
  return unpack(bytes, headers['compression']).toString('utf8')
}

const nameOf = (contentType: string): string =>
  contentType === 'application/x-python-serialize' ? 'pickled' : contentType.slice(0, 100)

const unpack = (bytes: Buffer, compression: unknown): Buffer => {
  if (compression === undefined || compression === null) return bytes
  const codec = typeof compression === 'string' ? codecs[compression] : undefined
  if (!codec) throw new UnreadableMessage('The body is compressed in a way that is not known; gzip and brotli are.')
  try {
    return codec(bytes)
  } catch {
    throw new UnreadableMessage(`The body cannot be unpacked, or has more than ${maxBodyBytes / 1024 / 1024} MiB.`)
  }
}

const options = { maxOutputLength: maxBodyBytes }
/** What kombu calls gzip is zlib's format. */
const codecs: Readonly<Record<string, ((bytes: Buffer) => Buffer) | undefined>> = {
  'application/x-gzip': (bytes) => inflateSync(bytes, options),
  'application/x-brotli': (bytes) => brotliDecompressSync(bytes, options),
}

const parse = (text: string, what: string): unknown => {
  try {
    return parsePythonJson(text)
  } catch (error) {
    if (error instanceof JsonTooDeep) throw new UnreadableMessage(`The ${what} is nested too deep.`)
    if (error instanceof SyntaxError) throw new UnreadableMessage(`The ${what} is not JSON.`)
    throw error
  }
}
