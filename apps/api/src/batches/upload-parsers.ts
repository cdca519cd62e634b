import { extname } from 'node:path'
import type { Readable } from 'node:stream'
import { MemoryGuardError } from '#libs/platform'
import type { NestFastifyApplication } from '@nestjs/platform-fastify'
import type { FastifyRequest } from 'fastify'
import { openForm } from './upload-form.js'
import { charsets } from './upload-text.js'

const batchesRoute = '/v1/batches'
/** Largest JSON body of a batch, in bytes: it is in memory as a whole. Larger batches are uploads. */
const jsonLimit = 8 * 1_048_576

/** Media types of the two formats, as results have them. */
export const uploadTypes = { csv: 'text/csv', ndjson: 'application/x-ndjson' } as const

export type UploadFormat = keyof typeof uploadTypes

const formType = 'multipart/form-data'

/** Media types that are read as a stream, of any length, with the format that they mean. */
const formatOfType: Readonly<Record<string, UploadFormat>> = {
  [uploadTypes.csv]: 'csv',
  'application/csv': 'csv',
  'text/x-csv': 'csv',
  'application/x-csv': 'csv',
  'text/comma-separated-values': 'csv',
  'text/tab-separated-values': 'csv',
  // What Windows calls a CSV file; a workbook is known by its first bytes.
  'application/vnd.ms-excel': 'csv',
  [uploadTypes.ndjson]: 'ndjson',
  'application/ndjson': 'ndjson',
  'application/jsonl': 'ndjson',
  'application/x-jsonlines': 'ndjson',
}

/** Media types of an upload, as the OpenAPI document lists them. */
export const acceptedTypes = [uploadTypes.csv, uploadTypes.ndjson, formType] as const

/** An upload: what it holds and how that is to be read. */
export interface Upload {
  readonly stream: Readable
  readonly format: UploadFormat
  /** As TextDecoder names it. */
  readonly charset: string
  /** The sender says that it is packed. */
  readonly isGzip: boolean
}

const accepted =
  'Send a file as text/csv, application/x-ndjson or multipart/form-data (curl -F file=@rows.csv), with ' +
  'Content-Encoding: gzip if it is packed; or JSON as application/json.'

const refused = (words: string): MemoryGuardError => new MemoryGuardError('REQUEST_MEDIA_TYPE_UNSUPPORTED', words)

/** Media type and parameters of a Content-Type, in lower case. */
const parseType = (header: string): { readonly type: string; readonly charset: string | undefined } => {
  const [type = '', ...parameters] = header.toLowerCase().split(';')
  const found = parameters.map((parameter) => parameter.trim()).find((parameter) => parameter.startsWith('charset='))
  return { type: type.trim(), charset: found?.slice('charset='.length).replaceAll('"', '') }
}

/** Gives the bodies of uploads to the batches as streams; any other route refuses their media types. */
export const acceptUploads = (app: NestFastifyApplication): void => {
  const fastify = app.getHttpAdapter().getInstance()
  fastify.addHook('onRoute', (route) => {
    if (route.url !== batchesRoute) return
    route.bodyLimit = jsonLimit
    route.config = { ...route.config, hasLongLists: true }
  })
  fastify.addContentTypeParser([...Object.keys(formatOfType), formType], (request, payload, done) => {
    if (request.routeOptions.url === batchesRoute) done(null, payload)
    else done(refused('Only POST /v1/batches takes files; send application/json.'))
  })
  fastify.addContentTypeParser('*', (request, _payload, done) => {
    if (request.routeOptions.url !== batchesRoute) done(refused('Send the body as application/json.'))
    else done(refused(refusalOf(parseType(request.headers['content-type'] ?? '').type)))
  })
}

const refusalOf = (type: string): string => {
  if (type.includes('spreadsheetml') || type.includes('opendocument.spreadsheet')) {
    return `A workbook (.xlsx, .ods) is not read: save the sheet as CSV (UTF-8). ${accepted}`
  }
  return type === 'application/x-www-form-urlencoded'
    ? `It came as ${type}, as curl sends --data: add -H 'Content-Type: text/csv'. ${accepted}`
    : accepted
}

/**
 * The file that a request brings, as the body or as the one file of a form.
 * @throws MemoryGuardError REQUEST_MEDIA_TYPE_UNSUPPORTED, REQUEST_MALFORMED
 */
export const openUpload = async (body: Readable, { headers }: FastifyRequest): Promise<Upload> => {
  const encoding = headers['content-encoding']?.trim().toLowerCase() ?? 'identity'
  const isGzip = encoding === 'gzip' || encoding === 'x-gzip'
  if (!isGzip && encoding !== 'identity')
    throw refused(`Content-Encoding ${encoding.slice(0, 20)} is not read: use gzip.`)
  const { type, charset } = parseType(headers['content-type'] ?? '')
  if (type !== formType)
    return { stream: body, format: formatOfType[type] ?? 'csv', charset: charsetOf(charset), isGzip }
  if (isGzip) throw refused('A form is not read with Content-Encoding gzip: pack the file in it instead.')
  const file = await openForm(body, headers)
  const part = parseType(file.type)
  return {
    stream: file.stream,
    format: formatOfName(file.name) ?? formatOfType[part.type] ?? 'csv',
    charset: charsetOf(part.charset),
    isGzip: false,
  }
}

const formatOfName = (name: string): UploadFormat | undefined =>
  ['.ndjson', '.jsonl'].includes(extname(name.toLowerCase().replace(/\.gz$/, ''))) ? 'ndjson' : undefined

const charsetOf = (charset = 'utf-8'): string => {
  const known = Object.hasOwn(charsets, charset) ? charsets[charset] : undefined
  if (known !== undefined) return known
  throw refused(`The charset is not read. Known are ${Object.keys(charsets).join(', ')}.`)
}
