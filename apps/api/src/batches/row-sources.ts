import type { ModelCatalogue, RiskManifest } from '#libs/ml/manifest'
import { MemoryGuardError, type InputFault } from '#libs/platform'
import { CsvReader } from './csv-reader.js'
import { maxRecordLength, unreadable } from './upload-text.js'

/** A row as it came in, unchecked, or what is wrong with it already. */
export type RawRow =
  | { readonly line: number; readonly userId: unknown; readonly metrics: unknown }
  | { readonly line: number; readonly fault: string; readonly userId?: number }

/** Most columns of a CSV file, many times what is known. */
const maxColumns = 200

const decimal = /^[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?$/

/** A cell as a number; words are left to the model's manifest, which may know them. */
const toMetric = (cell: string): number | string => (decimal.test(cell) ? Number(cell) : cell)

/**
 * Rows of a CSV file. Its first record names the columns: `user_id` and metrics. An empty cell is a missing metric.
 * @throws MemoryGuardError REQUEST_INVALID for a header that cannot be used, REQUEST_MALFORMED for what is no CSV.
 */
export async function* readCsvRows(
  text: AsyncIterable<string>,
  manifest: RiskManifest,
  catalogue: ModelCatalogue,
): AsyncGenerator<RawRow[]> {
  const reader = new CsvReader()
  let columns: readonly string[] | undefined
  const toRows = (records: ReturnType<CsvReader['push']>): RawRow[] => {
    const [first] = records
    let start = 0
    if (!columns && first) {
      if (first.fault) throw unreadable(first.line, `${first.fault}.`)
      columns = checkHeader(first.fields, manifest, catalogue)
      start = 1
    }
    const rows: RawRow[] = []
    for (let index = start; index < records.length; index += 1) {
      const record = records[index]
      if (record) rows.push(toRow(record, columns ?? []))
    }
    return rows
  }
  for await (const piece of text) yield toRows(reader.push(piece))
  yield toRows(reader.end())
}

const toRow = ({ line, fields, fault }: ReturnType<CsvReader['push']>[number], columns: readonly string[]): RawRow => {
  if (fault) return { line, fault }
  if (fields.length !== columns.length) {
    return { line, fault: `has ${fields.length} fields, and the header has ${columns.length}` }
  }
  const metrics: Record<string, number | string> = {}
  let userId: unknown
  for (let index = 0; index < columns.length; index += 1) {
    const name = columns[index] ?? ''
    const cell = fields[index]?.trim() ?? ''
    if (name === 'user_id') userId = /^\d{1,16}$/.test(cell) ? Number(cell) : null
    else if (cell !== '') metrics[name] = toMetric(cell)
  }
  return { line, userId, metrics }
}

const checkHeader = (
  fields: readonly string[],
  manifest: RiskManifest,
  catalogue: ModelCatalogue,
): readonly string[] => {
  const columns = fields.map((field) => field.trim())
  const inputs = manifest.inputs.map(({ name }) => name)
  if (columns.length > maxColumns) {
    throw new MemoryGuardError('REQUEST_INVALID', `A CSV file may have at most ${maxColumns} columns.`)
  }
  const faults: InputFault[] = []
  if (columns.length === 1 && /[;\t]/.test(columns[0] ?? '')) {
    faults.push({ pointer: '/1', message: 'separate columns with commas' })
  }
  columns.forEach((column, index) => {
    const pointer = `/${index + 1}`
    if (columns.indexOf(column) !== index) faults.push({ pointer, message: 'the column stands here twice' })
    else if (column !== 'user_id' && !catalogue.findMetric(column)) {
      const known = catalogue.metricNames.join(', ')
      faults.push({ pointer, message: `the column is no known metric. Known are user_id, ${known}` })
    }
  })
  if (!columns.includes('user_id')) faults.push({ pointer: '/', message: 'a column user_id is needed' })
  if (!columns.some((column) => inputs.includes(column))) {
    faults.push({ pointer: '/', message: `a column is needed that ${manifest.name} uses: ${inputs.join(', ')}` })
  }
  for (const { name, required } of manifest.inputs) {
    if (required && !columns.includes(name)) faults.push({ pointer: '/', message: `a column ${name} is needed` })
  }
  if (faults.length > 0) {
    throw new MemoryGuardError(
      'REQUEST_INVALID',
      'The header of the CSV file cannot be used; see `errors`, with columns counted from 1. Nothing was kept.',
      { faults },
    )
  }
  return columns
}

/**
 * Rows of newline-delimited JSON: on each line `{"user_id": 1, "health_metrics": {...}}`. Blank lines are passed over.
 * @throws MemoryGuardError REQUEST_MALFORMED for a line without end.
 */
export async function* readNdjsonRows(text: AsyncIterable<string>): AsyncGenerator<RawRow[]> {
  let rest = ''
  let line = 1
  const toRows = (lines: readonly string[]): RawRow[] => {
    const rows: RawRow[] = []
    for (const content of lines) {
      if (content.trim() !== '') rows.push(parseLine(line, content))
      line += 1
    }
    return rows
  }
  for await (const piece of text) {
    const lines = (rest + piece).split('\n')
    rest = lines.pop() ?? ''
    if (rest.length > maxRecordLength) {
      throw unreadable(line + lines.length, `The line is longer than ${maxRecordLength} characters.`)
    }
    yield toRows(lines)
  }
  yield toRows([rest])
}

const parseLine = (line: number, content: string): RawRow => {
  try {
    return toItem(line, JSON.parse(content))
  } catch {
    return { line, fault: 'is no JSON' }
  }
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
