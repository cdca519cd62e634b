import type { IncomingHttpHeaders } from 'node:http'
import { PassThrough, type Readable } from 'node:stream'
import { Busboy, type BusboyInstance } from '@fastify/busboy'
import { MemoryGuardError } from '#libs/platform'

/** The one file of a form. */
export interface FormFile {
  readonly name: string
  readonly type: string
  readonly stream: Readable
}

const limits = { files: 1, fields: 0, parts: 1, headerPairs: 20, headerSize: 8_192 }
const onlyFile = 'A form may hold one file and nothing else; model and missing_values go into the query.'

const malformed = (words: string, cause?: unknown): MemoryGuardError =>
  new MemoryGuardError('REQUEST_MALFORMED', `${words} Nothing was kept.`, { cause })

/**
 * The file of a `multipart/form-data` body, streamed. Its stream ends when the form has ended, and fails if the form is
 * cut off or holds anything else.
 * @throws MemoryGuardError REQUEST_MALFORMED
 */
export const openForm = (body: Readable, headers: IncomingHttpHeaders): Promise<FormFile> =>
  new Promise((resolve, reject) => {
    const form = createForm(headers)
    const stream = new PassThrough()
    // Whoever reads it gets the error; before anyone does, the promise has it.
    stream.on('error', () => undefined)
    const fail = (error: MemoryGuardError) => {
      reject(error)
      stream.destroy(error)
      body.unpipe(form)
    }
    let isComplete = false
    form.on('file', (_field, file, name, _encoding, type) => {
      file.pipe(stream, { end: false })
      file.once('end', () => {
        isComplete = true
      })
      file.on('error', (cause: unknown) => fail(malformed('The upload was cut off.', cause)))
      resolve({ name, type, stream })
    })
    for (const event of ['partsLimit', 'filesLimit', 'fieldsLimit'] as const)
      form.on(event, () => fail(malformed(onlyFile)))
    form.on('error', (cause: unknown) => fail(malformed('The form cannot be read.', cause)))
    form.once('finish', () => {
      if (isComplete) stream.end()
      else fail(malformed('The form holds no file: send it with curl -F file=@rows.csv.'))
    })
    body.once('close', () => {
      if (!body.readableEnded) fail(malformed('The upload was cut off.'))
    })
    body.pipe(form)
  })

const createForm = (headers: IncomingHttpHeaders): BusboyInstance => {
  try {
    return new Busboy({ headers: { ...headers, 'content-type': headers['content-type'] ?? '' }, limits })
  } catch (cause) {
    throw malformed('The form names no boundary between its parts.', cause)
  }
}
