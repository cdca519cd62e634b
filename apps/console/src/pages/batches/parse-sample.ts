/** One row of the begin of a file: what stands in each column; and its line, from 1. */
export interface SampleRow {
  readonly line: number
  readonly cells: readonly string[]
}

/** The begin of a file as a table. */
export interface Sample {
  /** Names of the columns as they are written. */
  readonly columns: readonly string[]
  readonly rows: readonly SampleRow[]
  /** Whether a comma may stand for the decimal point. */
  readonly hasDecimalComma: boolean
  /** A line that cannot be read, if there is one: why. */
  readonly fault?: string
}

const separators = [',', ';', '\t', '|'] as const
/** A record with more characters has a quote that was left open. */
const maxRecord = 65_536

interface CsvRecord {
  readonly line: number
  readonly cells: readonly string[]
}

/** Records of CSV (RFC 4180), at most `count`; a last one that may be cut off is left out unless the text is whole. */
const readRecords = (text: string, separator: string, count: number, isWhole: boolean): readonly CsvRecord[] => {
  const records: CsvRecord[] = []
  let cells: string[] = []
  let cell = ''
  let isQuoted = false
  let line = 1
  let startLine = 1
  const endRecord = () => {
    cells.push(cell)
    if (cells.length > 1 || cell.trim() !== '') records.push({ line: startLine, cells })
    cells = []
    cell = ''
  }
  for (let at = 0; at < text.length && records.length < count; at += 1) {
    const char = text[at] ?? ''
    const isLineEnd = char === '\n' || char === '\r'
    if (isLineEnd && char === '\r' && text[at + 1] === '\n') at += 1
    if (isLineEnd) line += 1
    if (char === '"') {
      if (isQuoted && text[at + 1] === '"') {
        cell += '"'
        at += 1
      } else isQuoted = !isQuoted
    } else if (isQuoted) cell += isLineEnd ? '\n' : char
    else if (char === separator) {
      cells.push(cell)
      cell = ''
    } else if (isLineEnd) {
      endRecord()
      startLine = line
    } else cell += char
  }
  if (isWhole && records.length < count && !isQuoted && (cells.length > 0 || cell !== '')) endRecord()
  return records
}

/** The separator that stands most often in the header, or that a `sep=` line names. */
const findSeparator = (header: string): string => {
  const bare = header.replaceAll(/"[^"]*"/g, '')
  const counts = separators.map((separator) => bare.split(separator).length - 1)
  return separators[counts.indexOf(Math.max(...counts))] ?? ','
}

/** The first rows of a CSV file. */
export const parseCsvSample = (text: string, count: number, isWhole: boolean): Sample => {
  const begin = text.replace(/^(?:[ \t]*\r?\n)+/, '')
  const named = /^"?sep=([^"\r\n])"?\r?\n/i.exec(begin)
  const skipped = text.length - begin.length + (named?.[0].length ?? 0)
  const body = text.slice(skipped)
  const lineOffset = text.slice(0, skipped).split('\n').length - 1
  const header = /^[^\r\n]*/.exec(body)?.[0] ?? ''
  const separator = named?.[1] ?? findSeparator(header)
  const records = readRecords(body, separator, count + 1, isWhole)
  const [first, ...rest] = records
  const fault =
    first === undefined && body.length > maxRecord ? 'The header has no end. Is a quote left open in it?' : undefined
  return {
    columns: first?.cells.map((cell) => cell.trim()) ?? [],
    rows: rest.map(({ line, cells }) => ({ line: line + lineOffset, cells: cells.map((cell) => cell.trim()) })),
    hasDecimalComma: separator !== ',',
    ...(fault !== undefined && { fault }),
  }
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

const toCell = (value: unknown): string =>
  value === null || value === undefined ? '' : typeof value === 'string' ? value : JSON.stringify(value)

/** The first rows of newline-delimited JSON, with a column for each metric that they name. */
export const parseNdjsonSample = (text: string, count: number, isWhole: boolean): Sample => {
  const lines = text.split('\n').map((content, index) => ({ line: index + 1, content: content.trim() }))
  const complete = isWhole ? lines : lines.slice(0, -1)
  const filled = complete.filter(({ content }) => content !== '').slice(0, count)
  const people: { readonly line: number; readonly person: Record<string, unknown> }[] = []
  let fault: string | undefined
  for (const { line, content } of filled) {
    try {
      const value: unknown = JSON.parse(content)
      if (isObject(value) && isObject(value['health_metrics'])) people.push({ line, person: value })
      else fault ??= `Line ${line} is no {"user_id": 1, "health_metrics": {"age": 72}}.`
    } catch {
      fault ??= `Line ${line} is no JSON.`
    }
  }
  const names = [...new Set(people.flatMap(({ person }) => Object.keys(person['health_metrics'] as object)))]
  return {
    columns: ['user_id', ...names],
    rows: people.map(({ line, person }) => {
      const metrics = person['health_metrics'] as Record<string, unknown>
      return { line, cells: [toCell(person['user_id']), ...names.map((name) => toCell(metrics[name]))] }
    }),
    hasDecimalComma: false,
    ...(fault !== undefined && { fault }),
  }
}
