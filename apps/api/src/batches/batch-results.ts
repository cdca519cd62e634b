import type { BatchRepository, BatchResultRow } from '#libs/database'
import { intervalOf, type RiskManifest } from '#libs/ml/manifest'
import type { ResultFormat } from './batches.schemas.js'

/** What is to be written. */
export interface ResultsRequest {
  readonly id: string
  readonly chunks: number
  readonly format: ResultFormat
  /** Absent if the model is no longer here: then there is no interval. */
  readonly manifest: RiskManifest | undefined
}

const columns = ['line', 'user_id', 'prediction_id', 'risk_score', 'risk_category', 'lower', 'upper', 'error'] as const

type Line = Record<(typeof columns)[number], number | string | null>

/** The rows of a batch that have ended, in the order of the input, one chunk in memory at a time. */
export async function* writeResults(
  batches: BatchRepository,
  { id, chunks, format, manifest }: ResultsRequest,
): AsyncGenerator<string> {
  if (format === 'csv') yield `${columns.join(',')}\n`
  for (let chunk = 0; chunk < chunks; chunk += 1) {
    const rows = await batches.listResults(id, chunk)
    const lines = rows.map((row) => toLine(row, manifest))
    yield lines.map((line) => (format === 'csv' ? toCsv(line) : `${JSON.stringify(line)}\n`)).join('')
  }
}

const toLine = ({ line, userId, prediction, error }: BatchResultRow, manifest: RiskManifest | undefined): Line => {
  const interval = prediction && manifest ? intervalOf(manifest, prediction.outputs) : null
  return {
    line,
    user_id: userId,
    prediction_id: prediction?.id ?? null,
    risk_score: prediction?.riskScore ?? null,
    risk_category: prediction?.riskCategory ?? null,
    lower: interval?.lower ?? null,
    upper: interval?.upper ?? null,
    error: error?.message ?? null,
  }
}

const toCsv = (line: Line): string => `${columns.map((column) => toCell(line[column])).join(',')}\n`

const toCell = (value: number | string | null): string => {
  if (value === null) return ''
  const text = String(value)
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text
}
