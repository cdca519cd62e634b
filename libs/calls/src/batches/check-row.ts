import type { BatchRowError } from '#libs/database'
import { checkMetrics, type ModelCatalogue, type RiskManifest } from '#libs/ml/manifest'
import { MemoryGuardError, type ErrorCode } from '#libs/platform'

/** A row as it came in, unchecked, or what is wrong with it already. */
export type RawRow =
  | { readonly line: number; readonly userId: unknown; readonly metrics: unknown }
  | { readonly line: number; readonly fault: string; readonly userId?: number | undefined }

/** A person of a batch, fit to be computed. */
export interface GoodRow {
  readonly line: number
  readonly userId: number
  readonly metrics: Readonly<Record<string, number>>
  readonly warnings: readonly string[]
}

export type CheckedRow = GoodRow | BatchRowError

export const isRowError = (row: CheckedRow): row is BatchRowError => 'code' in row

/** Most characters of the words about one row. */
const maxMessage = 500

/**
 * Checks one row as a single prediction is checked. A fault is returned, not thrown: other rows go on.
 */
export const checkRow = (row: RawRow, manifest: RiskManifest, catalogue: ModelCatalogue): CheckedRow => {
  const { line } = row
  const refuse = (code: ErrorCode, message: string, userId: number | null): BatchRowError => ({
    line,
    user_id: userId,
    code,
    message: message.slice(0, maxMessage),
  })
  if ('fault' in row) return refuse('REQUEST_INVALID', row.fault, row.userId ?? null)
  const { userId, metrics } = row
  if (!isEntityId(userId)) return refuse('REQUEST_INVALID', 'user_id must be a positive integer', null)
  const shapeFault = metricsFault(metrics)
  if (shapeFault) return refuse('REQUEST_INVALID', shapeFault, userId)
  try {
    return { line, userId, ...checkMetrics(manifest, catalogue, metrics as Record<string, number | string>) }
  } catch (error) {
    if (!(error instanceof MemoryGuardError)) throw error
    const words = error.faults.map(({ pointer, message }) => `${nameOf(pointer)} ${message}`)
    return refuse(error.code, words.join('; '), userId)
  }
}

/** Whether it can name a person. */
export const isEntityId = (value: unknown): value is number => Number.isSafeInteger(value) && Number(value) > 0

/** Only the names of known metrics get through: an unknown one may be a value that slipped into a name. */
const nameOf = (pointer: string): string => {
  const name = pointer.replace(/^\/health_metrics\/?/, '')
  return name === '' ? 'health_metrics' : /^[a-z][a-z0-9_]{0,62}$/.test(name) ? name : 'a metric'
}

const metricsFault = (metrics: unknown): string | undefined => {
  if (typeof metrics !== 'object' || metrics === null || Array.isArray(metrics)) {
    return 'health_metrics must be an object of metric names and their values'
  }
  for (const name of Object.keys(metrics)) {
    const value: unknown = Reflect.get(metrics, name)
    if (name.length > 64) return 'a metric has a name of more than 64 characters'
    const isWord = typeof value === 'string' && value.length <= 64
    if (typeof value !== 'number' && !isWord) {
      return `${nameOf(`/health_metrics/${name}`)} must be a number; leave out a metric that is missing`
    }
  }
  return undefined
}

/** One item as JSON has it: `{user_id, health_metrics}` and nothing else. */
export const toItem = (line: number, item: unknown): RawRow => {
  if (typeof item !== 'object' || item === null || Array.isArray(item)) {
    return { line, fault: 'must be an object with user_id, health_metrics' }
  }
  const { user_id: userId, health_metrics: metrics, ...others } = item as Record<string, unknown>
  if (Object.keys(others).length > 0) return { line, fault: 'may have only user_id, health_metrics' }
  return { line, userId, metrics }
}
