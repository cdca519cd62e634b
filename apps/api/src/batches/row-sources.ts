import { toItem, type RawRow } from '#libs/calls'
import { numberOfWord, type ModelCatalogue, type RiskManifest } from '#libs/ml/manifest'
import { cellFault, MissingValues, toNumber } from './cells.js'
import { findDialect, type FoundDialect } from './csv-dialect.js'
import { readHeader, type CsvColumn } from './csv-header.js'
import { CsvReader, type CsvRecord } from './csv-reader.js'
import { maxRecordLength, unreadable } from './upload-text.js'

/** How the cells of a file are read. */
interface CellRules {
  readonly missing: MissingValues
  readonly hasDecimalComma: boolean
}

/**
 * Rows of a CSV file. Its first record names the columns: `user_id` and metrics. An empty cell and what `missing` has
 * are missing metrics. A decimal comma is read where commas do not separate the columns.
 * @throws MemoryGuardError REQUEST_INVALID for a header that cannot be used, REQUEST_MALFORMED for what is no CSV.
 */
export async function* readCsvRows(
  text: AsyncIterable<string>,
  manifest: RiskManifest,
  catalogue: ModelCatalogue,
  missing = new MissingValues(),
): AsyncGenerator<RawRow[]> {
  let begin = ''
  let searched = 0
  let reader: CsvReader | undefined
  let columns: readonly CsvColumn[] | undefined
  let rules: CellRules = { missing, hasDecimalComma: false }
  const open = (found: FoundDialect): CsvReader => {
    rules = { missing, hasDecimalComma: found.separator !== ',' }
    return new CsvReader(found, found.line)
  }
  const toRows = (records: readonly CsvRecord[]): RawRow[] => {
    const [first, ...rest] = records
    if (columns || !first) return records.map((record) => toRow(record, columns ?? [], rules))
    if (first.fault) throw unreadable(first.line, `${first.fault}.`)
    const known = readHeader(first.fields, manifest, catalogue)
    columns = known
    return rest.map((record) => toRow(record, known, rules))
  }
  for await (const piece of text) {
    if (reader) {
      yield toRows(reader.push(piece))
      continue
    }
    begin += piece
    // Searched again when there is twice as much: small pieces must not cost a search each.
    if (begin.length < 2 * searched) continue
    searched = begin.length
    const found = findDialect(begin, false)
    if (!found && begin.length > maxRecordLength) throw unreadable(1, 'The file begins with nothing but blank lines.')
    if (!found) continue
    reader = open(found)
    yield toRows(reader.push(begin.slice(found.start)))
  }
  if (!reader) {
    const found = findDialect(begin, true)
    if (!found) return
    reader = open(found)
    yield toRows(reader.push(begin.slice(found.start)))
  }
  yield toRows(reader.end())
}

const toRow = ({ line, fields, fault }: CsvRecord, columns: readonly CsvColumn[], rules: CellRules): RawRow => {
  if (fault) return { line, fault }
  if (fields.length !== columns.length) {
    return { line, fault: `has ${fields.length} fields, and the header has ${columns.length}` }
  }
  const metrics: Record<string, number | string> = {}
  let userId: number | undefined
  let wrong: string | undefined
  for (let index = 0; index < columns.length; index += 1) {
    const column = columns[index]
    const cell = fields[index]?.trim() ?? ''
    if (!column || cell === '' || column.kind === 'row names') continue
    if (column.kind === 'unnamed') {
      wrong ??= `has a value in column ${index + 1}, which has no name in the header`
      continue
    }
    const value = readCell(cell, column.kind === 'metric' ? column.words : undefined, rules)
    if (typeof value === 'object') wrong ??= `${column.kind === 'metric' ? column.name : 'user_id'} ${value.fault}`
    else if (column.kind === 'metric' && value !== undefined) metrics[column.name] = value
    else if (typeof value === 'number') userId = value
  }
  if (wrong === undefined) return { line, userId: userId ?? null, metrics }
  return { line, fault: wrong, userId: Number.isSafeInteger(userId) ? userId : undefined }
}

/** A cell that is not empty: a number, a word that the manifest may know, nothing if it is missing, or its fault. */
const readCell = (
  cell: string,
  words: Readonly<Record<string, number>> | undefined,
  { missing, hasDecimalComma }: CellRules,
): number | string | undefined | { readonly fault: string } => {
  if (missing.hasNumbers && missing.has(cell)) return undefined
  const number = toNumber(cell, hasDecimalComma)
  if (number !== undefined) return number
  if (missing.has(cell) && numberOfWord(words, cell) === undefined) return undefined
  const fault = cellFault(cell)
  return fault === undefined ? cell : { fault }
}

/**
 * Rows of newline-delimited JSON: on each line `{"user_id": 1, "health_metrics": {...}}`. Blank lines are passed over;
 * a metric that is null or that `missing` has is missing.
 * @throws MemoryGuardError REQUEST_MALFORMED for a line without end.
 */
export async function* readNdjsonRows(
  text: AsyncIterable<string>,
  missing = new MissingValues(),
): AsyncGenerator<RawRow[]> {
  let rest = ''
  let line = 1
  const toRows = (lines: readonly string[]): RawRow[] => {
    const rows: RawRow[] = []
    for (const content of lines) {
      if (content.length > maxRecordLength) throw tooLong(line)
      if (content.trim() !== '') rows.push(parseLine(line, content, missing))
      line += 1
    }
    return rows
  }
  for await (const piece of text) {
    const lines = piece.split('\n')
    lines[0] = rest + (lines[0] ?? '')
    rest = lines.pop() ?? ''
    if (rest.length > maxRecordLength) throw tooLong(line + lines.length)
    yield toRows(lines)
  }
  yield toRows([rest])
}

const tooLong = (line: number) => unreadable(line, `The line is longer than ${maxRecordLength} characters.`)

const parseLine = (line: number, content: string, missing: MissingValues): RawRow => {
  let item: unknown
  try {
    item = JSON.parse(content)
  } catch {
    return { line, fault: 'is no JSON' }
  }
  return withoutMissing(toItem(line, item), missing)
}

/** The row without metrics that are null or say that they are missing, as files of other programs have them. */
const withoutMissing = (row: RawRow, missing: MissingValues): RawRow => {
  if ('fault' in row || typeof row.metrics !== 'object' || row.metrics === null || Array.isArray(row.metrics))
    return row
  const isMissing = (value: unknown) => value === null || (typeof value === 'string' && missing.has(value.trim()))
  const entries = Object.entries(row.metrics)
  if (!entries.some(([, value]) => isMissing(value))) return row
  return { ...row, metrics: Object.fromEntries(entries.filter(([, value]) => !isMissing(value))) }
}
