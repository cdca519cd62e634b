import { basePath, type Schemas } from '../../api/client.ts'
import { ApiProblem } from '../../api/problem.ts'
import type { FileBegin } from './read-file.ts'

type Batch = Schemas['Batch']

interface UploadOptions {
  readonly file: File
  readonly begin: Pick<FileBegin, 'kind' | 'charset'>
  /** `name@version`. */
  readonly model: string
  readonly missingValues: string
  /** The same for each try of one upload, so that no try makes a second batch. */
  readonly idempotencyKey: string
  readonly signal: AbortSignal
  /** Called with the bytes that have been sent. */
  readonly onProgress: (sent: number) => void
}

const problemOf = (request: XMLHttpRequest): ApiProblem => {
  try {
    return new ApiProblem(JSON.parse(request.responseText) as Schemas['Problem'])
  } catch {
    return ApiProblem.foreign({ status: request.status })
  }
}

/**
 * Sends a file as a batch; the browser reads it piece by piece as it is sent. By XMLHttpRequest, for fetch does not tell
 * how much has been sent. @throws ApiProblem
 */
export const uploadBatch = (options: UploadOptions): Promise<Batch> => {
  const { file, begin, model, missingValues, idempotencyKey, signal, onProgress } = options
  const { format, isGzip } = begin.kind
  const request = new XMLHttpRequest()
  request.open('POST', `${basePath}/v1/batches?${new URLSearchParams({ model, missing_values: missingValues })}`)
  const type = format === 'csv' ? 'text/csv' : 'application/x-ndjson'
  request.setRequestHeader('content-type', `${type}; charset=${begin.charset}`)
  if (isGzip) request.setRequestHeader('content-encoding', 'gzip')
  request.setRequestHeader('idempotency-key', idempotencyKey)
  return new Promise((resolve, reject) => {
    request.upload.addEventListener('progress', ({ loaded }) => onProgress(loaded))
    request.addEventListener('load', () => {
      if (request.status >= 200 && request.status < 300) resolve(JSON.parse(request.responseText) as Batch)
      else reject(problemOf(request))
    })
    request.addEventListener('error', () =>
      reject(
        new ApiProblem({
          code: 'UPLOAD_FAILED',
          detail:
            'The upload broke off. The connection may be lost, or the file was changed since it was chosen. Nothing was kept; send it again.',
        }),
      ),
    )
    request.addEventListener('abort', () =>
      reject(new ApiProblem({ code: 'UPLOAD_CANCELLED', detail: 'The upload was cancelled.' })),
    )
    signal.addEventListener('abort', () => request.abort(), { once: true })
    request.send(file)
  })
}
