import type { HttpResponse, Stack } from './stack.js'

export const csvHeader = 'user_id,mmse_score,age\n'

export const csvOf = (count: number, rowOf: (index: number) => string): string =>
  csvHeader + Array.from({ length: count }, (_, index) => `${rowOf(index)}\n`).join('')

export const goodRow = (index: number): string => `${index + 1},${index % 31},${60 + (index % 30)}`

/** Uploads a CSV file as a batch. */
export const uploadCsv = (stack: Stack, body: string, headers: Readonly<Record<string, string>> = {}, search = '') =>
  stack.post(`/v1/batches${search}`, body, { 'content-type': 'text/csv', ...headers })

/** The id of a batch that was accepted. @throws with the response of one that was not. */
export const batchIdOf = ({ status, body, text }: HttpResponse): string => {
  if (status !== 202 && status !== 200) throw new Error(text)
  return String(body['id'])
}

/** The results of a batch, a line each. */
export const readResults = async (stack: Stack, id: string): Promise<Record<string, unknown>[]> => {
  const { text } = await stack.get(`/v1/batches/${id}/results?format=ndjson`)
  return text
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, unknown>)
}
